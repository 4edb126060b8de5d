import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { lstat, mkdir, readFile, readlink, rm, symlink, writeFile } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Cluster } from "../cluster.ts";
import { step } from "../log.ts";
import { cacheFolder, repository } from "../paths.ts";
import { attempt } from "../run.ts";
import { downloadCli, siteAnswers } from "./download.ts";
import { cachedProgram, goProgram } from "./go.ts";
import { versions } from "./programs.ts";

/** How Pulumi is run on a cluster: the program, the folder that it is run in, and its environment. */
export interface Toolchain {
  readonly pulumi: string;
  readonly project: string;
  readonly env: NodeJS.ProcessEnv;
}

const pulumiHome = join(cacheFolder, "pulumi");
const languageHost = fileURLToPath(new URL("language-host.ts", import.meta.url));
const plugins = ["kubernetes", "kafka", "random", "tls"] as const;

/**
 * Pulumi and its plugins, in the versions that the npm packages need: what is installed already, or the official
 * downloads, or where their site does not answer, built from Go modules.
 */
export async function toolchain(cluster: Cluster): Promise<Toolchain> {
  const cli = await findCli();
  const pulumi = join(cli, "pulumi");
  for (const plugin of plugins) await providePlugin(plugin, pulumi);
  const state = join(cluster.folder, "pulumi");
  const { PULUMI_CONFIG_PASSPHRASE: _, ...inherited } = process.env;
  return {
    pulumi,
    project: await makeProject(cluster),
    env: {
      ...inherited,
      // Programs run with the Node that runs this, whatever is on the user's PATH.
      PATH: [cli, dirname(process.execPath), inherited.PATH].join(delimiter),
      NODE_OPTIONS: `${inherited.NODE_OPTIONS ?? ""} --disable-warning=ExperimentalWarning`.trim(),
      // Node compiles Pulumi's libraries once and not for every preview.
      NODE_COMPILE_CACHE: join(cacheFolder, "node"),
      FIVEFOLD_LANGUAGE_HOST: languageHost,
      PULUMI_HOME: pulumiHome,
      // Plugins of the versions that are asked for, and no others that may lie on the user's PATH.
      PULUMI_IGNORE_AMBIENT_PLUGINS: "true",
      PULUMI_BACKEND_URL: `file://${state}`,
      PULUMI_CONFIG_PASSPHRASE_FILE: await makePassphrase(cluster, state),
      PULUMI_SKIP_UPDATE_CHECK: "1",
      PULUMI_DIY_BACKEND_DISABLE_CHECKPOINT_BACKUPS: "1",
      KUBECONFIG: cluster.kubeconfig,
    },
  };
}

/** The folder with the CLI and, beside it, its language host. */
async function findCli(): Promise<string> {
  const onPath = (process.env.PATH ?? "").split(delimiter).find((folder) => existsSync(join(folder, "pulumi")));
  if (onPath && existsSync(join(onPath, "pulumi-language-nodejs"))) {
    const { stdout } = await attempt(join(onPath, "pulumi"), ["version"]);
    if (stdout.trim() === `v${versions.pulumi}`) return onPath;
  }
  const downloaded = join(cacheFolder, "programs", `pulumi-v${versions.pulumi}`);
  if (existsSync(downloaded)) return downloaded;
  const built = await cachedProgram("pulumi");
  if (built) return built;
  return (await downloadCli(downloaded)) ? downloaded : goProgram("pulumi");
}

async function providePlugin(name: (typeof plugins)[number], pulumi: string): Promise<void> {
  const folder = join(pulumiHome, "plugins", `resource-${name}-v${versions[name]}`);
  const program = join(folder, `pulumi-resource-${name}`);
  const present = await lstat(program).catch(() => undefined);
  if (present && !present.isSymbolicLink()) return; // an official one
  let built = await cachedProgram(name);
  if (!built && (await install(name, pulumi))) return;
  built ??= await goProgram(name);
  const target = join(built, `pulumi-resource-${name}`);
  if (present && (await readlink(program)) === target) return;
  await mkdir(folder, { recursive: true });
  await rm(program, { force: true });
  await symlink(target, program);
}

/** Lets the CLI download a plugin. */
async function install(name: (typeof plugins)[number], pulumi: string): Promise<boolean> {
  if (!(await siteAnswers())) return false;
  const args = ["plugin", "install", "resource", name, `v${versions[name]}`];
  return step(`Downloading Pulumi's plugin ${name}`, async () => {
    const env = { ...process.env, PULUMI_HOME: pulumiHome };
    return (await attempt(pulumi, args, { env, timeoutSeconds: 300 })).code === 0;
  });
}

/** The state's secrets are encrypted with a passphrase of its own, which only this user can read. */
async function makePassphrase(cluster: Cluster, state: string): Promise<string> {
  const file = join(cluster.folder, "passphrase");
  await mkdir(state, { recursive: true, mode: 0o700 });
  await writeFile(file, randomBytes(32).toString("hex"), { mode: 0o600, flag: "wx" }).catch((error) => {
    if (error.code !== "EEXIST") throw error;
  });
  return file;
}

/**
 * A project of the cluster's own that runs the repository's stacks: what the CLI writes beside Pulumi.yaml, such as the
 * salt of the passphrase, belongs to this cluster and not to the source code.
 */
async function makeProject(cluster: Cluster): Promise<string> {
  const folder = join(cluster.folder, "project");
  await mkdir(folder, { recursive: true });
  const text = await readFile(join(repository, "Pulumi.yaml"), "utf8");
  const absolute = text.replace(
    /^main: *(.+)$/m,
    (_, main: string) => `main: ${JSON.stringify(join(repository, main))}`,
  );
  await writeFile(join(folder, "Pulumi.yaml"), absolute);
  return folder;
}
