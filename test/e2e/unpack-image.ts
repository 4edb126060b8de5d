import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build, exists, type Image, place } from "../../local/images/build.ts";

interface Descriptor {
  readonly digest: string;
}

/** Unpacks the file system of an image of the embedded node; builds it first if need be. */
export async function unpackImage(image: Image, root: string): Promise<void> {
  const { archive } = await place(image);
  if (!(await exists(archive))) await build(image);
  const folder = mkdtempSync(join(tmpdir(), "image-"));
  try {
    mkdirSync(root);
    execFileSync("tar", ["--extract", "--file", archive, "--directory", folder]);
    const blob = ({ digest }: Descriptor) => join(folder, "blobs", ...digest.split(":"));
    const read = (file: string) => JSON.parse(readFileSync(file, "utf8"));
    const [manifest] = (read(join(folder, "index.json")) as { manifests: Descriptor[] }).manifests;
    const { layers } = read(blob(manifest as Descriptor)) as { layers: Descriptor[] };
    for (const layer of layers) execFileSync("tar", ["--extract", "--file", blob(layer), "--directory", root]);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
