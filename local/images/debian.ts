import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { cacheFolder } from "../paths.ts";
import { Problem } from "../problem.ts";
import { attempt, run } from "../run.ts";
import { inWorkFolder } from "./build.ts";

const release = "trixie";
const nextRelease = "forky";

/**
 * What every Debian-based image has: a shell, the usual tools and the C and C++ libraries.
 * `base-files` is the first, because it makes `/bin` and `/lib` links into `/usr`.
 */
export const basePackages = [
  "base-files",
  ...["bash", "coreutils", "dash", "diffutils", "findutils", "grep", "gzip", "hostname", "libc-bin", "libstdc++6"],
  ...["mawk", "netbase", "sed", "tar", "tzdata"],
] as const;

/** Needed by packages' installation scripts, which never run here. */
const onlyForInstallation =
  /^(adduser|base-passwd|debconf|init-system-helpers|libpam-(modules|modules-bin|runtime)|libsemanage.*|libsepol.*|login\.defs|openssl|openssl-provider-legacy|passwd|.*perl.*|sensible-utils|sysvinit-utils|ucf|util-linux)$/;

/**
 * Unpacks packages of Debian and what they depend on, without what `basePackages` bring.
 *
 * Packages come from the mirror that this machine's apt uses, checked by Debian's signatures. They are unpacked, not
 * installed: no script of theirs runs, so neither a chroot nor apt is needed inside.
 *
 * @param without patterns of packages to leave out
 */
export async function unpackPackages(
  root: string,
  packages: readonly string[],
  without: readonly RegExp[] = [],
): Promise<void> {
  opened ??= open();
  const { apt, inBase } = await opened;
  await inWorkFolder(async (downloads) => {
    const wanted = packages === basePackages ? inBase : await resolve(apt, packages);
    const leftOut = (name: string) => [onlyForInstallation, ...without].some((pattern) => pattern.test(name));
    const names = wanted.filter((name) => !leftOut(name) && (packages === basePackages || !inBase.includes(name)));
    await run("apt-get", ["download", ...names, ...apt], { cwd: downloads });
    const files = await readdir(downloads);
    const first = (file: string) => (file.startsWith("base-files_") ? 0 : 1);
    for (const file of files.sort((a, b) => first(a) - first(b)))
      await run("dpkg-deb", ["--extract", join(downloads, file), root]);
  });
  await prune(root);
}

/**
 * Unpacks packages alone, as the next release of Debian has them; what they depend on must be there.
 *
 * @param version how the version of the first of them must begin
 */
export async function unpackNewer(root: string, packages: readonly string[], version: string): Promise<void> {
  await inWorkFolder(async (folder) => {
    const apt = await openApt(folder, nextRelease);
    const policy = await run("apt-cache", ["policy", packages[0] ?? "", ...apt]);
    const found = /Candidate: (\S+)/.exec(policy)?.[1] ?? "(none)";
    if (!found.startsWith(version))
      throw new Problem(`Debian ${nextRelease} has ${packages[0]} ${found}, and ${version} is needed.`);
    const downloads = join(folder, "downloads");
    await mkdir(downloads);
    await run("apt-get", ["download", ...packages, ...apt], { cwd: downloads });
    for (const file of await readdir(downloads)) await run("dpkg-deb", ["--extract", join(downloads, file), root]);
  });
  await prune(root);
}

/** Names of the packages that an installation on an empty system would bring. */
async function resolve(apt: readonly string[], packages: readonly string[]): Promise<string[]> {
  const plan = await run("apt-get", ["install", "--simulate", ...packages, ...apt]);
  return [...plan.matchAll(/^Inst (\S+) /gm)].map((match) => match[1] ?? "");
}

/** What all images share: options with which apt-get uses the release's package lists, and the base's packages. */
let opened: Promise<{ readonly apt: readonly string[]; readonly inBase: readonly string[] }> | undefined;

const listsFolder = join(cacheFolder, "images", "debian");

async function open(): Promise<{ apt: readonly string[]; inBase: readonly string[] }> {
  await rm(listsFolder, { recursive: true, force: true });
  const apt = await openApt(listsFolder, release);
  return { apt, inBase: await resolve(apt, basePackages) };
}

/** Removes the package lists. They are fetched again when next a package is unpacked. */
export async function dropPackageLists(): Promise<void> {
  opened = undefined;
  await rm(listsFolder, { recursive: true, force: true });
}

/** Fetches Debian's package lists into a folder; the machine's own apt is not touched. */
async function openApt(folder: string, suite: string): Promise<string[]> {
  await mkdir(join(folder, "lists", "partial"), { recursive: true });
  await mkdir(join(folder, "archives", "partial"), { recursive: true });
  await mkdir(join(folder, "none"), { recursive: true });
  await writeFile(join(folder, "status"), "");
  await writeFile(join(folder, "sources.list"), await sources(suite));
  const settings = {
    "Dir::State": folder,
    "Dir::State::status": join(folder, "status"),
    "Dir::Cache": folder,
    "Dir::Cache::pkgcache": "packages.bin",
    "Dir::Cache::srcpkgcache": "sources.bin",
    "Dir::Etc::sourcelist": join(folder, "sources.list"),
    "Dir::Etc::sourceparts": join(folder, "none"),
    "Dir::Etc::preferencesparts": join(folder, "none"),
    "APT::Install-Recommends": "false",
    "APT::Sandbox::User": "root",
    "Acquire::Languages": "none",
    "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled": "false",
  };
  const apt = Object.entries(settings).flatMap(([name, value]) => ["-o", `${name}=${value}`]);
  await run("apt-get", ["update", "--error-on=any", ...apt]);
  return apt;
}

/** A release's lines for the mirrors that this machine uses for its own release. */
async function sources(suite: string): Promise<string> {
  let mirrors = await machineMirrors();
  if (!mirrors.has("Debian")) {
    await attempt("apt-get", ["update"]); // a new machine has no lists yet
    mirrors = await machineMirrors();
  }
  const main = mirrors.get("Debian");
  if (!main)
    throw new Problem(
      "The images of the embedded node are made from Debian's packages, but apt on this machine uses no mirror of Debian.",
      "Run it on Debian 12 or newer, or use a cluster of your own: npm start -- --context NAME",
    );
  const security = mirrors.get("Debian-Security");
  const line = (site: string, suite: string) =>
    `deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] ${site} ${suite} main\n`;
  return line(main, suite) + (security ? line(security, `${suite}-security`) : "");
}

/** The addresses of this machine's mirrors by their labels, as far as their lists are there. */
async function machineMirrors(): Promise<Map<string, string>> {
  const format = ["indextargets", "--format", "$(LABEL) $(SITE)", "Created-By: Packages"];
  const { stdout } = await attempt("apt-get", format);
  return new Map([...stdout.matchAll(/^(\S+) (\S+)$/gm)].map(([, label = "", site = ""]) => [label, site]));
}

/** Manuals and translations are of no use in a container. Licences stay. */
async function prune(root: string): Promise<void> {
  for (const folder of ["man", "locale", "info", "lintian", "bug", "bash-completion"])
    await rm(join(root, "usr/share", folder), { recursive: true, force: true });
  const documents = join(root, "usr/share/doc");
  for (const entry of await readdir(documents, { recursive: true, withFileTypes: true }).catch(() => []))
    if (!entry.isDirectory() && entry.name !== "copyright") await rm(join(entry.parentPath, entry.name));
}

/** Writes the users of an image: root, nobody and the one that its program runs as. */
export async function writeUsers(root: string, ...more: { name: string; id: number; home: string }[]): Promise<void> {
  const users = [{ name: "root", id: 0, home: "/root" }, ...more, { name: "nobody", id: 65534, home: "/nonexistent" }];
  await mkdir(join(root, "etc"), { recursive: true });
  await writeFile(
    join(root, "etc/passwd"),
    users.map((u) => `${u.name}:x:${u.id}:${u.id}::${u.home}:/bin/sh\n`).join(""),
  );
  await writeFile(join(root, "etc/group"), users.map((u) => `${u.name}:x:${u.id}:\n`).join(""));
}

/** Copies the name service settings, which Debian installs by script. */
export async function copyNameServiceSwitch(root: string): Promise<void> {
  await writeFile(join(root, "etc/nsswitch.conf"), await readFile(join(root, "usr/share/libc-bin/nsswitch.conf")));
}
