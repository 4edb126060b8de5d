/** What a deployment, or a whole node, leaves behind: a list of what there is, before and after. */
import { glob, readdir, readFile, readlink } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { mountsBelow } from "../../local/node/clear.ts";
import { nodeProblems } from "../../local/node/node.ts";
import { placeOf } from "../../local/node/place.ts";
import { kubectl } from "./cluster.ts";

/** One line for each thing there is of an instance: on the machine, and in its cluster where that is up. */
export async function inventory(instance: string): Promise<ReadonlySet<string>> {
  const lines = [
    await objects(instance),
    await files(instance),
    await mounts(instance),
    await processes(instance),
    await kernel(instance),
  ];
  return new Set(lines.flat());
}

/**
 * What is there now and was not before, once it does not shrink any more: Kubernetes and the kernel clear away behind
 * those who wait for them.
 */
export async function audit(instance: string, before: ReadonlySet<string>, seconds = 90): Promise<string[]> {
  const latest = Date.now() + seconds * 1000;
  for (;;) {
    const left = [...(await inventory(instance))].filter((line) => !before.has(line)).sort();
    if (left.length === 0 || Date.now() > latest) return left;
    await sleep(1_000);
  }
}

/** These come and go by themselves. */
const passing = ["bindings", "componentstatuses", "events", "events.events.k8s.io", "leases.coordination.k8s.io"];

interface KubernetesObject {
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly deletionTimestamp?: string;
    readonly finalizers?: readonly string[];
  };
}

/** Objects of every kind, those that are being deleted with what they wait for. */
async function objects(instance: string): Promise<string[]> {
  if ((await nodeProblems(instance)).length > 0) return [];
  const kinds = (await kubectl(instance, ["api-resources", "--verbs=list", "--output=name"])).trim().split("\n");
  const wanted = kinds.filter((kind) => !passing.includes(kind)).join(",");
  const { items } = JSON.parse(await kubectl(instance, ["get", wanted, "--all-namespaces", "--output=json"]));
  return (items as KubernetesObject[]).map(({ kind, metadata }) => {
    const { namespace, name, deletionTimestamp, finalizers = [] } = metadata;
    const waits = deletionTimestamp ? ` is being deleted, and waits for ${finalizers.join(", ") || "its end"}` : "";
    return `${kind} ${namespace ? `${namespace}/` : ""}${name}${waits}`;
  });
}

/** What stays by intent: the images, and the lock of whoever starts or stops the node. */
const kept = ["images", "lock"];

/** Folders of the instance and of its volumes and pods; and what lies elsewhere on the machine. */
async function files(instance: string): Promise<string[]> {
  const { data, run } = placeOf(instance);
  const list = async (folder: string) => (await readdir(folder).catch(() => [])).map((name) => join(folder, name));
  const own = (await list(data)).filter((path) => !kept.some((name) => path === join(data, name)));
  const inside = ["volumes", "kubelet/pods", "logs/pods"].map((folder) => list(join(data, folder)));
  const elsewhere = ["/run/containerd/s", "/var/lib/kubelet", "/var/lib/kubelet/device-plugins"].map(list);
  const results = (await list("/var/lib/cni/results")).filter((path) => path.includes(`/${instance}-`));
  const logs = await Promise.all(
    (await list("/var/log/containers")).map(async (link) => {
      const target = await readlink(link).catch(() => "");
      return target.startsWith(`${data}/`) ? [link] : [];
    }),
  );
  const all = [own, await list(run), ...(await Promise.all([...inside, ...elsewhere])), results, logs.flat()];
  return all.flat().map((path) => `file ${path}`);
}

async function mounts(instance: string): Promise<string[]> {
  const { data, run } = placeOf(instance);
  const text = await readFile("/proc/self/mountinfo", "utf8");
  return mountsBelow(text, [data, run]).map((path) => `mount ${path}`);
}

/** Processes that are in the instance's control group, or were started with a path of it. */
async function processes(instance: string): Promise<string[]> {
  const { data, run } = placeOf(instance);
  const found = (await readdir("/proc"))
    .filter((name) => /^\d+$/.test(name))
    .map(async (pid) => {
      const read = (file: string) => readFile(`/proc/${pid}/${file}`, "utf8").catch(() => "");
      const [command, groups] = await Promise.all([read("cmdline"), read("cgroup")]);
      const isOurs = groups.includes(`:/${instance}/`) || [data, run].some((folder) => command.includes(`${folder}/`));
      return isOurs ? [`process ${command.replaceAll("\0", " ").trim()}`] : [];
    });
  return (await Promise.all(found)).flat();
}

/** Network namespace and interfaces, control groups, loop devices. */
async function kernel(instance: string): Promise<string[]> {
  const { data } = placeOf(instance);
  const spaces = (await readdir("/run/netns").catch((): string[] => [])).filter((name) => name === instance);
  const groups: string[] = [];
  // Kubernetes' own groups for pods of a class come with the first such pod, and go with the node.
  const ofClass = /\/kubepods\/(besteffort|burstable)$/;
  for (const pattern of [`/sys/fs/cgroup/${instance}/**`, `/sys/fs/cgroup/*/${instance}/**`])
    for await (const entry of glob(pattern, { withFileTypes: true }))
      if (entry.isDirectory()) groups.push(join(entry.parentPath, entry.name));
  const loops: string[] = [];
  for await (const file of glob("/sys/block/loop*/loop/backing_file")) {
    const path = (await readFile(file, "utf8").catch(() => "")).trim();
    if (path.startsWith(`${data}/`)) loops.push(path);
  }
  return [
    ...spaces.map((name) => `network namespace ${name}`),
    ...(await readdir("/sys/class/net")).map((name) => `network interface ${name}`),
    ...groups.filter((path) => !ofClass.test(path)).map((path) => `control group ${path}`),
    ...loops.map((path) => `loop device of ${path}`),
  ];
}
