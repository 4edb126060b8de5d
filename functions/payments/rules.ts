/** Decides payments. A rule set is a value, and a decision follows from it, the purchase and the facts alone. */
import * as z from "zod";
import { Currency, type Facts, type Outcome, type Payment, type Purchase } from "./events.ts";

const whole = z.int().min(0);
/** Of payments in the time of the risk metrics. */
const Most = z.strictObject({ times: whole, amount: whole });

const Merchant = z.strictObject({
  /** Of one payment. */
  limit: whole,
  /** Of the customer; one whose age is not known counts as too young. */
  minimumAge: whole.exactOptional(),
  /** What it may take in the time of the risk metrics. */
  most: Most,
  /** What becomes of its payments while the fraud API is away. */
  whenFraudApiIsAway: z.union([
    z.enum(["hold", "decline"]),
    z.strictObject({ approveBelow: whole, else: z.enum(["hold", "decline"]) }),
  ]),
});
export type Merchant = Readonly<z.infer<typeof Merchant>>;

export const RuleSet = z.strictObject({
  version: z.string().min(1),
  /** Euros for one of each currency; all amounts in rules are in hundredths of a euro. */
  rates: z.record(Currency, z.number().positive()),
  sanctionedCountries: z.array(z.string()),
  /** Of one payment, whoever the merchant is. */
  limit: whole,
  /** Scores of the fraud API from which a payment is declined. */
  declineFromScore: whole,
  /** How far the risk metrics look back: counts are kept for an hour. */
  minutes: z.int().min(1).max(60),
  /** What a card may have in that time. */
  card: Most,
  merchants: z.record(z.string(), Merchant),
});
export type RuleSet = Readonly<z.infer<typeof RuleSet>>;

export interface Decision {
  readonly outcome: Outcome;
  /** Names of the rules that hit. */
  readonly reasons: readonly string[];
}

interface Case {
  readonly rules: RuleSet;
  readonly merchant: Merchant;
  readonly purchase: Purchase;
  readonly facts: Facts;
  /** Of this payment, in hundredths of a euro. */
  readonly euros: number;
}

/** Each declines a payment alone. */
const declining: readonly (readonly [reason: string, hits: (of: Case) => boolean])[] = [
  ["sanctioned-country", ({ rules, purchase }) => rules.sanctionedCountries.includes(purchase.location.country)],
  ["card-expired", ({ purchase }) => purchase.card.expires < purchase.at.slice(0, 7)],
  ["under-age", ({ merchant, purchase }) => (purchase.customer.age ?? -1) < (merchant.minimumAge ?? -1)],
  ["above-limit", ({ rules, euros }) => euros > rules.limit],
  ["above-merchant-limit", ({ merchant, euros }) => euros > merchant.limit],
  ["card-too-often", ({ rules, facts }) => facts.card.times + 1 > rules.card.times],
  ["card-too-much", ({ rules, facts, euros }) => facts.card.amount + euros > rules.card.amount],
  ["merchant-too-often", ({ merchant, facts }) => facts.merchant.times + 1 > merchant.most.times],
  ["merchant-too-much", ({ merchant, facts, euros }) => facts.merchant.amount + euros > merchant.most.amount],
  ["fraud-score", ({ rules, facts }) => facts.score !== undefined && facts.score >= rules.declineFromScore],
];

/** The reason of what is decided without the fraud API. */
export const fraudApiAway = "fraud-api-away";

export function decide(rules: RuleSet, purchase: Purchase, facts: Facts): Decision {
  const merchant = merchantOf(rules, purchase);
  if (!merchant) return { outcome: "declined", reasons: ["unknown-merchant"] };
  const euros = inEuros(rules, purchase);
  const of: Case = { rules, merchant, purchase, facts, euros };
  const reasons = declining.filter(([, hits]) => hits(of)).map(([reason]) => reason);
  if (reasons.length > 0) return { outcome: "declined", reasons };
  if (facts.score !== undefined) return { outcome: "approved", reasons };
  return { outcome: withoutFraudApi(merchant, euros), reasons: [fraudApiAway] };
}

/** The purchase's amount in hundredths of a euro. */
export function inEuros(rules: RuleSet, { amount, currency }: Pick<Purchase, "amount" | "currency">): number {
  return Math.round(amount * rules.rates[currency]);
}

function merchantOf({ merchants }: RuleSet, { merchant }: Purchase): Merchant | undefined {
  return Object.hasOwn(merchants, merchant) ? merchants[merchant] : undefined;
}

function withoutFraudApi({ whenFraudApiIsAway: what }: Merchant, euros: number): Outcome {
  const does = typeof what === "string" ? what : euros < what.approveBelow ? "approve" : what.else;
  return ({ approve: "approved", hold: "held", decline: "declined" } as const)[does];
}

export interface Difference {
  readonly payment: string;
  readonly before: Decision;
  readonly after: Decision;
}

/** What a new rule set would have decided otherwise, of payments that are recorded with their facts. */
export function compareRules(recorded: readonly Payment[], rules: RuleSet): Difference[] {
  return recorded.flatMap((payment) => {
    const { key, outcome, reasons, facts } = payment;
    const after = decide(rules, payment, facts);
    const same = after.outcome === outcome && after.reasons.join() === reasons.join();
    return same ? [] : [{ payment: key, before: { outcome, reasons }, after }];
  });
}

/** The differences as lines to print: how many of how many, then one for each payment. */
export function reportDifferences(recorded: readonly Payment[], rules: RuleSet): string[] {
  const differences = compareRules(recorded, rules);
  const outcomes = differences.filter(({ before, after }) => before.outcome !== after.outcome).length;
  return [
    `rule set ${rules.version}: ${outcomes} of ${recorded.length} payments get another outcome, ${differences.length - outcomes} other reasons`,
    ...differences.map(
      ({ payment, before, after }) => `${payment}: ${writeDecision(before)} -> ${writeDecision(after)}`,
    ),
  ];
}

/** For example `declined (under-age, fraud-score)`. */
export function writeDecision({ outcome, reasons }: Decision): string {
  return reasons.length > 0 ? `${outcome} (${reasons.join(", ")})` : outcome;
}
