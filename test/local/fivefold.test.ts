import { spawn } from "node:child_process";
import { chmod, copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { repository } from "../../local/paths.ts";
import { attempt } from "../../local/run.ts";

// Processes are started, on a machine that may be busy.
vi.setConfig({ testTimeout: 30_000, hookTimeout: 30_000 });

/** A folder with fivefold.mjs, a command line that only tells of itself, and an npm that only counts its calls. */
let folder: string;
let env: NodeJS.ProcessEnv;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "fivefold-"));
  await copyFile(join(repository, "fivefold.mjs"), join(folder, "fivefold.mjs"));
  await writeFile(join(folder, "package-lock.json"), "{}");
  await mkdir(join(folder, "local"));
  await writeFile(
    join(folder, "local/cli.ts"),
    `const args: string[] = process.argv.slice(2);
     if (args[0] === "wait") { process.on("SIGTERM", () => process.exit(9)); setInterval(() => {}, 1000); console.log("waiting"); }
     else { console.log(JSON.stringify(args)); process.exitCode = Number(args[0] ?? 0); }`,
  );
  await mkdir(join(folder, "bin"));
  await writeFile(
    join(folder, "bin/npm"),
    `#!/bin/sh\necho "$@" >> "${folder}/npm-calls"\nsleep 0.2\n[ -e "${folder}/npm-fails" ] && exit 1\nmkdir -p "${folder}/node_modules"\n`,
  );
  await chmod(join(folder, "bin/npm"), 0o755);
  env = { ...process.env, PATH: `${join(folder, "bin")}${delimiter}${process.env.PATH}` };
});
afterEach(() => rm(folder, { recursive: true }));

const fivefold = (...args: string[]) => attempt(process.execPath, [join(folder, "fivefold.mjs"), ...args], { env });
const npmCalls = async () => (await readFile(join(folder, "npm-calls"), "utf8")).trim().split("\n");

it("installs once, also when several start at once, and again when the lock file changes", async () => {
  const results = await Promise.all([fivefold("0", "a b"), fivefold("0"), fivefold("0")]);
  expect(results.map((r) => r.code)).toEqual([0, 0, 0]);
  expect(results[0]?.stdout).toBe('["0","a b"]\n');
  expect(results[0]?.stderr.trim().split("\n").length).toBe(1);
  expect(await npmCalls()).toEqual(["ci --ignore-scripts --no-audit --no-fund --loglevel=error"]);
  await fivefold("0");
  expect(await npmCalls()).toHaveLength(1);
  await writeFile(join(folder, "package-lock.json"), "{ }");
  await fivefold("0");
  expect(await npmCalls()).toHaveLength(2);
});

it("passes the exit code on", async () => {
  expect((await fivefold("7")).code).toBe(7);
});

it("runs nothing when the packages cannot be installed, and tries again the next time", async () => {
  await writeFile(join(folder, "npm-fails"), "");
  const { code, stdout, stderr } = await fivefold("0");
  expect(code).toBe(1);
  expect(stdout).toBe("");
  expect(stderr).toContain("could not be installed");
  await rm(join(folder, "npm-fails"));
  expect((await fivefold("0")).code).toBe(0);
});

it("passes SIGTERM on", async () => {
  const child = spawn(process.execPath, [join(folder, "fivefold.mjs"), "wait"], {
    env,
    stdio: ["ignore", "pipe", "ignore"],
  });
  child.stdout.once("data", () => child.kill("SIGTERM"));
  expect(await new Promise((resolve) => child.on("close", resolve))).toBe(9);
});
