import { setTimeout as sleep } from "node:timers/promises";
import type { In, Needs, Out } from "../kit/contract.ts";
import { handle, type Reply, type RequestContext, reply } from "../kit/handle.ts";
import { fraud } from "./contracts.ts";
import { scoreOf } from "./fraud-rules.ts";

/** Scores a payment as slowly, and fails as often, as its settings say. */
export async function scorePayment(
  question: In<typeof fraud>,
  { behaviour: { latencyMilliseconds, errors, silences } }: Needs<typeof fraud>,
  { signal }: Pick<RequestContext, "signal">,
): Promise<Out<typeof fraud> | Reply> {
  const chance = Math.random();
  if (chance < silences) await sleep(60_000, undefined, { signal });
  await sleep(latencyMilliseconds, undefined, { signal });
  return chance < silences + errors ? reply(500, { error: "A fault, as set" }) : scoreOf(question);
}

export default handle(fraud, scorePayment);
