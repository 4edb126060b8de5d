import { existsSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type Cluster, clusterOf } from "../cluster.ts";
import { destroyAll } from "../deploy.ts";
import { say } from "../log.ts";
import { nodeProblems, stopNode } from "../node/node.ts";
import { instanceName } from "../paths.ts";

/** `stop [--context NAME]` */
export async function run(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({ args: [...args], options: { context: { type: "string" } } });
  const cluster = await clusterOf(values.context);
  if (!cluster.embedded) {
    await destroyStacks(cluster);
    return 0;
  }
  // What was on a node that is no longer up is gone with it, and so is what cannot be destroyed.
  let code = 0;
  if ((await nodeProblems(instanceName())).length === 0)
    await destroyStacks(cluster).catch((error) => {
      say(error.message);
      code = 1;
    });
  await stopNode(instanceName());
  return code;
}

async function destroyStacks(cluster: Cluster): Promise<void> {
  if (existsSync(join(cluster.folder, "pulumi"))) await destroyAll(cluster);
}
