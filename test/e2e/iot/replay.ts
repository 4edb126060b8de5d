/** Readings that a function cannot take, repaired after the fact: the mart refuses some devices for a while. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { kubectl } from "../cluster.ts";

export interface At {
  readonly instance: string;
  readonly stack: string;
  /** Runs a command of the kit on the instance. */
  readonly fivefold: (...args: string[]) => Promise<{ readonly code: number | null; readonly output: string }>;
}

const minutes = 60_000;
const topic = "readings.dead-letters";
/** 500 readings of 100 devices: five of each. */
const load = ["--rate", "50", "--seconds", "10", "--seed", "5"];
const poisoned = Array.from({ length: 10 }, (_, index) => `'device-${String(index + 1).padStart(3, "0")}'`);

export function replay(at: At): void {
  const replayed = async (...args: string[]) => (await at.fivefold("replay", topic, ...args)).output;

  describe("npm run replay", () => {
    let run = "";
    beforeAll(async () => {
      await inMart(at, `alter table measurements add constraint poison check (device not in (${poisoned})) not valid`);
      const { code, output } = await at.fivefold("verify", at.stack, ...load);
      run = /, run (\d+)/.exec(output)?.[1] ?? output;
      expect(output).toContain("missing in the mart");
      expect(code).toBe(1);
      await inMart(at, "alter table measurements drop constraint poison");
    }, 5 * minutes);
    afterAll(() => inMart(at, "alter table measurements drop constraint if exists poison"));

    it("--list tells how many dead letters there are, and why", { timeout: 2 * minutes }, async () => {
      const { code, output } = await at.fivefold("replay", "--list");
      expect(output).toMatch(/readings\.dead-letters {2}50 dead letters of \S*readings-to-compute\n +50 {2}bad-input/);
      expect(output).toMatch(/raw\.dead-letters {2}\d+ dead letters of \S*raw-to-normalize/);
      expect(code).toBe(0);
    });

    it("--dry-run sends nothing, and knows filters", { timeout: 3 * minutes }, async () => {
      expect(await replayed("--dry-run")).toContain("50 of 50 dead letters would be sent again");
      expect(await replayed("--dry-run", "--key", "device-003")).toContain("5 of 50 dead letters would be sent again");
      expect(await replayed("--dry-run", "--reason", "timeout")).toContain("0 of 50 dead letters would be sent again");
      expect(await replayed("--dry-run", "--until", "2020-01-01")).toContain("0 of 50 dead letters would be");
    });

    it("sends each once, and the ledger is exact", { timeout: 5 * minutes }, async () => {
      expect(await replayed("--key", "device-003")).toContain("5 of 50 dead letters were sent again");
      expect(await replayed()).toMatch(/45 of 45 dead letters were sent again to \S+; 0 became dead letters again/);
      const { code, output } = await at.fivefold("verify", at.stack, ...load, "--run", run);
      expect(output).toContain("Every event is accounted for.");
      expect(code).toBe(0);
    });

    it("sends nothing a second time", { timeout: 2 * minutes }, async () => {
      expect(await replayed()).toContain("0 of 0 dead letters were sent again");
    });

    it("says what there is where it is asked for what there is not", { timeout: minutes }, async () => {
      const { code, output } = await at.fivefold("replay", "raw");
      expect(output).toContain('No dead letters are written to "raw".');
      expect(output).toContain("raw.dead-letters, readings.dead-letters");
      expect(code).toBe(1);
      expect((await at.fivefold("replay")).output).toContain("Which topic?");
    });
  });
}

/** As the administrator, inside the pod. */
async function inMart({ instance, stack }: At, sql: string): Promise<void> {
  const names = await kubectl(instance, ["get", "secrets", "-n", stack, "-o", "name"]);
  const textOf = async (secret: string, key: string) => {
    const name = names.split("\n").find((each) => each.startsWith(`secret/${secret}`)) ?? secret;
    const { data } = JSON.parse(await kubectl(instance, ["get", name, "-n", stack, "-o", "json"]));
    return Buffer.from(data[key], "base64").toString();
  };
  const password = await textOf("mart-server", "password");
  const { database } = JSON.parse(await textOf("verify-ports", "mart"));
  const place = `host=127.0.0.1 sslmode=require dbname=${database} user=fivefold`;
  const psql = ["psql", place, "-v", "ON_ERROR_STOP=1", "-c", sql];
  await kubectl(instance, ["exec", "-n", stack, "mart-0", "--", "env", `PGPASSWORD=${password}`, ...psql]);
}
