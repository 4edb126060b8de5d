import { describe, expect, it } from "vitest";
import { BadInput } from "../../../functions/kit/errors.ts";
import { readPurchase } from "../../../functions/payments/formats.ts";
import { scoreOf } from "../../../functions/payments/fraud-rules.ts";
import { requestOf } from "../../../functions/payments/front-ends/front-end.ts";
import { leaks } from "../../../functions/payments/ledger.ts";
import { ruleSet } from "../../../functions/payments/rule-set.ts";
import { decide } from "../../../functions/payments/rules.ts";
import { isSigned } from "../../../functions/payments/signature.ts";
import { badRequest, isOfRun, luhn, type Send, simulate } from "../../../functions/payments/simulation.ts";
import { quiet } from "./fakes.ts";

const run = Date.now();
const args = { rate: 100, seconds: 30, seed: 7, run };
const sends = simulate(args);
const payments = [...new Map(sends.filter((send) => "kind" in send.must).map((send) => [send.id, send])).values()];
const bad = sends.filter((send) => "fault" in send.must);
const signingKey = "w".repeat(32);
const settings = { url: "http://gateway", credentials: {}, signingKey };
const key = "t".repeat(32);

describe("simulate", () => {
  it("is the same for the same seed and run, and another for another", () => {
    expect(simulate(args)).toEqual(sends);
    expect(simulate({ ...args, seed: 8 })).not.toEqual(sends);
  });

  it("shares no card and no reference with another run", () => {
    const numbers = (list: readonly Send[]) => new Set(list.map(({ sale }) => sale.card.number));
    const other = simulate({ ...args, run: run + 60_000 });
    const [here, there] = [numbers(sends), numbers(other)];
    expect([...here].filter((number) => there.has(number)).length).toBeLessThan(3);
    expect(other.filter(({ id }) => sends.some((send) => send.id === id))).toEqual([]);
    expect(payments.every(({ id }) => isOfRun(id, run) && !isOfRun(id, run + 60_000))).toBe(true);
  });

  it("sends payments once to three times, some of them at once", () => {
    const times = [
      ...Map.groupBy(
        sends.filter((send) => "kind" in send.must),
        ({ id }) => id,
      ).values(),
    ];
    expect(new Set(times.map(({ length }) => length))).toEqual(new Set([1, 2, 3]));
    expect(times.some(([one, other]) => other && one?.time === other.time)).toBe(true);
    expect(times).toHaveLength(3000);
  });

  it("mixes in every kind and every fault, at every front end", () => {
    const kinds = new Set(payments.map(({ must }) => "kind" in must && must.kind));
    expect(kinds.size).toBe(9);
    const faults = new Set(bad.map(({ must }) => "fault" in must && must.fault));
    expect(faults.size).toBe(7);
    expect(new Set(bad.map(({ sale }) => sale.frontEnd)).size).toBe(3);
  });

  it("has cards that are emptied, and uses every other once", () => {
    const times = [...Map.groupBy(payments, ({ sale }) => sale.card.number).values()].map(({ length }) => length);
    expect(Math.max(...times)).toBe(8);
    expect(times.filter((count) => count === 8).length).toBeGreaterThan(3);
    expect(times.filter((count) => count > 1 && count !== 8).length).toBeLessThan(3);
  });

  it("uses cards whose check digit is right, except where it says so", () => {
    for (const { sale, must } of sends) {
      expect(luhn(sale.card.number)).toBe(!("fault" in must && must.fault === "wrong-check-digit"));
    }
  });

  it("expects what formats and rules say, with the fraud API and without", () => {
    for (const { id, sale, must } of payments) {
      const purchase = readPurchase(sale.frontEnd, requestOf(sale, settings).body, { key, now: run });
      expect(purchase.key).toBe(id);
      if (!("kind" in must)) continue;
      const facts = { score: scoreOf(purchase).score, card: quiet, merchant: quiet };
      expect(must.be, must.kind).toContainEqual(decide(ruleSet, purchase, facts));
      const alone = decide(ruleSet, purchase, { card: quiet, merchant: quiet });
      if (alone.outcome !== "held") expect(must.be, must.kind).toContainEqual(alone);
    }
  });

  it("is known again in any text, in every format", () => {
    for (const { id, sale } of payments.slice(0, 60)) {
      const { body } = requestOf(sale, settings);
      const same = payments.filter((payment) => payment.sale.card.number === sale.card.number).at(-1);
      expect(leaks(`{"message":"could not read ${body}"}`, payments)).toEqual([same?.id ?? id]);
    }
    expect(leaks(JSON.stringify(payments.map(({ id }) => id)), payments)).toEqual([]);
  });

  it("makes bad requests that are refused", () => {
    for (const send of bad) {
      const { sale, must } = send;
      if (!("fault" in must) || must.fault === "wrong-key" || must.fault === "other-amount") continue;
      const { headers, body } = badRequest(send, must.fault, settings);
      const read = () => readPurchase(sale.frontEnd, body, { key, now: run });
      const signature = isSigned([signingKey], headers, body, Date.now());
      if (must.status === 401) expect(signature, must.fault).toBe(false);
      else expect(read, must.fault).toThrow(BadInput);
      if (must.status === 422 && sale.frontEnd === "wallet") expect(signature).toBe(true);
    }
  });

  it("asks again for another amount only after the first was asked", () => {
    const firsts = new Map(payments.map(({ id, sale }) => [id, sale]));
    const others = bad.filter(({ must }) => "fault" in must && must.fault === "other-amount");
    expect(others.length).toBeGreaterThan(0);
    for (const { sale, must } of others) {
      const before = firsts.get(("fault" in must && must.after) || "");
      expect(sale).toEqual({ ...before, amount: (before?.amount ?? 0) + 1 });
    }
  });
});
