import { clusterOf } from "../cluster.ts";
import { inherit } from "../run.ts";
import { kubectlProgram } from "../toolchain/kubectl.ts";

/** `kubectl ARGS...` on the embedded node. */
export async function run(args: readonly string[]): Promise<number> {
  const { kubeconfig } = await clusterOf(undefined);
  return inherit(await kubectlProgram(), args, { ...process.env, KUBECONFIG: kubeconfig });
}
