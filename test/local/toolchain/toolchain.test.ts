import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { Cluster } from "../../../local/cluster.ts";
import { repository } from "../../../local/paths.ts";
import { versions } from "../../../local/toolchain/programs.ts";

/** A machine on which nothing of Pulumi is to be found but what a test puts there. */
let folder: string;
let cluster: Cluster;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "toolchain-"));
  cluster = { embedded: true, folder: join(folder, "data"), kubeconfig: join(folder, "kubeconfig") };
  vi.resetModules();
  vi.stubEnv("FIVEFOLD_CACHE", join(folder, "cache"));
  vi.stubEnv("PATH", ["/usr/bin", "/bin"].join(delimiter));
  vi.stubGlobal("fetch", vi.fn().mockRejectedValue(new Error("unreachable")));
  vi.spyOn(process.stderr, "write").mockReturnValue(true);
  for (const name of ["kubernetes", "kafka", "random", "tls"] as const) {
    const plugin = join(folder, "cache/pulumi/plugins", `resource-${name}-v${versions[name]}`);
    await mkdir(plugin, { recursive: true });
    await writeFile(join(plugin, `pulumi-resource-${name}`), "");
  }
});
afterEach(async () => {
  vi.unstubAllEnvs();
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
  await rm(folder, { recursive: true });
});

const toolchain = async () => (await import("../../../local/toolchain/toolchain.ts")).toolchain(cluster);

/** A folder with a CLI of a version. */
async function cli(name: string, version: string): Promise<string> {
  const bin = join(folder, name);
  await mkdir(bin);
  for (const file of ["pulumi", "pulumi-language-nodejs"]) {
    await writeFile(join(bin, file), `#!/bin/sh\necho v${version}\n`);
    await chmod(join(bin, file), 0o755);
  }
  return bin;
}

it("uses the CLI of the same version that is installed", async () => {
  const bin = await cli("bin", versions.pulumi);
  vi.stubEnv("PATH", [bin, "/usr/bin", "/bin"].join(delimiter));
  expect((await toolchain()).pulumi).toBe(join(bin, "pulumi"));
  expect(fetch).not.toHaveBeenCalled();
});

it("downloads the CLI where another version is installed", async () => {
  const archive = await cli("pulumi", versions.pulumi);
  const tar = execFileSync("tar", ["-cz", "-C", folder, "pulumi"]);
  vi.mocked(fetch).mockImplementation(async () => new Response(tar));
  vi.stubEnv("PATH", [await cli("bin", "3.1.0"), "/usr/bin", "/bin"].join(delimiter));
  const { pulumi } = await toolchain();
  expect(pulumi).toBe(join(folder, "cache/programs", `pulumi-v${versions.pulumi}`, "pulumi"));
  expect(await readFile(pulumi, "utf8")).toBe(await readFile(join(archive, "pulumi"), "utf8"));
  vi.mocked(fetch).mockClear();
  expect((await toolchain()).pulumi).toBe(pulumi);
  expect(fetch).not.toHaveBeenCalled();
});

it.each([
  ["a broken archive", () => new Response("no archive")],
  ["an error", () => new Response("", { status: 500 })],
])("does not keep %s, and says what it needs to build the CLI", async (_, answer) => {
  vi.mocked(fetch).mockImplementation(async () => answer());
  vi.stubEnv("PATH", await onlyTar());
  await expect(toolchain()).rejects.toThrow("Go is not installed.");
  expect(existsSync(join(folder, "cache/programs", `pulumi-v${versions.pulumi}`))).toBe(false);
});

it("gives Pulumi a state, a passphrase and a project of the cluster's own", async () => {
  vi.stubEnv("PATH", [await cli("bin", versions.pulumi), "/usr/bin", "/bin"].join(delimiter));
  vi.stubEnv("PULUMI_CONFIG_PASSPHRASE", "of another project");
  const { env, project } = await toolchain();
  expect(env.KUBECONFIG).toBe(cluster.kubeconfig);
  expect(env.PULUMI_BACKEND_URL).toBe(`file://${cluster.folder}/pulumi`);
  expect(env.PULUMI_CONFIG_PASSPHRASE).toBeUndefined();
  const file = env.PULUMI_CONFIG_PASSPHRASE_FILE ?? "";
  const passphrase = await readFile(file, "utf8");
  expect(passphrase).toMatch(/^[0-9a-f]{64}$/);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect(await readFile(join(project, "Pulumi.yaml"), "utf8")).toContain(
    `\nmain: "${join(repository, "stacks/index.ts")}"`,
  );
  await toolchain();
  expect(await readFile(file, "utf8")).toBe(passphrase);
});

/** A PATH on which there is no Go. */
async function onlyTar(): Promise<string> {
  const bin = join(folder, "only-tar");
  await mkdir(bin);
  await writeFile(join(bin, "tar"), '#!/bin/sh\nexec /bin/tar "$@"\n');
  await chmod(join(bin, "tar"), 0o755);
  return bin;
}
