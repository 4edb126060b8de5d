/** The commands of the README, on a node of the tests' own: start, verify, pulumi by hand, stop, and what is left. */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { audit, inventory } from "./audit.ts";
import { refusals } from "./iot/refusals.ts";
import { replay } from "./iot/replay.ts";
import { payments } from "./payments.ts";
import { readme } from "./readme.ts";

const root = resolve(import.meta.dirname, "../..");
/** Beside a node of the user's own, never on it. */
const instance = "fivefold-test";

/** As a user runs it, with the Node of the machine; what it says is shown as well, because a start takes minutes. */
async function fivefold(...args: string[]): Promise<{ code: number | null; output: string }> {
  const child = spawn("node", ["fivefold.mjs", ...args], {
    cwd: root,
    env: { ...process.env, FIVEFOLD_INSTANCE: instance, NO_COLOR: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
      if (args[0] === "start") process.stderr.write(text.replaceAll(/^(?:@| [ +~-]).*\n/gm, ""));
    });
  const code = await new Promise<number | null>((done) => child.on("close", done));
  return { code, output };
}

const minutes = 60_000;
let folder = "";
/** What there is of the instance before anything is started, and before the architecture is deployed. */
let before = { start: new Set() as ReadonlySet<string>, deployment: new Set() as ReadonlySet<string> };

beforeAll(async () => {
  before = { ...before, start: await inventory(instance) };
  folder = await mkdtemp(join(tmpdir(), "fivefold-e2e-"));
});
afterAll(async () => {
  await fivefold("stop");
  await rm(folder, { recursive: true });
}, 10 * minutes);

describe("npm run pulumi -- up", () => {
  it("deploys the platform by hand", { timeout: 50 * minutes }, async () => {
    expect((await fivefold("node", "start")).code).toBe(0);
    await fivefold("pulumi", "stack", "init", "platform");
    const { code, output } = await fivefold("pulumi", "up", "-s", "platform", "--yes", "--non-interactive");
    expect(code, output).toBe(0);
    before = { ...before, deployment: await inventory(instance) };
  });
});

describe("npm start", () => {
  it("ends with an exact ledger", { timeout: 50 * minutes }, async () => {
    const { code, output } = await fivefold("start");
    expect(output).toContain("Every event is accounted for.");
    expect(code).toBe(0);
  });
});

describe("npm run verify -- iot", () => {
  it("accounts for every event of another seed, and writes the figures", { timeout: 5 * minutes }, async () => {
    const file = join(folder, "figures.json");
    const { code, output } = await fivefold(
      "verify",
      "iot",
      "--rate",
      "50",
      "--seconds",
      "20",
      "--seed",
      "2",
      "--json",
      file,
    );
    expect(output).toContain("Stand-in instead of the real server: mongodb");
    const figures = JSON.parse(readFileSync(file, "utf8"));
    expect(figures.problems).toEqual([]);
    expect(figures.stored).toBe(1000);
    expect(figures.deadLettered).toBeGreaterThan(0);
    expect(figures.refused).toBeGreaterThan(0);
    expect(figures.standIns).toEqual(["mongodb"]);
    expect(code).toBe(0);
  });

  it("says so where nothing is deployed", async () => {
    const { code, output } = await fivefold("verify", "iot-absent");
    expect(output).toContain('Stack "iot-absent" is not deployed');
    expect(code).toBe(1);
  });
});

describe("npm run verify -- iot --chaos", () => {
  it("accounts for every event while pods are killed", { timeout: 8 * minutes }, async () => {
    const { code, output } = await fivefold(
      "verify",
      "iot",
      "--rate",
      "100",
      "--seconds",
      "30",
      "--seed",
      "3",
      "--chaos",
    );
    for (const kind of ["relay", "function", "kafka", "mongo"])
      expect(output).toMatch(new RegExp(`killed the pod .* \\(${kind}\\)`));
    expect(output).toContain("Every event is accounted for.");
    expect(code, output).toBe(0);
  });
});

describe("npm run verify -- iot --outage", () => {
  it("loses nothing while every function is down", { timeout: 8 * minutes }, async () => {
    const load = ["--rate", "50", "--seconds", "40", "--seed", "6"];
    const { code, output } = await fivefold("verify", "iot", ...load, "--outage", "15", "--memory");
    expect(output).toMatch(/functions may come up again, after [1-9]\d* kills/);
    expect(output).toMatch(/iot\/raw-to-normalize-\S+ +\d+ MiB +\d+ MiB +\d+ MiB +256 MiB +0\n/);
    expect(output).toContain("Every event is accounted for.");
    expect(code, output).toBe(0);
  });
});

replay({ instance, stack: "iot", fivefold });
refusals({ instance, stack: "iot" });
readme({ instance });

describe("npm run pulumi", () => {
  it("finds nothing to change after the start", { timeout: 5 * minutes }, async () => {
    const { code, output } = await fivefold(
      "pulumi",
      "preview",
      "-s",
      "iot",
      "--expect-no-changes",
      "--non-interactive",
    );
    expect(code, output).toBe(0);
  });

  it("refuses a wrong setting before anything is created", { timeout: 5 * minutes }, async () => {
    await fivefold("pulumi", "stack", "init", "iot-wrong");
    const { code, output } = await fivefold(
      ...["pulumi", "up", "-s", "iot-wrong", "--yes", "--non-interactive", "-c", "brokers=0"],
    );
    expect(output).toContain("brokers: must be a whole number from 1 to 100, got 0");
    expect(code).not.toBe(0);
    const { output: namespaces } = await fivefold("kubectl", "get", "namespaces", "-o", "name");
    expect(namespaces).not.toContain("iot-wrong");
    await fivefold("pulumi", "stack", "rm", "iot-wrong", "--yes", "--force", "--non-interactive");
  });
});

describe("npm run pulumi -- destroy", () => {
  it("leaves nothing of the architecture", { timeout: 10 * minutes }, async () => {
    const { code, output } = await fivefold("pulumi", "destroy", "-s", "iot", "--yes", "--skip-preview");
    expect(code, output).toBe(0);
    expect(await audit(instance, before.deployment)).toEqual([]);
  });
});

payments({ instance, folder: () => folder, fivefold });

describe("npm stop", () => {
  it("leaves nothing behind", { timeout: 10 * minutes }, async () => {
    const { code, output } = await fivefold("stop");
    expect(code, output).toBe(0);
    expect(await audit(instance, before.start)).toEqual([]);
  });
});
