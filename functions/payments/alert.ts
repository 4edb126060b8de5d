import type { In, Needs } from "../kit/contract.ts";
import { BadInput } from "../kit/errors.ts";
import { handle } from "../kit/handle.ts";
import { alert } from "./contracts.ts";

/** Tells the fraud system of a declined payment and why it was declined, once, however often it is told. */
export async function alertOfPayment(payment: In<typeof alert>, { alerts }: Needs<typeof alert>): Promise<void> {
  const { key, outcome, frontEnd, merchant, amount, currency, card, reasons, facts, decided } = payment;
  if (outcome !== "declined") throw new BadInput("The payment is not declined");
  const recorded = new Date().toISOString();
  const { score } = facts;
  const about = { payment: key, frontEnd, merchant, amount, currency, card, reasons, decided, recorded };
  await alerts.insertOnce(key, { ...about, ...(score !== undefined && { score }) });
}

export default handle(alert, alertOfPayment);
