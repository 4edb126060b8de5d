import { chown, mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { images } from "../../components/core/versions.ts";
import { baseLayer, path } from "./base.ts";
import { type Image, versionOf } from "./build.ts";
import { unpackPackages, writeUsers } from "./debian.ts";

const major = versionOf(images.postgres).split(".")[0];
const programs = `/usr/lib/postgresql/${major}`;
const uid = 999;

/** PostgreSQL without just-in-time compilation, whose compiler is larger than all the rest. */
export const postgresImage: Image = {
  name: images.postgres,
  layers: [
    baseLayer,
    {
      name: "postgres",
      sources: [import.meta.filename, join(import.meta.dirname, "debian.ts")],
      versions: [images.postgres],
      make: async (root) => {
        const without = [
          /^postgresql(-client)?-common/,
          /^ssl-cert$/,
          /^lib(llvm|z3)/,
          /^(locales|libc-l10n)$/,
          /^(lib)?proc/,
        ];
        await unpackPackages(root, [`postgresql-${major}`], without);
        const libraries = join(root, programs, "lib");
        for (const file of await readdir(libraries))
          if (file.startsWith("llvmjit") || file === "bitcode") await rm(join(libraries, file), { recursive: true });
        await writeUsers(root, { name: "postgres", id: uid, home: "/var/lib/postgresql" });
        for (const folder of ["var/lib/postgresql/data", "run/postgresql"]) {
          await mkdir(join(root, folder), { recursive: true });
          await chown(join(root, folder), uid, uid);
        }
      },
    },
  ],
  config: {
    Env: [`${path}:${programs}/bin`, "LANG=C.UTF-8", `PG_MAJOR=${major}`, "PGDATA=/var/lib/postgresql/data"],
    Cmd: ["postgres"],
  },
};
