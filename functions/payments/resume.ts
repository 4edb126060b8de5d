import type { In, Needs } from "../kit/contract.ts";
import { Unavailable } from "../kit/errors.ts";
import { handle } from "../kit/handle.ts";
import { resume } from "./contracts.ts";
import { claimMilliseconds, decidedPayment } from "./decision.ts";
import { askFraudApi } from "./fraud-client.ts";

/**
 * Decides a held payment now that the fraud API can be asked. Its risk metrics stay those of the time when it came.
 *
 * While the fraud API is away it throws `Unavailable`: the event waits, at no cost to it.
 */
export async function resumePayment(
  { key }: In<typeof resume>,
  { payments, fraudApi }: Needs<typeof resume>,
): Promise<void> {
  const held = await payments.get(key);
  if (held?.outcome !== "held") return;
  const score = await askFraudApi(fraudApi, held);
  const taken = await payments.claim(key, claimMilliseconds);
  if (taken.status === "taken") throw new Unavailable("Somebody else works on the payment");
  const { claim, value } = taken;
  try {
    if (value?.outcome === "held") {
      const payment = decidedPayment(value, { ...value.facts, score }, value.received);
      if ((await payments.write(key, payment, claim)) === "written") return;
      throw new Unavailable("Somebody else works on the payment");
    }
  } catch (error) {
    await payments.release(key, claim).catch(() => undefined);
    throw error;
  }
  await payments.release(key, claim);
}

export default handle(resume, resumePayment);
