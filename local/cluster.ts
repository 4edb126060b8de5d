import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { kubeconfigFile } from "./node/place.ts";
import { contextFolder, instanceFolder, instanceName } from "./paths.ts";
import { Problem } from "./problem.ts";
import { attempt } from "./run.ts";
import { kubectlProgram } from "./toolchain/kubectl.ts";

/** The cluster that a command is about, and the folder with what is known of it. */
export interface Cluster {
  readonly embedded: boolean;
  readonly folder: string;
  /** A kubeconfig with one context only, so nothing can reach a cluster that was not named. */
  readonly kubeconfig: string;
}

/** The cluster of a context of the user's kubeconfig, or the embedded node, which need not be up. */
export async function clusterOf(context: string | undefined): Promise<Cluster> {
  if (context === undefined) {
    const instance = instanceName();
    return { embedded: true, folder: instanceFolder(instance), kubeconfig: kubeconfigFile(instance) };
  }
  const folder = contextFolder(context);
  const kubeconfig = join(folder, "kubeconfig");
  const view = ["config", "view", "--minify", "--flatten", "--raw", `--context=${context}`];
  const { code, stdout, stderr } = await attempt(await kubectlProgram(), view);
  if (code !== 0)
    throw new Problem(
      `The kubeconfig has no usable context "${context}". ${stderr.trim()}`,
      "See: kubectl config get-contexts",
    );
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await writeFile(kubeconfig, stdout, { mode: 0o600 });
  return { embedded: false, folder, kubeconfig };
}
