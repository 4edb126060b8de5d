/** The rules that are live. A change here is a new version: compare it with recorded payments before it goes out. */
import type { Merchant, RuleSet } from "./rules.ts";

const usual: Merchant = {
  limit: 200_000,
  most: { times: 1_000_000, amount: 1_000_000_000_00 },
  whenFraudApiIsAway: { approveBelow: 50_00, else: "hold" },
};

const usualMerchants = Array.from({ length: 12 }, (_, index) => `M-${String(index + 1).padStart(3, "0")}`);

export const ruleSet: RuleSet = {
  version: "2026-11",
  rates: { EUR: 1, USD: 0.92, GBP: 1.17, CHF: 1.05 },
  sanctionedCountries: ["CU", "IR", "KP", "SY"],
  limit: 500_000,
  declineFromScore: 80,
  minutes: 10,
  card: { times: 5, amount: 600_000 },
  merchants: {
    ...Object.fromEntries(usualMerchants.map((merchant) => [merchant, usual])),
    // A jeweller: dear, and in no hurry.
    "M-GOLD": { ...usual, limit: 1_000_000, whenFraudApiIsAway: "hold" },
    // A wine shop.
    "M-WINE": { ...usual, minimumAge: 18 },
    // A kiosk.
    "M-KIOSK": { ...usual, limit: 100_00, whenFraudApiIsAway: { approveBelow: 25_00, else: "decline" } },
    // Prepaid cards and vouchers, which cannot be taken back.
    "M-VOUCHER": { ...usual, limit: 500_00, whenFraudApiIsAway: "decline" },
    // A market stall: more than this is not its trade.
    "M-STALL": { ...usual, limit: 500_00, most: { times: 20, amount: 2_000_00 } },
  },
};
