import { parseArgs } from "node:util";
import { clusterOf } from "../cluster.ts";
import { deploy } from "../deploy.ts";
import { startNode } from "../node/node.ts";
import { instanceName } from "../paths.ts";
import { Problem } from "../problem.ts";
import { run as verify } from "./verify.ts";

/** `start [ARCHITECTURE] [--context NAME]` */
export async function run(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: { context: { type: "string" } },
    allowPositionals: true,
  });
  const [architecture = "iot", ...rest] = positionals;
  if (rest.length > 0) throw new Problem(`"${rest[0]}" is one word too many.`, "Name one architecture at a time.");
  const cluster = await clusterOf(values.context);
  if (cluster.embedded) await startNode(instanceName());
  await deploy(cluster, architecture);
  return verify([architecture, ...(values.context ? ["--context", values.context] : [])]);
}
