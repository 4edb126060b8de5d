import { mkdir, readdir, readFile, readlink, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { attempt, run } from "../run.ts";
import { makeControlGroup, removeControlGroup } from "./cgroups.ts";
import { containerdAnswers, ctr } from "./containerd.ts";
import { Daemons } from "./daemons.ts";
import { restoreMachine } from "./machine.ts";
import { images, type Place } from "./place.ts";
import { containerdSettings } from "./settings.ts";

/**
 * Ends and removes all of a node, however its last run ended: processes, mounts, network namespace, control groups,
 * sockets, volumes and state. Only the images stay.
 */
export async function clearNode(place: Place): Promise<void> {
  await removeControlGroup(place.instance);
  await removeShimSockets(place);
  await unmountAll([place.run, place.data]);
  await attempt("ip", ["netns", "delete", place.instance]);
  await removeContainerLogLinks(place);
  await removeNetworkResults(place);
  await rm(place.run, { recursive: true, force: true });
  for (const name of await readdir(place.data).catch(() => []))
    if (join(place.data, name) !== images(place) && name !== "lock")
      await rm(join(place.data, name), { recursive: true, force: true });
  await removeStaleContainers(place);
  await restoreMachine();
}

/** Containers that a run left in the image store would be taken up again by the next one, with nothing behind them. */
async function removeStaleContainers(place: Place): Promise<void> {
  const plugins = await readdir(images(place)).catch((): string[] => []);
  if (!plugins.includes("io.containerd.metadata.v1.bolt")) return;
  await rm(join(images(place), "io.containerd.grpc.v1.cri"), { recursive: true, force: true });
  await mkdir(place.run, { recursive: true });
  await writeFile(join(place.run, "containerd.toml"), containerdSettings(place, false));
  const daemons = new Daemons(place.instance, place.run, await makeControlGroup(place.instance));
  const command = ["containerd", "--config", join(place.run, "containerd.toml")];
  daemons.start({ name: "containerd", command, network: "machine" });
  await daemons.until("containerd answers", 30, () => containerdAnswers(place));
  const containers = (await ctr(place, "containers", "list", "--quiet")).split("\n").filter(Boolean);
  if (containers.length > 0) await ctr(place, "containers", "delete", ...containers);
  await removeControlGroup(place.instance);
  await rm(place.run, { recursive: true, force: true });
}

/** The mounts at or below the folders, the latest first. */
export function mountsBelow(mountinfo: string, folders: readonly string[]): string[] {
  return mountinfo
    .trim()
    .split("\n")
    .map((line) =>
      (line.split(" ")[4] ?? "").replace(/\\(\d{3})/g, (_, octal) => String.fromCharCode(parseInt(octal, 8))),
    )
    .filter((path) => folders.some((folder) => path === folder || path.startsWith(`${folder}/`)))
    .reverse();
}

async function unmountAll(folders: readonly string[]): Promise<void> {
  const mounts = mountsBelow(await readFile("/proc/self/mountinfo", "utf8"), folders);
  // Lazily, as a process that was just killed may hold a mount for a moment.
  if (mounts.length > 0) await run("umount", ["--lazy", "--no-mtab", ...mounts]);
}

/** containerd keeps the sockets of its shims in a folder of the machine and names them in its own state. */
async function removeShimSockets(place: Place): Promise<void> {
  const tasks = `${place.run}/containerd/io.containerd.runtime.v2.task/k8s.io`;
  for (const task of await readdir(tasks).catch(() => [])) {
    const address = await readFile(join(tasks, task, "address"), "utf8").catch(() => "");
    if (address.startsWith("unix:///")) await rm(address.slice("unix://".length), { force: true });
  }
}

/** The kubelet links the logs of all containers in a folder that cannot be moved. */
async function removeContainerLogLinks(place: Place): Promise<void> {
  const folder = "/var/log/containers";
  for (const name of await readdir(folder).catch(() => [])) {
    const target = await readlink(join(folder, name)).catch(() => "");
    if (target.startsWith(`${place.data}/`)) await rm(join(folder, name), { force: true });
  }
}

/** The CNI library records what it set up for each pod, by network and container. */
async function removeNetworkResults(place: Place): Promise<void> {
  const folder = "/var/lib/cni/results";
  const names = await readdir(folder).catch((): string[] => []);
  const containers = names.flatMap((name) => /-([0-9a-f]{64})-eth0$/.exec(name)?.[1] ?? []);
  for (const container of containers) {
    if (!names.includes(`${place.instance}-${container}-eth0`)) continue;
    for (const name of names.filter((n) => n.includes(container))) await rm(join(folder, name), { force: true });
  }
}
