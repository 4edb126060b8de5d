/** A point of sale that speaks ISO 8583. */
import type { Currency } from "../events.ts";
import { encodeMessage } from "../iso8583.ts";
import type { Request, Sale } from "./front-end.ts";

const currencies: Readonly<Record<Currency, string>> = { EUR: "978", USD: "840", GBP: "826", CHF: "756" };

/** An authorisation request (0100) in hexadecimal; from the second time on a repeat (0101). */
export function terminalRequest(sale: Sale, attempt: number): Request {
  const { card, location, age } = sale;
  const [terminal = "", reference = ""] = sale.reference.split(".");
  const message = encodeMessage({
    0: attempt === 1 ? "0100" : "0101",
    2: card.number,
    3: "000000",
    4: String(sale.amount).padStart(12, "0"),
    7: sale.at.slice(5, 19).replaceAll(/[-T:]/g, ""),
    11: String(Number.parseInt(reference.slice(-3), 36)).padStart(6, "0"),
    14: card.expires.slice(2).replace("-", ""),
    22: "051",
    25: "00",
    37: reference,
    41: terminal,
    42: sale.merchant.padEnd(15),
    43: `${"".padEnd(23)}${(location.city ?? "").slice(0, 13).padEnd(15)}${location.country}`,
    ...(age !== undefined && { 48: `AGE=${age}` }),
    49: currencies[sale.currency],
  });
  return { headers: { "content-type": "text/plain" }, body: message.toString("hex") };
}
