import { glob, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Cluster } from "./cluster.ts";
import { alive, locked } from "./lock.ts";
import { step } from "./log.ts";
import { Problem } from "./problem.ts";
import { inherit, run } from "./run.ts";
import { goProgram } from "./toolchain/go.ts";
import { kubectlProgram } from "./toolchain/kubectl.ts";
import { type Toolchain, toolchain } from "./toolchain/toolchain.ts";

const platform = "platform";

/** Deploys an architecture on a cluster, after the platform that it stands on. */
export async function deploy(cluster: Cluster, architecture: string): Promise<void> {
  const tools = await toolchain(cluster);
  const env = { ...tools.env, ...(await settings(cluster)) };
  await alone(cluster, async () => {
    for (const stack of [platform, architecture]) {
      await run(tools.pulumi, ["stack", "select", "--create", stack], { cwd: tools.project, env });
      // Its preview finds wrong settings before anything is created.
      await pulumi({ ...tools, env }, "up", stack);
    }
  });
}

/** Destroys every stack on a cluster, the platform last. */
export async function destroyAll(cluster: Cluster): Promise<void> {
  const tools = await toolchain(cluster);
  await alone(cluster, async () => {
    const list = await run(tools.pulumi, ["stack", "ls", "--json"], { cwd: tools.project, env: tools.env });
    const names = (JSON.parse(list) as { name: string }[]).map((stack) => stack.name);
    const isPlatform = (name: string) => name.split("-")[0] === platform;
    for (const stack of [...names.filter((n) => !isPlatform(n)), ...names.filter(isPlatform)])
      await pulumi(tools, "destroy", stack, "--skip-preview", "--remove");
  });
}

/** No two commands change the stacks of a cluster at once. */
function alone(cluster: Cluster, work: () => Promise<void>): Promise<void> {
  return locked(join(cluster.folder, "deploy.lock"), work);
}

/** What differs on the embedded node from the defaults, which are made for a cluster with a way to the internet. */
export async function settings(cluster: Cluster): Promise<Record<string, string>> {
  if (!cluster.embedded) return {};
  const [fission, gateway] = [await goProgram("fission"), await goProgram("envoy-gateway")];
  return {
    FIVEFOLD_FISSION_CHART: join(fission, "chart"),
    FIVEFOLD_FISSION_CRDS: join(fission, "crds"),
    FIVEFOLD_GATEWAY_CHART: join(gateway, "chart"),
    FIVEFOLD_GATEWAY_CRDS: join(gateway, "crds"),
    FIVEFOLD_GATEWAY_API_CRDS: join(gateway, "gateway-api"),
  };
}

async function pulumi(tools: Toolchain, action: "up" | "destroy", stack: string, ...flags: string[]): Promise<void> {
  await releaseDeadLocks(tools, stack);
  await recover(tools, stack);
  const args = [action, `--stack=${stack}`, "--yes", ...flags];
  const code = await inherit(tools.pulumi, args, tools.env, tools.project);
  if (code !== 0) throw new Problem(`pulumi ${action} of the stack "${stack}" failed; it says above why.`);
}

/** An update that was killed leaves its lock on the stack; one that still runs keeps it. */
async function releaseDeadLocks(tools: Toolchain, stack: string): Promise<void> {
  const state = fileURLToPath(tools.env.PULUMI_BACKEND_URL ?? "");
  const files = glob(`.pulumi/locks/organization/*/${stack}/*.json`, { cwd: state });
  for await (const file of files) {
    const { pid } = JSON.parse(await readFile(join(state, file), "utf8"));
    if (!alive(pid)) await rm(join(state, file));
  }
}

interface State {
  readonly deployment: { pending_operations?: readonly Operation[] };
}
interface Operation {
  readonly type: "creating" | "updating" | "deleting" | "reading" | "importing";
  readonly resource: {
    readonly type: string;
    readonly inputs?: { apiVersion?: string; kind?: string; metadata?: object; name?: string; namespace?: string };
  };
}

/**
 * Goes on where an interrupted update was: what it was creating may be there without Pulumi knowing, and would be in
 * the way of its own creation. Objects of Kubernetes that never got ready hold nothing, and are removed.
 */
async function recover(tools: Toolchain, stack: string): Promise<void> {
  const options = { cwd: tools.project, env: tools.env };
  const state: State = JSON.parse(await run(tools.pulumi, ["stack", "export", `--stack=${stack}`], options));
  const pending = state.deployment.pending_operations ?? [];
  if (pending.length === 0) return;
  const created = pending.filter(({ type }) => type === "creating").map(({ resource }) => resource);
  const items = created.flatMap(({ inputs: { apiVersion, kind, metadata } = {} }) =>
    kind ? [{ apiVersion, kind, metadata }] : [],
  );
  // Helm takes over the objects of a release of the same name, but not the release itself.
  const releases = created.filter(({ type }) => type === "kubernetes:helm.sh/v3:Release");
  const remove = async (args: readonly string[], input = "") =>
    run(await kubectlProgram(), ["delete", "--ignore-not-found", ...args], { ...options, input });
  await step(`Clearing ${pending.length} operations of "${stack}" that were interrupted`, async () => {
    if (items.length > 0) await remove(["-f", "-"], JSON.stringify({ apiVersion: "v1", kind: "List", items }));
    for (const { inputs: { name, namespace = "default" } = {} } of releases)
      await remove(["secret", "-n", namespace, "-l", `owner=helm,name=${name}`]);
    state.deployment.pending_operations = [];
    await run(tools.pulumi, ["stack", "import", `--stack=${stack}`], { ...options, input: JSON.stringify(state) });
  });
}
