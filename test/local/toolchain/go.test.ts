import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";

vi.setConfig({ testTimeout: 30_000 });

/** A machine with a Go that notes its calls and makes empty programs. */
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "go-"));
  await mkdir(join(folder, "bin"));
  await useGo("go1.26.0");
  vi.resetModules();
  vi.stubEnv("FIVEFOLD_CACHE", join(folder, "cache"));
  vi.stubEnv("PATH", [join(folder, "bin"), "/usr/bin", "/bin"].join(delimiter));
  vi.spyOn(process.stderr, "write").mockReturnValue(true);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  await rm(folder, { recursive: true });
});

async function useGo(version: string, build = "exit 0"): Promise<void> {
  await writeFile(
    join(folder, "bin/go"),
    `#!/bin/sh
case "$1 $2" in
  "env GOVERSION") echo ${version} ;;
  "env GOCACHE") echo ${folder}/gocache; echo ${folder}/modcache ;;
  build*)
    echo "$CGO_ENABLED $GOFLAGS $*" >> ${folder}/calls
    while [ "$1" != -o ]; do shift; done
    sleep 0.1
    touch "$2node" "$2coredns"
    ${build} ;;
esac`,
  );
  await chmod(join(folder, "bin/go"), 0o755);
}

const goProgram = async (name: "node" | "coredns") => (await import("../../../local/toolchain/go.ts")).goProgram(name);
const builds = async () => (await readFile(join(folder, "calls"), "utf8")).trim().split("\n");

it("builds once, also when two ask at once", async () => {
  const [one, two] = await Promise.all([goProgram("coredns"), goProgram("coredns")]);
  expect(one).toBe(two);
  expect(one).toMatch(/coredns-[0-9a-f]{16}$/);
  expect(await readdir(one)).toContain("coredns");
  await goProgram("coredns");
  expect(await builds()).toHaveLength(1);
  expect(await builds()).toEqual([
    expect.stringMatching(/^0 -mod=readonly -buildvcs=false build -trimpath -ldflags -s -w -o /),
  ]);
  expect(await readdir(join(folder, "cache"))).toEqual(["programs"]);
});

it("makes the names by which one program is called", async () => {
  expect(await readdir(await goProgram("node"))).toEqual(expect.arrayContaining(["etcd", "kubelet", "kubectl"]));
});

it("keeps nothing of a build that failed, and shows why it did", async () => {
  await useGo("go1.26.0", 'echo "main.go:1: no" >&2; exit 1');
  await expect(goProgram("coredns")).rejects.toThrow("main.go:1: no");
  expect((await readdir(join(folder, "cache"))).sort()).toEqual(["build-coredns.log"]);
  await useGo("go1.26.0");
  expect(await readdir(await goProgram("coredns"))).toContain("coredns");
});

it("refuses a Go that is too old", async () => {
  await useGo("go1.19.8");
  await expect(goProgram("coredns")).rejects.toThrow("go1.19.8 is too old: Go 1.21 or newer is needed.");
});
