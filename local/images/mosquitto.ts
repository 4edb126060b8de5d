import { chown, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { images } from "../../components/core/versions.ts";
import { baseLayer, path } from "./base.ts";
import type { Image } from "./build.ts";
import { unpackPackages, writeUsers } from "./debian.ts";

const uid = 1883;

/** The MQTT broker. */
export const mosquittoImage: Image = {
  name: images.mosquitto,
  layers: [
    baseLayer,
    {
      name: "mosquitto",
      sources: [import.meta.filename, join(import.meta.dirname, "debian.ts")],
      versions: [images.mosquitto],
      make: async (root) => {
        await unpackPackages(root, ["mosquitto"]);
        await writeUsers(root, { name: "mosquitto", id: uid, home: "/mosquitto" });
        for (const folder of ["config", "data", "log"]) {
          await mkdir(join(root, "mosquitto", folder), { recursive: true });
          await chown(join(root, "mosquitto", folder), uid, uid);
        }
      },
    },
  ],
  config: { Env: [path], Cmd: ["/usr/sbin/mosquitto", "-c", "/mosquitto/config/mosquitto.conf"] },
};
