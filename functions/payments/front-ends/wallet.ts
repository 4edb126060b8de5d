/** A wallet that sends JSON and signs what it sends. */
import { sign, signatureHeader, timeHeader } from "../signature.ts";
import type { Request, Sale } from "./front-end.ts";

/** @param now milliseconds since 1970; a request that is sent again is signed anew */
export function walletRequest(sale: Sale, key: string, now: number): Request {
  const { reference, merchant, amount, currency, card, location, age, at } = sale;
  const body = JSON.stringify({
    id: reference,
    merchant,
    cents: amount,
    currency,
    at,
    card: { pan: card.number, validUntil: card.expires },
    place: location,
    holder: age === undefined ? {} : { age },
  });
  return signed(body, key, Math.floor(now / 1000));
}

/** As bytes: hosts of functions parse what is called JSON, and keep nothing of what was signed. */
export function signed(body: string, key: string, seconds: number): Request {
  const headers = {
    "content-type": "application/octet-stream",
    [timeHeader]: String(seconds),
    [signatureHeader]: sign(key, seconds, body),
  };
  return { headers, body };
}
