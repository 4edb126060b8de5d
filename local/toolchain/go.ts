import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { cp, mkdir, readdir, readFile, rename, rm, statfs, symlink } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { locked } from "../lock.ts";
import { step } from "../log.ts";
import { cacheFolder } from "../paths.ts";
import { Problem } from "../problem.ts";
import { attempt, run } from "../run.ts";
import { type GoProgram, type ProgramName, programs } from "./programs.ts";

const sources = join(dirname(dirname(fileURLToPath(import.meta.url))), "programs");

/** By which Go's own caches may grow while one program is built; all of them together need three times as much. */
const spaceNeeded = 8e9;

/**
 * Builds the programs of `local/programs/<name>` with Go, or finds them in the cache.
 *
 * @returns the folder that holds them
 */
export async function goProgram(name: ProgramName): Promise<string> {
  const cached = await cachedProgram(name);
  if (cached) return cached;
  await checkGo();
  const folder = await folderOf(name);
  return locked(join(cacheFolder, "programs.lock"), async () => {
    if (!existsSync(folder)) await step(`Building ${programs[name].title}`, () => build(name, programs[name], folder));
    return folder;
  });
}

/** The folder that holds the programs, if they are built already. */
export async function cachedProgram(name: ProgramName): Promise<string | undefined> {
  const folder = await folderOf(name);
  return existsSync(folder) ? folder : undefined;
}

async function folderOf(name: ProgramName): Promise<string> {
  return join(cacheFolder, "programs", `${name}-${await hashOf(join(sources, name), programs[name])}`);
}

async function build(name: ProgramName, program: GoProgram, folder: string): Promise<void> {
  await checkSpace();
  // Built in a copy, because what is embedded from a module must lie beside main.go.
  const work = join(cacheFolder, "build");
  const source = join(work, "source");
  const output = join(work, "output");
  await rm(work, { recursive: true, force: true });
  try {
    await mkdir(output, { recursive: true });
    await cp(join(sources, name), source, { recursive: true });
    const env = {
      ...process.env,
      CGO_ENABLED: "0",
      GOFLAGS: "-mod=readonly -buildvcs=false", // go.mod and go.sum pin all that is built
      GOWORK: "off",
      GOTOOLCHAIN: "auto", // an older Go fetches the release that go.mod asks for
    };
    const log = join(cacheFolder, `build-${name}.log`);
    await rm(log, { force: true });
    const take = async (module: string, what: Readonly<Record<string, string>>, to: string) => {
      await run("go", ["mod", "download", module], { cwd: source, env, log });
      const folder = (await run("go", ["list", "-m", "-f", "{{.Dir}}", module], { cwd: source, env, log })).trim();
      for (const [from, name] of Object.entries(what))
        await cp(join(folder, from), join(to, name), { recursive: true });
    };
    if (program.module && program.embed) await take(program.module, program.embed, source);
    if (program.module && program.copy) await take(program.module, program.copy, output);
    for (const [module, what] of Object.entries(program.copyFrom ?? {})) await take(module, what, output);
    for (const script of program.scripts ?? []) await cp(join(source, script), join(output, script));
    const flags = ["-trimpath", "-ldflags", ["-s -w", ...(program.variables ?? []).map((v) => `-X ${v}`)].join(" ")];
    await run("go", ["build", ...flags, "-o", `${output}/`, ...program.packages], { cwd: source, env, log });
    if (program.rename) await rename(join(output, program.rename.from), join(output, program.rename.to));
    for (const link of program.links?.names ?? []) await symlink(program.links?.to ?? "", join(output, link));
    await mkdir(dirname(folder), { recursive: true });
    await rename(output, folder);
    await rm(log, { force: true });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function checkGo(): Promise<void> {
  const { code, stdout } = await attempt("go", ["env", "GOVERSION"]);
  const [, major = 0, minor = 0] = (/go(\d+)\.(\d+)/.exec(stdout) ?? []).map(Number);
  if (code === 0 && (major > 1 || minor >= 21)) return;
  throw new Problem(
    code === 0 ? `${stdout.trim()} is too old: Go 1.21 or newer is needed.` : "Go is not installed.",
    "What cannot be downloaded is built with it. Install Go 1.21 or newer and put it on PATH.",
  );
}

async function checkSpace(): Promise<void> {
  for (const folder of (await run("go", ["env", "GOCACHE", "GOMODCACHE"])).trim().split("\n")) {
    await mkdir(folder, { recursive: true });
    const { bavail, bsize } = await statfs(folder);
    if (bavail * bsize < spaceNeeded)
      throw new Problem(
        `${Math.round((bavail * bsize) / 1e9)} GB of disk are free below ${folder}, but Go may need ${spaceNeeded / 1e9} GB.`,
        "Free some, or let GOCACHE and GOMODCACHE name folders on a larger disk.",
      );
  }
}

/** A hash of all that decides what the build gives. */
async function hashOf(folder: string, program: GoProgram): Promise<string> {
  const hash = createHash("sha256").update(JSON.stringify([process.platform, process.arch, program]));
  const files = await readdir(folder, { recursive: true, withFileTypes: true });
  for (const file of files
    .filter((f) => f.isFile())
    .map((f) => join(f.parentPath, f.name))
    .sort())
    hash
      .update(relative(folder, file))
      .update("\0")
      .update(await readFile(file))
      .update("\0");
  return hash.digest("hex").slice(0, 16);
}
