/** The payments architecture on the node of the tests: started, verified, struck, searched for card numbers, destroyed. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { leaks } from "../../functions/payments/ledger.ts";
import { ruleSet } from "../../functions/payments/rule-set.ts";
import { simulate } from "../../functions/payments/simulation.ts";
import { audit, inventory } from "./audit.ts";
import { kubectl } from "./cluster.ts";

export interface At {
  readonly instance: string;
  /** Where files may be put. */
  readonly folder: () => string;
  /** Runs a command of the kit on the instance. */
  readonly fivefold: (...args: string[]) => Promise<{ readonly code: number | null; readonly output: string }>;
}

interface Figures {
  readonly rate: number;
  readonly seconds: number;
  readonly seed: number;
  readonly run: number;
  readonly stored: number;
  readonly refused: number;
  readonly problems: readonly string[];
}

const minutes = 60_000;
const stack = "payments";

/** Valkey's own client, as the administrator. */
const client = (password: string, args: readonly string[]) => [
  ...["exec", "grid-0", "-n", stack, "--", "env", `REDISCLI_AUTH=${password}`],
  ...["valkey-cli", "--user", "fivefold", "--tls", "--cacert", "/server/ca.crt", "--sni", "grid-0.grid.payments.svc"],
  ...["-h", "grid-0.grid.payments.svc", ...args],
];

export function payments({ instance, folder, fivefold }: At): void {
  const runs: Figures[] = [];
  const verify = async (...args: string[]) => {
    const file = join(folder(), "payments.json");
    const { code, output } = await fivefold("verify", stack, ...args, "--json", file);
    const figures = JSON.parse(readFileSync(file, "utf8")) as Figures;
    runs.push(figures);
    return { code, output, figures };
  };

  const inGrid = async (...args: string[]) => {
    const configuration = await kubectl(instance, ["exec", "grid-0", "-n", stack, "--", "cat", "/server/valkey.conf"]);
    const [, password = ""] = /^primaryauth (.*)$/m.exec(configuration) ?? [];
    return (await kubectl(instance, client(password, args))).trim();
  };

  describe("npm start -- payments", () => {
    let before: ReadonlySet<string>;
    beforeAll(async () => {
      before = await inventory(instance);
    });

    it("ends with an exact ledger of payments", { timeout: 10 * minutes }, async () => {
      const { code, output } = await fivefold("start", stack);
      expect(output).toContain("Every event is accounted for.");
      expect(code, output).toBe(0);
    });

    it("decides each payment once, and refuses what is bad", { timeout: 5 * minutes }, async () => {
      const { code, output, figures } = await verify("--rate", "20", "--seconds", "20", "--seed", "2");
      expect(figures.problems, output).toEqual([]);
      expect(figures.stored).toBeGreaterThanOrEqual(400);
      expect(figures.refused).toBeGreaterThan(0);
      expect(code).toBe(0);
    });

    it("decides each payment once while pods are killed", { timeout: 8 * minutes }, async () => {
      const { code, output, figures } = await verify("--rate", "20", "--seconds", "30", "--seed", "3", "--chaos");
      for (const kind of ["relay", "function", "redis", "mongo", "fraud API"]) expect(output).toContain(`(${kind})`);
      expect(figures.problems, output).toEqual([]);
      expect(code).toBe(0);
    });

    it("accounts for an earlier run of payments again", { timeout: 3 * minutes }, async () => {
      const { run } = runs[0] as Figures;
      const args = ["--rate", "20", "--seconds", "20", "--seed", "2", "--run", String(run)];
      const { code, output, figures } = await verify(...args);
      expect(figures.problems, output).toEqual([]);
      expect(code).toBe(0);
    });

    it("holds payments while the fraud API is down, and decides them when it is back", {
      timeout: 5 * minutes,
    }, async () => {
      const scale = (replicas: number) =>
        kubectl(instance, ["scale", "deployment/fraud", `--replicas=${replicas}`, "-n", stack]);
      await scale(0);
      await kubectl(instance, ["wait", "pod", "-l", "app.kubernetes.io/instance=fraud", "-n", stack, "--for=delete"]);
      const verified = verify("--rate", "10", "--seconds", "20", "--seed", "4");
      await new Promise((resolve) => setTimeout(resolve, 30_000));
      await scale(1);
      const { code, output, figures } = await verified;
      expect(figures.problems, output).toEqual([]);
      expect(code).toBe(0);
      const log = await kubectl(instance, ["logs", "deployment/payments-to-resume", "-n", stack]);
      expect(log).toContain("the target answers again");
    });

    it("reconciles all payments", { timeout: 2 * minutes }, async () => {
      const { code, output } = await fivefold("reconcile", stack);
      expect(output).toMatch(/^[1-9]\d* payments approved, [1-9]\d* declined, 0 held\.$/m);
      expect(output).toContain("Data grid, stream, database, confirmations and alerts agree.");
      expect(code, output).toBe(0);
    });

    it("finds what does not add up", { timeout: 2 * minutes }, async () => {
      const [key] = (await inGrid("--scan", "--pattern", "payments:value:shop:*")).split("\n");
      const value = await inGrid("get", key ?? "");
      await inGrid("del", key ?? "");
      const { code, output } = await fivefold("reconcile", stack);
      expect(output).toContain(`! ${key?.replace("payments:value:", "")}: not in the grid, but in: stream`);
      expect(output).toContain("1 payments do NOT add up.");
      expect(code, output).toBe(1);
      await inGrid("set", key ?? "", value);
      expect((await fivefold("reconcile", stack)).code).toBe(0);
    });

    it("tells what another rule set would decide otherwise", { timeout: 2 * minutes }, async () => {
      const live = await fivefold("rules", "functions/payments/rule-set.ts");
      expect(live.output).toMatch(/^rule set \S+: 0 of [1-9]\d* payments get another outcome, 0 other reasons$/m);
      expect(live.code).toBe(0);
      const file = join(folder(), "rules.json");
      writeFileSync(file, JSON.stringify({ ...ruleSet, version: "stricter", limit: 30_000 }));
      const { code, output } = await fivefold("rules", file);
      expect(output).toMatch(/: approved -> declined \(above-limit\)\n/);
      expect(output).toMatch(/^rule set stricter: [1-9]\d* of [1-9]\d* payments get another outcome/m);
      expect(code).toBe(0);
      writeFileSync(file, JSON.stringify({ ...ruleSet, limit: "much" }));
      const wrong = await fivefold("rules", file);
      expect(wrong.output).toContain("That is no rule set");
      expect(wrong.code).toBe(1);
    });

    it("has no card number in any log, store or dead letter", { timeout: 3 * minutes }, async () => {
      const sends = runs.flatMap((args) => simulate(args));
      expect(sends.length).toBeGreaterThan(1_000);
      const pods = (await kubectl(instance, ["get", "pods", "-o", "name", "-n", stack])).trim().split("\n");
      const logs = pods.map((pod) => kubectl(instance, ["logs", pod, "--all-containers", "--tail=-1", "-n", stack]));
      const fission = (await kubectl(instance, ["get", "pods", "-o", "name", "-n", "fission"])).trim().split("\n");
      const platform = fission.map((pod) => kubectl(instance, ["logs", pod, "--all-containers", "-n", "fission"]));
      const files = ["grid-0", "store-0"].map((pod) =>
        kubectl(instance, ["exec", pod, "-n", stack, "--", "sh", "-c", "find /data -type f | xargs cat"]),
      );
      const stores = await Promise.all(files);
      // What is searched holds the payments themselves: their tokens stand where the numbers would.
      for (const store of stores) expect(store).toMatch(/"?lastFour/);
      const texts = [...stores, ...(await Promise.all([...logs, ...platform]))];
      expect(texts.flatMap((text) => leaks(text, sends))).toEqual([]);
    });

    it("leaves nothing of the payments when it is destroyed", { timeout: 10 * minutes }, async () => {
      const { code, output } = await fivefold("pulumi", "destroy", "-s", stack, "--yes", "--skip-preview");
      expect(code, output).toBe(0);
      expect(await audit(instance, before)).toEqual([]);
    });
  });
}
