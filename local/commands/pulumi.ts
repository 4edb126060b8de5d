import { clusterOf } from "../cluster.ts";
import { settings } from "../deploy.ts";
import { inherit } from "../run.ts";
import { toolchain } from "../toolchain/toolchain.ts";

/** `pulumi [--context NAME] ARGS...`: the CLI on the stacks that `start` made. */
export async function run(args: readonly string[]): Promise<number> {
  const named = args[0] === "--context";
  const cluster = await clusterOf(named ? args[1] : undefined);
  const { pulumi, project, env } = await toolchain(cluster);
  return inherit(pulumi, named ? args.slice(2) : args, { ...env, ...(await settings(cluster)) }, project);
}
