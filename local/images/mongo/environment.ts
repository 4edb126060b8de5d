import { createHash } from "node:crypto";
import { access, mkdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { cacheFolder } from "../../paths.ts";
import { Problem } from "../../problem.ts";
import { attempt } from "../../run.ts";

const requirements = join(import.meta.dirname, "requirements.txt");

/**
 * Puts the stand-in's Python packages into a folder. pip checks every file against the hashes of `requirements.txt`.
 *
 * @param python the version to install for, for example "3.13"
 *   @default - the machine's own
 */
export async function installPackages(folder: string, python?: string): Promise<void> {
  const machine = process.arch === "x64" ? "x86_64" : "aarch64";
  const platforms = ["manylinux2014", "manylinux_2_17", "manylinux_2_28"].map((tag) => `--platform=${tag}_${machine}`);
  const target = python ? [`--python-version=${python}`, "--implementation=cp", ...platforms] : [];
  const { code, stderr } = await attempt("python3", [
    ...["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile", "--only-binary=:all:"],
    ...["--no-deps", "--require-hashes", `--requirement=${requirements}`, `--target=${folder}`, ...target],
  ]);
  if (code !== 0)
    throw new Problem(
      "The Python packages of the MongoDB stand-in could not be installed with pip.",
      stderr.trim().split("\n").slice(-5).join("\n"),
    );
}

/**
 * How to start the stand-in as a process of this machine, for tests. Installs its packages into the cache the first time.
 *
 * @returns the command, to which mongod's flags are added, and the environment it needs
 */
export async function standInCommand(): Promise<{ command: string[]; env: Record<string, string> }> {
  const version = (await attempt("python3", ["--version"])).stdout.trim();
  const hash = createHash("sha256")
    .update(version)
    .update(await readFile(requirements))
    .digest("hex")
    .slice(0, 16);
  const packages = join(cacheFolder, `mongo-stand-in-${hash}`);
  if (
    !(await access(packages).then(
      () => true,
      () => false,
    ))
  ) {
    const partial = `${packages}.${process.pid}`;
    await mkdir(partial, { recursive: true });
    await installPackages(partial);
    await rename(partial, packages).catch(() => rm(partial, { recursive: true })); // another was faster
  }
  const env = {
    PYTHONPATH: `${import.meta.dirname}:${packages}`,
    STAND_IN_ENTRYPOINT: "1",
    PYTHONDONTWRITEBYTECODE: "1",
  };
  return { command: ["python3", "-m", "stand_in"], env };
}
