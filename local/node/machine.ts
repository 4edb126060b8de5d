import { mkdir, readdir, readFile, rm, rmdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { runFolder } from "../paths.ts";

/** What the kubelet sets for the whole machine. */
const settings = [
  "vm/overcommit_memory",
  "vm/panic_on_oom",
  "kernel/panic",
  "kernel/panic_on_oops",
  "kernel/keys/root_maxkeys",
  "kernel/keys/root_maxbytes",
].map((name) => join("/proc/sys", name));

/** The kubelet's folder for device plugins, which cannot be moved. */
const devices = "/var/lib/kubelet/device-plugins";

const nodes = dirname(runFolder("any"));
const remembered = join(nodes, "machine.json");

/** Notes what a kubelet changes for the whole machine, unless a node that runs has changed it already. */
export async function rememberMachine(): Promise<void> {
  const values = await Promise.all(settings.map(async (file) => [file, await readFile(file, "utf8").catch(() => "")]));
  await mkdir(nodes, { recursive: true });
  await writeFile(remembered, JSON.stringify(Object.fromEntries(values)), { flag: "wx" }).catch((error) => {
    if (error.code !== "EEXIST") throw error;
  });
}

/** Sets it back once the last node of this machine has ended. */
export async function restoreMachine(): Promise<void> {
  const others = (await readdir(nodes, { withFileTypes: true }).catch(() => [])).filter((entry) => entry.isDirectory());
  const text = await readFile(remembered, "utf8").catch(() => undefined);
  if (others.length > 0 || text === undefined) return;
  for (const [file, value] of Object.entries(JSON.parse(text) as Record<string, string>))
    if (value) await writeFile(file, value);
  await rm(join(devices, "kubelet.sock"), { force: true });
  for (const folder of [devices, dirname(devices)]) await rmdir(folder).catch(() => {}); // it holds something of another
  await rm(remembered);
}
