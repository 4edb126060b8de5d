import type { Facts, Payment, Purchase } from "./events.ts";
import { ruleSet } from "./rule-set.ts";
import { decide } from "./rules.ts";

/** Longer than a decision can take, so that a claim ends by itself only where its owner is gone. */
export const claimMilliseconds = 5_000;

/** The payment as the rules that are live decide it now. */
export function decidedPayment(purchase: Purchase, facts: Facts, received: string): Payment {
  const { outcome, reasons } = decide(ruleSet, purchase, facts);
  const decided = new Date().toISOString();
  return { ...purchase, outcome, reasons: [...reasons], facts, ruleSet: ruleSet.version, received, decided };
}
