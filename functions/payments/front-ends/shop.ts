/** A web shop that sends its order as JSON, called bytes: a host of functions may log JSON that it cannot parse. */
import type { Request, Sale } from "./front-end.ts";

export function shopRequest({ reference, merchant, amount, currency, card, location, age, at }: Sale): Request {
  const [year = "", month = ""] = card.expires.split("-");
  const order = {
    merchant,
    order: reference,
    total: { value: (amount / 100).toFixed(2), currency },
    at,
    card: { number: card.number.replaceAll(/(\d{4})(?=\d)/g, "$1 "), expiry: `${month}/${year.slice(2)}` },
    customer: { ...location, ...(age !== undefined && { born: `${Number(at.slice(0, 4)) - age}-01-01` }) },
  };
  return { headers: { "content-type": "application/octet-stream" }, body: JSON.stringify(order) };
}
