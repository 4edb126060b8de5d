import { chmod, copyFile, cp, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { images } from "../../../components/core/versions.ts";
import { baseLayer, path } from "../base.ts";
import type { Image, Layer } from "../build.ts";
import { unpackPackages, writeUsers } from "../debian.ts";
import { installPackages } from "./environment.ts";

const here = import.meta.dirname;
/** The Python of Debian trixie. */
const python = "3.13";
const packages = "/usr/local/lib/mongo-stand-in";

const standIn: Layer = {
  name: "mongo-stand-in",
  sources: [here],
  make: async (root) => {
    await unpackPackages(root, ["python3-minimal", `libpython${python}-stdlib`, "libsqlite3-0"]);
    await writeUsers(root, { name: "mongodb", id: 999, home: "/data/db" });
    await mkdir(join(root, "data/db"), { recursive: true });
    await chmod(join(root, "data/db"), 0o1777);
    await installPackages(join(root, packages), python);
    await cp(join(here, "stand_in"), join(root, packages, "stand_in"), { recursive: true });
    for (const program of ["mongod", "docker-entrypoint.sh"]) {
      const file = join(root, "usr/local/bin", program);
      await mkdir(join(root, "usr/local/bin"), { recursive: true });
      await copyFile(join(here, program), file);
      await chmod(file, 0o755);
    }
  },
};

/**
 * What stands in for MongoDB on the embedded node, because MongoDB's own server is in no package registry.
 * It bears the name of the real image and takes the same manifests, but it is for tests: it does not replicate.
 */
export const mongoImage: Image = {
  name: images.mongo,
  layers: [baseLayer, standIn],
  config: {
    User: "999:999",
    Env: [path, "HOME=/data/db", `PYTHONPATH=${packages}`, "PYTHONDONTWRITEBYTECODE=1", "PYTHONUNBUFFERED=1"],
    Entrypoint: ["docker-entrypoint.sh"],
    Cmd: ["mongod"],
    WorkingDir: "/data/db",
  },
};
