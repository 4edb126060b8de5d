import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Problem } from "./problem.ts";

/** The folder that holds Pulumi.yaml. */
export const repository = dirname(dirname(fileURLToPath(import.meta.url)));

/** What can be made again: built programs, images, Pulumi's plugins. Shared by all instances. */
export const cacheFolder =
  process.env.FIVEFOLD_CACHE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "fivefold");

const dataRoot =
  process.env.FIVEFOLD_DATA ?? join(process.env.XDG_DATA_HOME ?? join(homedir(), ".local", "share"), "fivefold");

/** The name of the embedded node: of its network namespace, its cgroup and its folders. */
export function instanceName(): string {
  const name = process.env.FIVEFOLD_INSTANCE ?? "fivefold";
  if (!/^[a-z][a-z0-9-]{0,30}$/.test(name) || name.startsWith("context-"))
    throw new Problem(
      `FIVEFOLD_INSTANCE is "${name}".`,
      'Use up to 31 lower-case letters, digits and dashes, with a letter first and not starting with "context-".',
    );
  return name;
}

/** Where an instance keeps its state. */
export function instanceFolder(instance: string): string {
  return join(dataRoot, instance);
}

/** Where the state for a cluster of the user's own is kept, by the name of its context in the kubeconfig. */
export function contextFolder(context: string): string {
  return join(dataRoot, `context-${encodeURIComponent(context)}`);
}

/** Sockets lie here and not in the data folder, because the path of a socket may be no longer than 107 bytes. */
export function runFolder(instance: string): string {
  return join("/run/fivefold", instance);
}
