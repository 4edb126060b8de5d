import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, it, vi } from "vitest";

const cache = mkdtempSync(join(tmpdir(), "images-"));
vi.stubEnv("FIVEFOLD_CACHE", cache); // before the modules read it
const { build, clearWork, dropUnused, place } = await import("../../local/images/build.ts");
const { imagesOfNode } = await import("../../local/images/index.ts");
const { numberOf } = await import("../../local/images/wheel.ts");
const { pauseImage, volumeHelperImage } = await import("../../local/node/settings.ts");
const versions = await import("../../components/core/versions.ts");
type Image = Parameters<typeof build>[0];
type Layer = Image["layers"][number];

let sources: string;
let made: string[];

beforeEach(async () => {
  await rm(cache, { recursive: true, force: true });
  sources = await mkdtemp(join(tmpdir(), "sources-"));
  await writeFile(join(sources, "recipe"), "one");
  made = [];
  return () => rm(sources, { recursive: true });
});

afterAll(() => rm(cache, { recursive: true, force: true }));

/** A layer with one file, whose text is that of the recipe. */
function layer(name: string, change: Partial<Layer> = {}): Layer {
  return {
    name,
    sources: [sources],
    make: async (root) => {
      made.push(name);
      await writeFile(join(root, name), await readFile(join(sources, "recipe")));
    },
    ...change,
  };
}

const image = (name: string, layers: readonly Layer[], config: Image["config"] = {}): Image => ({
  name,
  layers,
  config,
});

const tar = (...args: string[]) => execFileSync("tar", args, { encoding: "utf8" });
const files = (folder = "images") => readdir(join(cache, folder));
const withoutHash = (names: readonly string[]) => names.map((name) => name.replace(/-[0-9a-f]{16}\.tar$/, "")).sort();

describe("an archive", () => {
  it("is an OCI image under the name that manifests ask for", async () => {
    const wanted = image("example.org/a/b:1.0", [layer("low"), layer("high")], { User: "1000", Cmd: ["run"] });
    await build(wanted);
    const { archive, name } = await place(wanted);
    expect(name).toBe("example.org/a/b:1.0");
    const folder = join(sources, "unpacked");
    await mkdir(folder);
    tar("-xf", archive, "-C", folder);
    const json = async (file: string) => JSON.parse(await readFile(join(folder, file), "utf8"));
    const blob = (digest: string) => join("blobs", digest.replace(":", "/"));

    expect(await json("oci-layout")).toEqual({ imageLayoutVersion: "1.0.0" });
    const [entry, ...others] = (await json("index.json")).manifests;
    expect(others).toEqual([]);
    expect(entry.annotations["io.containerd.image.name"]).toBe(wanted.name);
    const manifest = await json(blob(entry.digest));
    const config = await json(blob(manifest.config.digest));
    expect(config).toMatchObject({ os: "linux", config: { User: "1000", Cmd: ["run"] } });
    expect(config.rootfs.diff_ids).toEqual(manifest.layers.map((l: { digest: string }) => l.digest));
    expect(
      manifest.layers.map((l: { digest: string }) => tar("-tf", join(folder, blob(l.digest))).split("\n")),
    ).toEqual([
      ["./", "./low", ""],
      ["./", "./high", ""],
    ]);
    for (const { digest, size } of [entry, manifest.config, ...manifest.layers]) {
      const content = await readFile(join(folder, blob(digest)));
      expect(`sha256:${createHash("sha256").update(content).digest("hex")}`).toBe(digest);
      expect(content.length).toBe(size);
    }
  });

  it("holds files that every user can read, whatever the umask", async () => {
    const folder = layer("folder", { make: async (root) => void (await mkdir(join(root, "folder"))) });
    const before = process.umask(0o077);
    try {
      await build(image("a:1", [folder]));
      expect(process.umask()).toBe(0o077);
    } finally {
      process.umask(before);
    }
    expect(tar("-tvf", join(cache, "images/layers", (await files("images/layers"))[0] ?? ""))).toMatch(
      /^drwxr-xr-x.*\.\/\ndrwxr-xr-x.*folder\/\n$/,
    );
  });
});

describe("the cache", () => {
  it("makes a layer once for all images that share it", async () => {
    const base = layer("base");
    await build(image("a:1", [base, layer("a")]));
    await build(image("b:1", [base, layer("b")]));
    expect(made).toEqual(["base", "a", "b"]);
  });

  it("names an image by all that it is made from", async () => {
    const hash = async (wanted: Image) => (await place(wanted)).hash;
    const first = await hash(image("a:1", [layer("base")]));
    expect(await hash(image("a:1", [layer("base")]))).toBe(first);
    const others = [
      await hash(image("b:1", [layer("base")])),
      await hash(image("a:1", [layer("base")], { User: "1000" })),
      await hash(image("a:1", [layer("base", { versions: ["2"] })])),
      await hash(image("a:1", [layer("base"), layer("more")])),
    ];
    await writeFile(join(sources, "recipe"), "two");
    others.push(await hash(image("a:1", [layer("base")])));
    await writeFile(join(sources, "recipe"), "one");
    await writeFile(join(sources, "another"), "");
    others.push(await hash(image("a:1", [layer("base")])));
    expect(new Set([first, ...others]).size).toBe(7);
  });

  it("keeps nothing of a build that fails", async () => {
    const failing = layer("failing", {
      make: async (root) => {
        await writeFile(join(root, "half"), "");
        throw new Error("no network");
      },
    });
    const wanted = image("a:1", [failing]);
    await expect(build(wanted)).rejects.toThrow("no network");
    await expect(stat((await place(wanted)).archive)).rejects.toThrow("ENOENT");
    expect(await files()).toEqual(["layers"]);
    expect(await files("images/layers")).toEqual([]);
  });

  it("clears what a killed build left", async () => {
    await mkdir(join(cache, "images/work-abc/root"), { recursive: true });
    await build(image("a:1", [layer("a")]));
    await clearWork();
    expect((await files()).filter((file) => file.startsWith("work-"))).toEqual([]);
    expect(await files()).toHaveLength(2);
  });

  it("drops earlier versions and layers that nothing shares", async () => {
    const base = layer("base");
    const images = [image("a:1", [base, layer("a")]), image("a:1-b", [base, layer("b")])];
    for (const wanted of [image("a:0", [layer("old")]), ...images]) await build(wanted);
    await dropUnused(images);
    expect(withoutHash(await files())).toEqual(["a-1", "a-1-b", "layers"]);
    expect(withoutHash(await files("images/layers"))).toEqual(["base"]);
    for (const { archive } of await Promise.all(images.map(place))) await stat(archive);
  });

  it("names the file that it cannot read", async () => {
    await expect(place(image("a:1", [layer("a", { sources: [join(sources, "none")] })]))).rejects.toThrow("none");
  });
});

describe("the images of the node", () => {
  const programs = { fission: "/programs/fission-0123", envoyGateway: "/programs/envoy-gateway-0123" };
  const images = imagesOfNode(programs);

  it("are those that manifests and the node ask for", () => {
    const wanted = [...Object.values(versions.images), pauseImage, volumeHelperImage];
    expect(images.map(({ name }) => name).sort()).toEqual(wanted.sort());
  });

  it("share one Debian", () => {
    const bases = images.flatMap(({ layers }) => layers.filter(({ name }) => name === "debian"));
    expect(bases.length).toBeGreaterThan(5);
    expect(new Set(bases).size).toBe(1);
    for (const { layers } of images.filter(({ layers }) => layers.length > 1)) expect(layers[0]).toBe(bases[0]);
  });

  it.each([
    ["fission", [versions.images.fissionBundle, versions.images.fissionFetcher]],
    ["envoyGateway", [versions.images.envoyGateway]],
  ])("change with the programs of %s", async (program, changed) => {
    const hashes = async (folders: typeof programs) =>
      (await Promise.all(imagesOfNode(folders).map(place))).map(({ hash }) => hash);
    const [one, other] = [await hashes(programs), await hashes({ ...programs, [program]: "/programs/another-4567" })];
    expect(images.filter((_, at) => one[at] !== other[at]).map(({ name }) => name)).toEqual(changed);
  });

  it("take the version of a program from the tag of its image", () => {
    expect(["a/b:4.48", "a/b:v1.9.1", "a/b:distroless-v1.39.1"].map(numberOf)).toEqual(["4.48", "1.9.1", "1.39.1"]);
  });

  it("take the function server's packages from a lock file that names no registry", async () => {
    const folder = join(import.meta.dirname, "../../local/images/fission-node-environment");
    const lock = await readFile(join(folder, "package-lock.json"), "utf8");
    expect(lock).not.toContain("resolved");
    const { dependencies } = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
    expect(JSON.parse(lock).packages[""].dependencies).toEqual(dependencies);
  });
});
