import { createHash } from "node:crypto";
import { access, mkdir, mkdtemp, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { join, relative } from "node:path";
import { cacheFolder } from "../paths.ts";
import { type ImageConfig, writeArchive, writeLayer } from "./oci.ts";

/** A part of an image's file system. An image that lists the same layer as another shares it on the node. */
export interface Layer {
  readonly name: string;
  /** Files and folders that decide what is in it: its recipe and what the recipe copies. */
  readonly sources: readonly string[];
  /** Versions and hashes that decide what is in it. */
  readonly versions?: readonly string[];
  /** Fills the folder, which becomes `/`. */
  make(folder: string): Promise<void>;
}

export interface Image {
  /** The full name by which manifests ask for it. */
  readonly name: string;
  /** Lowest first. */
  readonly layers: readonly Layer[];
  readonly config: ImageConfig;
}

/** An image in the cache, ready for `ctr images import`. */
export interface BuiltImage {
  readonly name: string;
  readonly archive: string;
  /** Of all that it is made from. */
  readonly hash: string;
}

const imagesFolder = join(cacheFolder, "images");
const layersFolder = join(imagesFolder, "layers");

/** Where an image is or will be in the cache. */
export async function place(image: Image): Promise<BuiltImage> {
  const layers = await Promise.all(image.layers.map(layerHash));
  const hash = hashOf([image.name, image.config, layers, await contentOf(join(import.meta.dirname, "oci.ts"))]);
  const archive = join(imagesFolder, `${fileName(image.name)}-${hash}.tar`);
  return { name: image.name, archive, hash };
}

/** Builds an image into the cache. Nothing half-done carries a final name. */
export async function build(image: Image): Promise<void> {
  const { archive } = await place(image);
  await inWorkFolder(async (work) => {
    const layers: string[] = [];
    for (const layer of image.layers) layers.push(await layerFile(layer));
    const files = join(work, "files");
    await mkdir(files);
    await writeArchive(join(work, "archive.tar"), image.name, layers, image.config, files);
    await rename(join(work, "archive.tar"), archive);
  });
}

/** Drops the archives of earlier versions, and the layers that only one image has: its archive holds them too. */
export async function dropUnused(images: readonly Image[]): Promise<void> {
  const archives = (await Promise.all(images.map(place))).map(({ archive }) => archive);
  for (const file of await filesIn(imagesFolder)) if (!archives.includes(file)) await rm(file);
  const layers = images.flatMap((image) => image.layers);
  const shared = layers.filter((layer, at) => layers.indexOf(layer) !== at);
  const kept = await Promise.all(shared.map(layerPath));
  for (const file of await filesIn(layersFolder)) if (!kept.includes(file)) await rm(file);
}

async function layerFile(layer: Layer): Promise<string> {
  const file = await layerPath(layer);
  if (await exists(file)) return file;
  await mkdir(layersFolder, { recursive: true });
  const umask = process.umask(0o022); // every user of the image must be able to read what is made
  await inWorkFolder(async (work) => {
    const root = join(work, "root");
    await mkdir(root);
    await layer.make(root);
    await writeLayer(join(work, "layer.tar"), root);
    await rename(join(work, "layer.tar"), file);
  }).finally(() => process.umask(umask));
  return file;
}

/** Lends a folder on the cache's disk. */
export async function inWorkFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  await mkdir(imagesFolder, { recursive: true });
  const folder = await mkdtemp(join(imagesFolder, "work-"));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Removes what a build that was killed has left. Only for the holder of the lock. */
export async function clearWork(): Promise<void> {
  const left = (await readdir(imagesFolder).catch(() => [])).filter((name) => name.startsWith("work-"));
  for (const name of left) await rm(join(imagesFolder, name), { recursive: true, force: true });
}

async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(folder, entry.name));
}

async function layerPath(layer: Layer): Promise<string> {
  return join(layersFolder, `${layer.name}-${await layerHash(layer)}.tar`);
}

async function layerHash(layer: Layer): Promise<string> {
  return hashOf([process.arch, layer.name, layer.versions ?? [], await Promise.all(layer.sources.map(contentOf))]);
}

/** The tag of an image. */
export function versionOf(image: string): string {
  return image.slice(image.lastIndexOf(":") + 1);
}

const fileName = (image: string) => image.replace(/[^A-Za-z0-9.]+/g, "-");

function hashOf(content: unknown): string {
  return createHash("sha256").update(JSON.stringify(content)).digest("hex").slice(0, 16);
}

/** A hash of a file or of all files in a folder. */
async function contentOf(path: string): Promise<string> {
  const hash = createHash("sha256");
  const files = (await stat(path)).isDirectory()
    ? (await readdir(path, { recursive: true, withFileTypes: true }))
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name))
        .sort()
    : [path];
  for (const file of files)
    hash
      .update(relative(path, file))
      .update("\0")
      .update(await readFile(file))
      .update("\0");
  return hash.digest("hex");
}

export async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
