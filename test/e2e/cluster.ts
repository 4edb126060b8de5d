import { kubeconfigFile } from "../../local/node/place.ts";
import { run } from "../../local/run.ts";
import { kubectlProgram } from "../../local/toolchain/kubectl.ts";

/** kubectl on the node of one instance, whichever the environment names. */
export async function kubectl(instance: string, args: readonly string[], input?: object): Promise<string> {
  const env = { ...process.env, KUBECONFIG: kubeconfigFile(instance) };
  return run(await kubectlProgram(), args, { env, ...(input && { input: JSON.stringify(input) }) });
}
