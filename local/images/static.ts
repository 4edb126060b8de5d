import { chmod, copyFile, mkdir, symlink } from "node:fs/promises";
import { basename, join } from "node:path";
import { images } from "../../components/core/versions.ts";
import { pauseImage as pauseName, volumeHelperImage } from "../node/settings.ts";
import { run } from "../run.ts";
import { type Image, inWorkFolder } from "./build.ts";
import { unpackPackages } from "./debian.ts";

const sources = [import.meta.filename, join(import.meta.dirname, "debian.ts")];

/** Holds the namespaces of a pod and reaps what is left of its processes. */
export const pauseImage: Image = {
  name: pauseName,
  layers: [
    {
      name: "pause",
      sources,
      make: (root) =>
        inWorkFolder(async (work) => {
          await unpackPackages(work, ["catatonit"]);
          await copyFile(join(work, "usr/bin/catatonit"), join(root, "pause"));
        }),
    },
  ],
  config: { Entrypoint: ["/pause", "-P"] },
};

export const busyboxImage: Image = {
  name: volumeHelperImage,
  layers: [
    {
      name: "busybox",
      sources,
      make: (root) =>
        inWorkFolder(async (work) => {
          await unpackPackages(work, ["busybox-static"]);
          const program = join(work, "usr/bin/busybox");
          await mkdir(join(root, "bin"));
          await copyFile(program, join(root, "bin/busybox"));
          for (const name of (await run(program, ["--list"])).trim().split("\n"))
            if (name !== "busybox") await symlink("busybox", join(root, "bin", name));
          await addTemporaryFolder(root);
        }),
    },
  ],
  config: { Env: ["PATH=/bin"], Cmd: ["sh"] },
};

/** @param folder where Fission's programs lie; its name changes with them */
export function fissionImages(folder: string): Image[] {
  const image = (name: string, program: string): Image => ({
    name,
    layers: [
      {
        name: program,
        sources: [import.meta.filename],
        versions: [basename(folder)],
        make: async (root) => {
          await copyFile(join(folder, program), join(root, program));
          await addTemporaryFolder(root);
        },
      },
    ],
    config: { Entrypoint: [`/${program}`] },
  });
  return [image(images.fissionBundle, "fission-bundle"), image(images.fissionFetcher, "fetcher")];
}

async function addTemporaryFolder(root: string): Promise<void> {
  await mkdir(join(root, "tmp"));
  await chmod(join(root, "tmp"), 0o1777);
}
