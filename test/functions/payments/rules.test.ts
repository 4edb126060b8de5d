import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { type Facts, FraudQuestion, type Payment, type Purchase } from "../../../functions/payments/events.ts";
import { scoreOf } from "../../../functions/payments/fraud-rules.ts";
import { ruleSet } from "../../../functions/payments/rule-set.ts";
import { compareRules, decide, type RuleSet, reportDifferences } from "../../../functions/payments/rules.ts";
import { approved, purchase } from "./fakes.ts";

interface Labelled {
  readonly payment: string;
  /** What is not as usual. */
  readonly purchase: Partial<Pick<Purchase, "frontEnd" | "merchant" | "amount" | "currency">> & {
    readonly age?: number | null;
    readonly country?: string;
    readonly expires?: string;
  };
  readonly facts: {
    readonly score?: number | null;
    readonly cardTimes?: number;
    readonly cardAmount?: number;
    readonly merchantTimes?: number;
    readonly merchantAmount?: number;
  };
  readonly outcome: string;
  readonly reasons: readonly string[];
}

const labelled: Labelled[] = JSON.parse(readFileSync(new URL("./labelled.json", import.meta.url), "utf8"));

function whole({ purchase: said, facts }: Labelled): [Purchase, Facts] {
  const { age = 40, country = "DE", expires = "2030-12", ...rest } = said;
  const { score = 5, cardTimes = 0, cardAmount = 0, merchantTimes = 0, merchantAmount = 0 } = facts;
  return [
    {
      ...purchase,
      ...rest,
      card: { ...purchase.card, expires },
      location: { country },
      customer: age === null ? {} : { age },
    },
    {
      ...(score !== null && { score }),
      card: { times: cardTimes, amount: cardAmount },
      merchant: { times: merchantTimes, amount: merchantAmount },
    },
  ];
}

describe("the live rules", () => {
  it.each(labelled)("a payment $payment is $outcome $reasons", (one) => {
    const { outcome, reasons } = one;
    expect(decide(ruleSet, ...whole(one))).toEqual({ outcome, reasons });
  });

  it("are labelled on both sides: each rule hits alone, and each merchant has one that passes", () => {
    expect(labelled.length).toBeGreaterThanOrEqual(60);
    expect(new Set(labelled.map(({ payment }) => payment)).size).toBe(labelled.length);
    const alone = new Set(labelled.filter(({ reasons }) => reasons.length === 1).map(({ reasons }) => reasons[0]));
    expect([...alone].sort()).toEqual([
      "above-limit",
      "above-merchant-limit",
      "card-expired",
      "card-too-much",
      "card-too-often",
      "fraud-api-away",
      "fraud-score",
      "merchant-too-much",
      "merchant-too-often",
      "sanctioned-country",
      "under-age",
      "unknown-merchant",
    ]);
    const passed = labelled.filter(({ outcome, reasons }) => outcome === "approved" && reasons.length === 0);
    const merchants = new Set(passed.map((one) => one.purchase.merchant ?? "M-001"));
    expect([...merchants].sort()).toEqual(["M-001", "M-GOLD", "M-KIOSK", "M-STALL", "M-VOUCHER", "M-WINE"]);
  });

  it("say the same for the same, however often", () => {
    for (const one of labelled) {
      const first = decide(ruleSet, ...whole(one));
      for (let times = 0; times < 3; times++) expect(decide(ruleSet, ...whole(one))).toEqual(first);
    }
  });
});

describe("compareRules", () => {
  const recorded: Payment[] = labelled.map((one) => {
    const [sold, facts] = whole(one);
    return { ...approved, ...sold, key: one.payment, facts, ...decide(ruleSet, sold, facts) } as Payment;
  });
  const payments = (rules: RuleSet) => compareRules(recorded, rules).map(({ payment }) => payment);

  it("finds no difference to the rules that decided", () => expect(compareRules(recorded, ruleSet)).toEqual([]));

  it("finds what a stricter score declines", () => {
    expect(compareRules(recorded, { ...ruleSet, declineFromScore: 79 })).toEqual([
      {
        payment: "with the score 79",
        before: { outcome: "approved", reasons: [] },
        after: { outcome: "declined", reasons: ["fraud-score"] },
      },
    ]);
  });

  it("finds what a laxer rule lets through, and where only the reasons change", () => {
    expect(payments({ ...ruleSet, sanctionedCountries: ["CU", "KP"] })).toEqual([
      "from IR",
      "from SY",
      "of gold from a sanctioned country, without the fraud API",
      "that is wrong in every way at once",
    ]);
  });

  it("finds what a merchant's other wish changes while the fraud API is away", () => {
    const gold = { ...ruleSet.merchants["M-GOLD"]!, whenFraudApiIsAway: "decline" as const };
    expect(compareRules(recorded, { ...ruleSet, merchants: { ...ruleSet.merchants, "M-GOLD": gold } })).toEqual([
      {
        payment: "of gold, without the fraud API",
        before: { outcome: "held", reasons: ["fraud-api-away"] },
        after: { outcome: "declined", reasons: ["fraud-api-away"] },
      },
    ]);
  });
});

describe("reportDifferences", () => {
  it("says how many, and which", () => {
    const recorded: Payment[] = [approved, { ...approved, key: "2", facts: { ...approved.facts, score: 70 } }];
    expect(reportDifferences(recorded, { ...ruleSet, version: "next", declineFromScore: 70 })).toEqual([
      "rule set next: 1 of 2 payments get another outcome, 0 other reasons",
      "2: approved -> declined (fraud-score)",
    ]);
    const expired: Payment[] = [{ ...approved, outcome: "declined", reasons: ["card-expired"] }];
    const strict = { ...ruleSet, version: "next", sanctionedCountries: ["DE"] };
    expect(reportDifferences(expired, strict)).toEqual([
      "rule set next: 0 of 1 payments get another outcome, 1 other reasons",
      "shop:M-001:order-1: declined (card-expired) -> declined (sanctioned-country)",
    ]);
  });
});

describe("the fraud API's rules", () => {
  const question = FraudQuestion.parse(purchase);
  it.each<[string, Partial<FraudQuestion>, number, string[]]>([
    ["an ordinary payment", {}, 5, []],
    ["just below large", { amount: 99_999 }, 5, []],
    ["large", { amount: 100_001 }, 25, ["large"]],
    ["very large", { amount: 300_001 }, 45, ["large", "very-large"]],
    ["full hundreds", { amount: 50_000 }, 15, ["round"]],
    ["fewer full hundreds", { amount: 40_000 }, 5, []],
    ["an unknown country", { location: { country: "ZZ" } }, 35, ["unknown-country"]],
    ["a young wallet", { frontEnd: "wallet", customer: { age: 20 }, amount: 50_001 }, 20, ["young"]],
    ["a wallet at 21", { frontEnd: "wallet", customer: { age: 21 }, amount: 50_001 }, 5, []],
    ["a wallet of an unknown age", { frontEnd: "wallet", customer: {}, amount: 50_001 }, 5, []],
    ["a card seen with stolen ones", { card: { ...purchase.card, lastFour: "0005" } }, 45, ["seen-with-stolen"]],
    ["a stolen card", { card: { ...purchase.card, lastFour: "0002" } }, 100, ["stolen"]],
    [
      "everything at once",
      { card: { ...purchase.card, lastFour: "0002" }, amount: 400_000, location: { country: "ZZ" } },
      100,
      ["large", "very-large", "round", "unknown-country", "stolen"],
    ],
  ])("score %s", (_, changed, score, signs) => {
    expect(scoreOf({ ...question, ...changed })).toEqual({ score, signs });
  });
});
