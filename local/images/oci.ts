import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { link, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../run.ts";

/** What a container starts with, as the OCI image specification names it. */
export interface ImageConfig {
  readonly User?: string;
  readonly Env?: readonly string[];
  readonly Entrypoint?: readonly string[];
  readonly Cmd?: readonly string[];
  readonly WorkingDir?: string;
}

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

/**
 * Writes an OCI image archive, as `ctr images import` reads it.
 *
 * Layers are plain tar files and stay uncompressed: nothing is transferred, and unpacking is then as fast as copying.
 *
 * @param folder an empty folder on the same disk as the layers, for the files of the archive
 */
export async function writeArchive(
  file: string,
  name: string,
  layers: readonly string[],
  config: ImageConfig,
  folder: string,
): Promise<void> {
  const blobs = join(folder, "blobs", "sha256");
  await mkdir(blobs, { recursive: true });
  const layerDescriptors: Descriptor[] = [];
  for (const layer of layers) {
    const { digest, size } = await digestOf(layer);
    await link(layer, join(blobs, digest));
    layerDescriptors.push(descriptor("application/vnd.oci.image.layer.v1.tar", digest, size));
  }
  const blob = async (mediaType: string, content: object): Promise<Descriptor> => {
    const text = JSON.stringify(content);
    const digest = createHash("sha256").update(text).digest("hex");
    await writeFile(join(blobs, digest), text);
    return descriptor(mediaType, digest, Buffer.byteLength(text));
  };
  const configDescriptor = await blob("application/vnd.oci.image.config.v1+json", {
    architecture: ociArchitecture(),
    os: "linux",
    config,
    rootfs: { type: "layers", diff_ids: layerDescriptors.map((layer) => layer.digest) },
  });
  const manifestType = "application/vnd.oci.image.manifest.v1+json";
  const manifest = await blob(manifestType, {
    schemaVersion: 2,
    mediaType: manifestType,
    config: configDescriptor,
    layers: layerDescriptors,
  });
  const annotations = { "io.containerd.image.name": name, "org.opencontainers.image.ref.name": name };
  await writeFile(join(folder, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
  await writeFile(
    join(folder, "index.json"),
    JSON.stringify({ schemaVersion: 2, manifests: [{ ...manifest, annotations }] }),
  );
  await run("tar", ["-cf", file, "-C", folder, "oci-layout", "index.json", "blobs"]);
}

/** Packs a folder as a layer. The same content always gives the same bytes. */
export async function writeLayer(file: string, folder: string): Promise<void> {
  await run("tar", ["-cf", file, "--sort=name", "--numeric-owner", "--mtime=@0", "--format=gnu", "-C", folder, "."]);
}

function ociArchitecture(): string {
  return process.arch === "x64" ? "amd64" : process.arch;
}

function descriptor(mediaType: string, hash: string, size: number): Descriptor {
  return { mediaType, digest: `sha256:${hash}`, size };
}

async function digestOf(file: string): Promise<{ digest: string; size: number }> {
  const hash = createHash("sha256");
  let size = 0;
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) {
    hash.update(chunk);
    size += chunk.length;
  }
  return { digest: hash.digest("hex"), size };
}
