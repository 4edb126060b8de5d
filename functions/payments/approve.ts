import type { In, Needs } from "../kit/contract.ts";
import { BadInput } from "../kit/errors.ts";
import { handle } from "../kit/handle.ts";
import { approve } from "./contracts.ts";

/** Records an approved payment, then confirms it: what is confirmed is recorded. Both once, however often it is told. */
export async function approvePayment(
  payment: In<typeof approve>,
  { transactions, confirmations }: Needs<typeof approve>,
): Promise<void> {
  const { key, outcome, frontEnd, merchant, amount, currency, card, at, decided } = payment;
  if (outcome !== "approved") throw new BadInput("The payment is not approved");
  const recorded = new Date().toISOString();
  const transaction = { payment: key, frontEnd, merchant, amount, currency, card, at, decided, recorded };
  await transactions.insertOnce(key, transaction);
  const message = `You paid ${(amount / 100).toFixed(2)} ${currency} to ${merchant} with your card ending in ${card.lastFour}.`;
  await confirmations.insertOnce(key, { payment: key, frontEnd, message, recorded });
}

export default handle(approve, approvePayment);
