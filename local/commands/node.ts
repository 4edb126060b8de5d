import { nodeProblems, startNode, stopNode } from "../node/node.ts";
import { kubeconfigFile } from "../node/place.ts";
import { instanceName } from "../paths.ts";
import { Problem } from "../problem.ts";

/** `node start|stop|status`: the embedded node alone. */
export async function run([action, ...rest]: readonly string[]): Promise<number> {
  const instance = instanceName();
  if (rest.length > 0)
    throw new Problem(`"${rest[0]}" is one word too many.`, "Use: node start, node stop or node status");
  switch (action) {
    case "start":
      await startNode(instance);
      console.log(`KUBECONFIG=${kubeconfigFile(instance)}`);
      return 0;
    case "stop":
      await stopNode(instance);
      return 0;
    case "status": {
      const problems = await nodeProblems(instance);
      console.log(problems.length === 0 ? `The node "${instance}" is up.` : problems.join("\n"));
      return problems.length === 0 ? 0 : 1;
    }
    default:
      throw new Problem("What should the node do?", "Use: node start, node stop or node status");
  }
}
