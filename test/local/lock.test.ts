import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { locked } from "../../local/lock.ts";

let file: string;
beforeEach(async () => {
  file = join(await mkdtemp(join(tmpdir(), "lock-")), "below", "lock");
  vi.spyOn(process.stderr, "write").mockReturnValue(true);
});
afterEach(async () => {
  await rm(join(file, "../.."), { recursive: true });
  vi.restoreAllMocks();
});

it("lets one at a time in", async () => {
  let inside = 0;
  let most = 0;
  const work = async () => {
    most = Math.max(most, ++inside);
    await wait(20);
    inside--;
  };
  await Promise.all([locked(file, work), locked(file, work), locked(file, work)]);
  expect(most).toBe(1);
});

it("gives back what the work gives, and lets the next in after a failure", async () => {
  await expect(locked(file, () => Promise.reject(new Error("no")))).rejects.toThrow("no");
  expect(await locked(file, async () => 7)).toBe(7);
  await expect(readFile(file)).rejects.toThrow("ENOENT");
});

it("ignores a holder that no longer lives", async () => {
  await locked(file, async () => {});
  await writeFile(file, "999999999");
  expect(await locked(file, async () => "in")).toBe("in");
});
