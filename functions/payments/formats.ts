/** The formats of the front ends, each read into the one form that all payments have. */
import * as z from "zod";
import { BadInput } from "../kit/errors.ts";
import { tokenise } from "./card.ts";
import { type Currency, type FrontEnd, Purchase } from "./events.ts";
import { decodeMessage, type Fields } from "./iso8583.ts";

/** What a front end says, with the card number. */
interface Said {
  readonly reference: unknown;
  readonly merchant: unknown;
  readonly amount: unknown;
  readonly currency: unknown;
  readonly number: string;
  readonly expires: unknown;
  readonly location: { readonly country: unknown; readonly city?: unknown };
  readonly customer: { readonly age?: unknown };
  readonly at: unknown;
}

export interface Reading {
  /** Of the card tokens. */
  readonly key: string;
  /** Milliseconds since 1970: terminals leave out the year. */
  readonly now: number;
}

/**
 * Reads what a front end sent.
 *
 * @throws BadInput saying what is wrong, without quoting it
 */
export function readPurchase(frontEnd: FrontEnd, payload: string, { key, now }: Reading): Purchase {
  const { number, expires, ...said } = readers[frontEnd](payload, now);
  const card = { ...tokenise(number, key), expires };
  const purchase = checked(Purchase, names[frontEnd], {
    ...said,
    key: `${frontEnd}:${said.merchant}:${said.reference}`,
    frontEnd,
    card,
  });
  // A careless front end may put it into a field that is kept.
  if (JSON.stringify(purchase).includes(number)) {
    throw new BadInput(`${names[frontEnd]}: the card number is in a field that must not hold it`);
  }
  return purchase;
}

const names: Readonly<Record<FrontEnd, string>> = { terminal: "ISO 8583", shop: "Shop", wallet: "Wallet" };

const readers: Readonly<Record<FrontEnd, (payload: string, now: number) => Said>> = {
  terminal: readTerminal,
  shop: readShop,
  wallet: readWallet,
};

/** A request for a payment, or the same once more. */
const requests: readonly (string | undefined)[] = ["0100", "0101", "0200", "0201"];
const purchaseCode = /^00/;
const currencies: Readonly<Record<string, Currency>> = { 978: "EUR", 840: "USD", 826: "GBP", 756: "CHF" };

/** ISO 8583 in hexadecimal, since hosts of functions hand on text alone. Field 48 may tell the customer's age: `AGE=34`. */
function readTerminal(payload: string, now: number): Said {
  const text = payload.trim();
  if (!/^([\da-f]{2})+$/i.test(text)) throw new BadInput("ISO 8583: the message must be in hexadecimal");
  const fields = decodeMessage(Buffer.from(text, "hex"));
  if (!requests.includes(fields[0])) throw new BadInput("ISO 8583: the message is no request for a payment");
  if (!purchaseCode.test(field(fields, 3))) throw new BadInput("ISO 8583: field 3 is not that of a purchase");
  const [, age] = /^AGE=(\d{1,3})$/.exec(fields[48] ?? "") ?? [];
  const place = field(fields, 43);
  const city = place.slice(23, 36).trim();
  return {
    reference: `${field(fields, 41).trim()}.${field(fields, 37).trim()}`,
    merchant: field(fields, 42).trim(),
    amount: Number(field(fields, 4)),
    currency: currencies[field(fields, 49)],
    ...cardOf(fields),
    location: { country: place.slice(38), ...(city && { city }) },
    customer: age === undefined ? {} : { age: Number(age) },
    at: nearest(field(fields, 7), now),
  };
}

function field(fields: Fields, number: number): string {
  const value = fields[number];
  if (value === undefined) throw new BadInput(`ISO 8583: field ${number} is missing`);
  return value;
}

/** From its own fields, or from the magnetic stripe: `<number>=<YYMM>…`. */
function cardOf(fields: Fields): Pick<Said, "number" | "expires"> {
  const [, striped, stripedExpiry] = /^(\d{12,19})[=D](\d{4})/.exec(fields[35] ?? "") ?? [];
  if (fields[35] !== undefined && striped === undefined) throw new BadInput("ISO 8583: field 35 is no track 2");
  const number = fields[2] ?? striped;
  const expiry = fields[14] ?? stripedExpiry;
  if (number === undefined || expiry === undefined) throw new BadInput("ISO 8583: fields 2 and 14, or 35, are missing");
  if ((striped ?? number) !== number) throw new BadInput("ISO 8583: fields 2 and 35 are of different cards");
  return { number, expires: `20${expiry.slice(0, 2)}-${expiry.slice(2)}` };
}

/** The moment nearest to now with this month, day and time; undefined if there is none. */
function nearest(monthToSecond: string, now: number): string | undefined {
  const [month, day, hour, minute, second] = monthToSecond.match(/../g) ?? [];
  const year = new Date(now).getUTCFullYear();
  const moments = [year - 1, year, year + 1]
    .map((it) => `${it}-${month}-${day}T${hour}:${minute}:${second}.000Z`)
    .filter((it) => z.iso.datetime().safeParse(it).success);
  const distance = (moment: string) => Math.abs(Date.parse(moment) - now);
  return moments.sort((one, other) => distance(one) - distance(other))[0];
}

const moment = z.iso.datetime({ offset: true }).transform((at) => new Date(at).toISOString());
const cardNumber = z
  .string()
  .max(40)
  .transform((number) => number.replaceAll(/[ -]/g, ""));

const ShopOrder = z.object({
  merchant: z.string(),
  order: z.string(),
  total: z.object({
    value: z.string().regex(/^\d{1,10}\.\d\d$/, "must be an amount such as 12.50"),
    currency: z.string(),
  }),
  at: moment,
  card: z.object({
    number: cardNumber,
    /** Month and year: `09/28`. */
    expiry: z.string().regex(/^(0[1-9]|1[0-2])\/\d\d$/, "must be a month and a year such as 09/28"),
  }),
  customer: z.object({ country: z.string(), city: z.string().optional(), born: z.iso.date().optional() }),
});

function readShop(payload: string): Said {
  const { merchant, order, total, at, card, customer } = checked(ShopOrder, "Shop", json("Shop", payload));
  const [month, year] = card.expiry.split("/");
  const { born, ...location } = customer;
  return {
    reference: order,
    merchant,
    amount: Number(total.value.replace(".", "")),
    currency: total.currency,
    number: card.number,
    expires: `20${year}-${month}`,
    location,
    customer: born === undefined ? {} : { age: age(born, at) },
    at,
  };
}

/** Full years. */
function age(born: string, at: string): number {
  const years = Number(at.slice(0, 4)) - Number(born.slice(0, 4));
  return at.slice(5, 10) < born.slice(5) ? years - 1 : years;
}

const WalletPayment = z.object({
  id: z.string(),
  merchant: z.string(),
  cents: z.number(),
  currency: z.string(),
  at: moment,
  card: z.object({ pan: cardNumber, validUntil: z.string() }),
  place: z.object({ country: z.string(), city: z.string().optional() }),
  holder: z.object({ age: z.number().optional() }).default({}),
});

function readWallet(payload: string): Said {
  const { id, cents, card, place, holder, ...said } = checked(WalletPayment, "Wallet", json("Wallet", payload));
  return {
    ...said,
    reference: id,
    amount: cents,
    number: card.pan,
    expires: card.validUntil,
    location: place,
    customer: holder,
  };
}

function json(name: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The parser's own message quotes the text.
    throw new BadInput(`${name}: the text is not JSON`);
  }
}

/** The library's messages tell what was expected; none of those that can arise here quotes what was sent. */
function checked<S extends z.ZodType>(schema: S, name: string, value: unknown): z.infer<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const lines = result.error.issues.map(({ path, message }) => [path.join("."), message].filter(Boolean).join(": "));
  throw new BadInput(`${name}: ${lines.slice(0, 5).join("; ")}`);
}
