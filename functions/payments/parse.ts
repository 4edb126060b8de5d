import type { In, Needs } from "../kit/contract.ts";
import { handle, type Reply, type RequestContext, reply } from "../kit/handle.ts";
import { frontEndHeader, parse } from "./contracts.ts";
import { FrontEnd } from "./events.ts";
import { readPurchase } from "./formats.ts";
import { isSigned } from "./signature.ts";

/**
 * Takes a payment from a front end, in that front end's own format, and answers with the decision.
 *
 * 200: approved or declined. 202: held; the same request later tells the decision. 401: not one of the front ends, or a
 * wallet's signature that is wrong or too old. 409: the same payment is being decided for too long; ask again. 422: not
 * a payment, or a reference of another one.
 */
export async function takePayment(
  body: In<typeof parse>,
  { keys, assess }: Needs<typeof parse>,
  { headers }: Pick<RequestContext, "headers">,
): Promise<Reply> {
  const { data: frontEnd } = FrontEnd.safeParse(headers[frontEndHeader]);
  if (!frontEnd) return reply(401, { error: "Come through the gateway, as one of the front ends" });
  if (frontEnd === "wallet" && !isSigned(keys.wallets, headers, body, Date.now())) {
    return reply(401, { error: "The signature is wrong or too old" });
  }
  const purchase = readPurchase(frontEnd, body, { key: keys.tokens, now: Date.now() });
  const answer = await assess.call(purchase, { key: purchase.key });
  if (answer.status === "busy") {
    return reply(409, { error: "The payment is being decided; ask again" }, { "retry-after": "1" });
  }
  const { outcome, reasons } = answer;
  return reply(outcome === "held" ? 202 : 200, { payment: purchase.key, outcome, reasons });
}

export default handle(parse, takePayment);
