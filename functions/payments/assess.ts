import { setTimeout as sleep } from "node:timers/promises";
import type { In, Needs } from "../kit/contract.ts";
import { BadInput, Unavailable } from "../kit/errors.ts";
import { type EventContext, handle } from "../kit/handle.ts";
import { assess } from "./contracts.ts";
import { claimMilliseconds, decidedPayment } from "./decision.ts";
import type { Assessment, Payment, Purchase } from "./events.ts";
import { askFraudApi } from "./fraud-client.ts";
import { ruleSet } from "./rule-set.ts";
import { inEuros } from "./rules.ts";

/** How long one request waits for another that decides the same payment. */
const waitMilliseconds = 2_000;
/** Ever longer: what is usually decided in a moment may also wait for a claim of which nobody knows any more. */
const polls = { firstMilliseconds: 20, longestMilliseconds: 320 };

/** Decides a payment, or tells what was decided. One that another request is deciding is waited for. */
export async function assessPayment(
  purchase: In<typeof assess>,
  ports: Needs<typeof assess>,
  { signal }: Pick<EventContext, "signal">,
): Promise<Assessment> {
  const { payments } = ports;
  const { key } = purchase;
  const until = Date.now() + waitMilliseconds;
  for (let pause = polls.firstMilliseconds; ; pause = Math.min(2 * pause, polls.longestMilliseconds)) {
    const known = await payments.get(key);
    if (known) return assessment(known, purchase);
    const taken = await payments.claim(key, claimMilliseconds);
    if (taken.status === "claimed") {
      const decided = await decideOnce(purchase, ports, taken.claim, taken.value);
      if (decided) return assessment(decided, purchase);
    } else {
      if (Date.now() >= until) return { status: "busy" };
      await sleep(pause, undefined, { signal });
    }
  }
}

/** Decides under a claim; undefined where the claim ended before the decision was written. */
async function decideOnce(
  purchase: Purchase,
  ports: Needs<typeof assess>,
  claim: string,
  known: Payment | undefined,
): Promise<Payment | undefined> {
  const { payments } = ports;
  const { key } = purchase;
  try {
    if (!known) {
      const payment = await decidePayment(purchase, ports);
      const amount = inEuros(ruleSet, purchase);
      const count = countedUnder(purchase).map((name) => ({ name, amount }));
      return (await payments.write(key, payment, claim, count)) === "written" ? payment : undefined;
    }
  } catch (error) {
    await payments.release(key, claim).catch(() => undefined);
    throw error;
  }
  await payments.release(key, claim);
  return known;
}

async function decidePayment(purchase: Purchase, { payments, fraudApi }: Needs<typeof assess>): Promise<Payment> {
  const received = new Date().toISOString();
  const [score, [card = none, merchant = none]] = await Promise.all([
    askFraudApi(fraudApi, purchase).catch((error: unknown) => {
      if (error instanceof Unavailable) return undefined;
      throw error;
    }),
    payments.counts(countedUnder(purchase), ruleSet.minutes),
  ]);
  return decidedPayment(purchase, { ...(score !== undefined && { score }), card, merchant }, received);
}

const none = { times: 0, amount: 0 };

/** The names of the risk metrics: of the card, then of the merchant. */
const countedUnder = ({ card, merchant }: Purchase) => [`card:${card.token}`, `merchant:${merchant}`];

/** @throws BadInput where the reference stands for another purchase */
function assessment({ outcome, reasons, ...payment }: Payment, { card, amount, currency }: Purchase): Assessment {
  const same = payment.card.token === card.token && payment.amount === amount && payment.currency === currency;
  if (!same) throw new BadInput("The reference belongs to a payment of another card or amount");
  return { status: "decided", outcome, reasons };
}

export default handle(assess, assessPayment);
