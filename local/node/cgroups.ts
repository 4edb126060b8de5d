import { appendFile, mkdir, readdir, readFile, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { Problem } from "../problem.ts";

/** A mounted hierarchy of control groups. */
interface Hierarchy {
  readonly path: string;
  readonly version: 1 | 2;
  readonly controllers: readonly string[];
}

async function hierarchies(): Promise<Hierarchy[]> {
  const mounts = (await readFile("/proc/self/mountinfo", "utf8")).trim().split("\n");
  return mounts.flatMap((line): Hierarchy[] => {
    const [before = "", after = ""] = line.split(" - ");
    const path = before.split(" ")[4] ?? "";
    const [type, , options = ""] = after.split(" ");
    if (type === "cgroup2") return [{ path, version: 2, controllers: [] }];
    if (type === "cgroup") return [{ path, version: 1, controllers: options.split(",") }];
    return [];
  });
}

/**
 * Makes the node's control group. All that the node runs is inside it, its own programs and the pods alike, so whatever
 * happens they can be found and ended.
 *
 * @returns the file to which a program of the node writes its process id
 */
export async function makeControlGroup(instance: string): Promise<string> {
  const all = await hierarchies();
  const pure = !all.some((h) => h.version === 1);
  for (const { path, version } of all) {
    if (pure && version === 2) {
      const controllers = (await readFile(join(path, "cgroup.controllers"), "utf8")).trim().split(" ");
      for (const controller of controllers)
        await appendFile(join(path, "cgroup.subtree_control"), `+${controller}`).catch(() => {});
    }
    await mkdir(join(path, instance, "system"), { recursive: true });
  }
  const tracking = all.find((h) => h.controllers.includes("pids")) ?? all.find((h) => h.version === 2);
  if (!tracking) throw new Problem("No control groups are mounted.", "Mount /sys/fs/cgroup.");
  return join(tracking.path, instance, "system", "cgroup.procs");
}

/** Ends every process of the node and removes its control group. */
export async function removeControlGroup(instance: string): Promise<void> {
  const trees = (await hierarchies()).map((h) => join(h.path, instance));
  const deadline = Date.now() + 20_000;
  for (;;) {
    const groups = (await Promise.all(trees.map(descendants))).flat();
    const processes = new Set((await Promise.all(groups.map(members))).flat());
    for (const pid of processes)
      try {
        process.kill(pid, "SIGKILL");
      } catch {} // it has ended by itself
    if (processes.size === 0) {
      for (const group of groups) await rmdir(group).catch(() => {}); // the kernel may need a moment more
      if ((await Promise.all(trees.map(descendants))).flat().length === 0) return;
    }
    if (Date.now() > deadline)
      throw new Problem(
        `Processes of the node "${instance}" cannot be ended: ${[...processes].join(", ") || "its control group is busy"}.`,
        "They may wait for a disk that does not answer. Restart the machine.",
      );
    await wait(50);
  }
}

/** Ends every process of a pod at once, as a crash would: nothing is told to it, nor to Kubernetes. */
export async function killPod(instance: string, uid: string): Promise<void> {
  const trees = (await hierarchies()).map((h) => join(h.path, instance, "kubepods"));
  const groups = (await Promise.all(trees.map(descendants))).flat().filter((path) => path.includes(`/pod${uid}`));
  const processes = new Set((await Promise.all(groups.map(members))).flat());
  if (processes.size === 0) throw new Problem(`The pod ${uid} has no processes on the node "${instance}".`);
  for (const pid of processes) process.kill(pid, "SIGKILL");
}

/** The group and all below it, the deepest first. */
async function descendants(group: string): Promise<string[]> {
  const entries = await readdir(group, { withFileTypes: true }).catch(() => undefined);
  if (!entries) return [];
  const below = await Promise.all(entries.filter((e) => e.isDirectory()).map((e) => descendants(join(group, e.name))));
  return [...below.flat(), group];
}

async function members(group: string): Promise<number[]> {
  const text = await readFile(join(group, "cgroup.procs"), "utf8").catch(() => "");
  return text
    .split("\n")
    .map(Number)
    .filter((pid) => pid > 0);
}
