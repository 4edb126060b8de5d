import { chown, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { images } from "../../components/core/versions.ts";
import { baseLayer, path } from "./base.ts";
import { type Image, versionOf } from "./build.ts";
import { unpackNewer, unpackPackages, writeUsers } from "./debian.ts";

const uid = 999;
/** What Debian's build links to. */
const libraries = ["libatomic1", "libjemalloc2", "liblzf1", "libssl3t64", "libsystemd0"];

/** The data grid's server. The packages of PyPI that carry it are built without TLS. */
export const valkeyImage: Image = {
  name: images.valkey,
  layers: [
    baseLayer,
    {
      name: "valkey",
      sources: [import.meta.filename, join(import.meta.dirname, "debian.ts")],
      versions: [images.valkey],
      make: async (root) => {
        await unpackPackages(root, libraries);
        await unpackNewer(root, ["valkey-server", "valkey-tools"], versionOf(images.valkey));
        await writeUsers(root, { name: "valkey", id: uid, home: "/data" });
        await mkdir(join(root, "data"), { recursive: true });
        await chown(join(root, "data"), uid, uid);
      },
    },
  ],
  config: { Env: [path], Cmd: ["valkey-server"] },
};
