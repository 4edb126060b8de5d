/**
 * The rules of the kit's own fraud API. The score of a question follows from the question alone:
 *
 *   5   always
 *  20   1,000 or more, in any currency
 *  20   3,000 or more, on top
 *  10   500 or more in full hundreds
 *  30   the country is not known (ZZ)
 *  15   a wallet of somebody younger than 21, 500 or more
 *  40   last four digits 0005: the card was used where others were stolen
 *  95   last four digits 0002: the card is reported stolen
 *
 * Together at most 100.
 */
import type { FraudQuestion, FraudScore } from "./events.ts";

const signs: readonly (readonly [sign: string, points: number, shows: (of: FraudQuestion) => boolean])[] = [
  ["large", 20, ({ amount }) => amount >= 1_000_00],
  ["very-large", 20, ({ amount }) => amount >= 3_000_00],
  ["round", 10, ({ amount }) => amount >= 500_00 && amount % 100_00 === 0],
  ["unknown-country", 30, ({ location }) => location.country === "ZZ"],
  [
    "young",
    15,
    ({ frontEnd, customer, amount }) => frontEnd === "wallet" && (customer.age ?? 130) < 21 && amount >= 500_00,
  ],
  ["seen-with-stolen", 40, ({ card }) => card.lastFour === "0005"],
  ["stolen", 95, ({ card }) => card.lastFour === "0002"],
];

const base = 5;

export function scoreOf(question: FraudQuestion): FraudScore {
  const shown = signs.filter(([, , shows]) => shows(question));
  const points = shown.reduce((sum, [, points]) => sum + points, base);
  return { score: Math.min(100, points), signs: shown.map(([sign]) => sign) };
}
