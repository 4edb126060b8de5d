/** Card numbers: checked, and replaced by tokens. They go no further than `parse`, and into no message. */
import { createHmac } from "node:crypto";
import valid from "card-validator";
import { BadInput } from "../kit/errors.ts";
import type { Purchase } from "./events.ts";

/** A token as long as this is of one card alone. */
const tokenBytes = 24;

/**
 * What may be known of a card instead of its number.
 *
 * @throws BadInput where the number has no known network, a wrong length or a wrong check digit
 */
export function tokenise(number: string, key: string): Omit<Purchase["card"], "expires"> {
  // Without the option, cards of UnionPay may have any check digit.
  const { isValid, card } = valid.number(number, { luhnValidateUnionPay: true });
  if (!isValid || !card || !/^\d{12,19}$/.test(number)) throw new BadInput("The card number is wrong");
  const digest = createHmac("sha256", key).update(number).digest().subarray(0, tokenBytes);
  // Base 64: long runs of digits, which look like card numbers, are as good as impossible.
  return { token: digest.toString("base64url"), lastFour: number.slice(-4), network: card.type };
}
