import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Daemons } from "../../../local/node/daemons.ts";

vi.setConfig({ testTimeout: 30_000 });

let folder: string;
let daemons: Daemons;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "daemons-"));
  daemons = new Daemons("none", folder, join(folder, "cgroup.procs"));
});
afterEach(async () => {
  for (const pid of Object.values(daemons.pids))
    try {
      process.kill(pid, "SIGKILL");
    } catch {}
  await rm(folder, { recursive: true });
});

const start = (name: string, script: string) =>
  daemons.start({ name, command: ["/bin/sh", "-c", script], network: "machine" });
const said = async (name: string) => readFile(join(folder, `${name}.log`), "utf8");

it("puts a program into the control group before it runs, and its output into a file", async () => {
  start("web", "echo hello; echo trouble >&2; exec sleep 60");
  await daemons.until("it says something", 20, async () => (await said("web")).includes("trouble"));
  expect(await said("web")).toBe("hello\ntrouble\n");
  expect(await readFile(join(folder, "cgroup.procs"), "utf8")).toBe(`${daemons.pids.web}\n`);
});

it("does not go on waiting when a program dies, and shows what it said last", async () => {
  start("steady", "exec sleep 60");
  start("web", "for i in $(seq 1 30); do echo line $i; done; exit 7");
  const error = await daemons.until("never", 20, async () => false).catch((e: Error) => e.message);
  expect(error).toContain("web ended with exit code 7. Its log is");
  expect(error).toContain("line 30");
  expect(error).not.toContain("line 9\n");
});

it("gives up when the time is over", async () => {
  start("steady", "exec sleep 60");
  await expect(daemons.until("the node is ready", 0.2, async () => false)).rejects.toThrow(
    `Not within 0.2 s: the node is ready.\nThe logs of the node's programs are in ${folder}.`,
  );
});
