import { chmod, mkdir, rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import type { Layer } from "./build.ts";
import { basePackages, copyNameServiceSwitch, unpackPackages, writeUsers } from "./debian.ts";

/** Debian with a shell and the usual tools. */
export const baseLayer: Layer = {
  name: "debian",
  sources: [import.meta.filename, join(import.meta.dirname, "debian.ts")],
  make: async (root) => {
    await unpackPackages(root, basePackages);
    await writeUsers(root);
    await copyNameServiceSwitch(root);
    for (const folder of ["proc", "sys", "dev", "run/lock", "tmp"])
      await mkdir(join(root, folder), { recursive: true });
    await chmod(join(root, "tmp"), 0o1777);
    for (const [folder, target] of Object.entries({ run: "/run", lock: "/run/lock" })) {
      await rm(join(root, "var", folder), { recursive: true });
      await symlink(target, join(root, "var", folder));
    }
    await symlink("mawk", join(root, "usr/bin/awk"));
  },
};

/** Where `baseLayer` has its programs. */
export const path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
