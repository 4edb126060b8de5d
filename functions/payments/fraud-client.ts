import { Unavailable } from "../kit/errors.ts";
import { httpClient } from "../kit/http.ts";
import type { FraudApi } from "./contracts.ts";
import { FraudQuestion, FraudScore, type Purchase } from "./events.ts";

const { exchange } = httpClient();

/**
 * Asks the fraud API for a payment's score.
 *
 * @throws Unavailable where there is no score in time
 */
export async function askFraudApi({ url, timeoutMilliseconds }: FraudApi, purchase: Purchase): Promise<number> {
  const answer = await exchange({
    method: "POST",
    url: new URL(url),
    headers: { "content-type": "application/json" },
    body: JSON.stringify(FraudQuestion.parse(purchase)),
    timeoutMilliseconds,
  }).catch((cause: unknown) => {
    throw new Unavailable("The fraud API", { cause });
  });
  if (answer.status !== 200) throw new Unavailable(`The fraud API answers with status ${answer.status}`);
  const score = FraudScore.pick({ score: true }).safeParse(parse(answer.body));
  if (!score.success) throw new Unavailable("The fraud API answers with something else than a score");
  return score.data.score;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
