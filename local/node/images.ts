import { embeddedImages } from "../images/index.ts";
import { step } from "../log.ts";
import { ctr } from "./containerd.ts";
import type { Place } from "./place.ts";

/** Records on an image from which archive it came, so that the next start need not import it again. */
const label = "fivefold.dev/archive";

/** An image in a file, and the hash of what it was made from. */
export type ImageArchive = Awaited<ReturnType<typeof embeddedImages>>[number];

/** The images of everything that runs on the node, built or taken from the cache. */
export const archives = () => embeddedImages();

/** Puts those images into the node's store that are not there yet. */
export async function importImages(place: Place, wanted: readonly ImageArchive[]): Promise<void> {
  const present = new Set(
    [...(await ctr(place, "images", "list")).matchAll(/fivefold\.dev\/archive=(\w+)/g)].map((m) => m[1]),
  );
  const missing = wanted.filter(({ hash }) => !present.has(hash));
  if (missing.length === 0) return;
  await step(`Importing ${missing.length} images`, async () => {
    for (const { name, archive, hash } of missing) {
      await ctr(place, "images", "import", archive);
      await ctr(place, "images", "label", name, `${label}=${hash}`, "io.cri-containerd.pinned=pinned");
    }
  });
}
