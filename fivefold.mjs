// Starts Fivefold with the packages of package-lock.json and a Node that is new enough. Needs Node 20 and nothing else.
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const fail = (message) => {
  process.stderr.write(`${message}\n`);
  process.exit(1);
};

const lockHash = createHash("sha256")
  .update(readFileSync(join(here, "package-lock.json")))
  .digest("hex");
const marker = join(here, "node_modules", ".fivefold");
const installed = () => existsSync(marker) && readFileSync(marker, "utf8") === lockHash;

async function install() {
  const lock = join(tmpdir(), `fivefold-install-${createHash("sha256").update(here).digest("hex").slice(0, 16)}`);
  while (!take(lock)) {
    const holder = Number(existsSync(lock) ? readFileSync(lock, "utf8") : 0);
    if (holder && !runs(holder)) rmSync(lock, { force: true });
    else await wait(300);
  }
  try {
    if (installed()) return;
    process.stderr.write("Installing the npm packages ...\n");
    const options = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
    const { status, error } = spawnSync("npm", options, { cwd: here, stdio: ["ignore", 2, 2] });
    if (error) throw new Error("npm is not installed. It comes with Node.js.");
    if (status !== 0) throw new Error("The npm packages could not be installed; npm says above why.");
    writeFileSync(marker, lockHash);
  } finally {
    rmSync(lock, { force: true });
  }
}

/** A file is made by one process only, so it serves as a lock. */
function take(lock) {
  try {
    writeFileSync(lock, String(process.pid), { flag: "wx" });
    return true;
  } catch (error) {
    if (error.code === "EEXIST") return false;
    throw error;
  }
}

function runs(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}

/** TypeScript runs as it is from Node 22.18 on. */
function findNode() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major > 22 || (major === 22 && minor >= 18)) return process.execPath;
  const bundled = join(here, "node_modules", `node-${process.platform}-${process.arch}`, "bin", "node");
  if (existsSync(bundled)) return bundled;
  return fail(`This is Node ${process.versions.node}. Install Node 22.18 or newer.`);
}

if (!installed()) await install().catch((error) => fail(error.message));
const command = ["--disable-warning=ExperimentalWarning", join(here, "local", "cli.ts"), ...process.argv.slice(2)];
const child = spawn(findNode(), command, { stdio: "inherit" });
process.on("SIGTERM", () => child.kill("SIGTERM"));
// A terminal has sent it to the child as well.
process.on("SIGINT", () => process.stdin.isTTY || child.kill("SIGINT"));
child.on("exit", (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
