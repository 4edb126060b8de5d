/**
 * Simulated customers. Everything follows from the seed and the run: who buys what, when, how often the front end sends
 * it, and what must come of it. No two runs share a card or a reference.
 */
import { uniformFloat64 } from "pure-rand/distribution/uniformFloat64";
import { uniformInt } from "pure-rand/distribution/uniformInt";
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";
import type { Currency, FrontEnd } from "./events.ts";
import { type FrontEndSettings, paymentKey, type Request, requestOf, type Sale } from "./front-ends/front-end.ts";
import { signed } from "./front-ends/wallet.ts";
import { type Decision, fraudApiAway } from "./rules.ts";

export interface SimulationArgs {
  /** Distinct payments per second; repeated and bad requests come on top. */
  readonly rate: number;
  readonly seconds: number;
  readonly seed: number;
  /** When the run began, in milliseconds since 1970. */
  readonly run: number;
}

/** What is special about a payment. */
export type Kind =
  | "usual"
  | "sanctioned"
  | "under-age"
  | "expired"
  | "above-limit"
  | "unknown-merchant"
  | "stolen"
  | "voucher"
  | "burst";

/** What is wrong with a request. */
export type Fault =
  | "wrong-key"
  | "wrong-signature"
  | "old-signature"
  | "other-body"
  | "malformed"
  | "wrong-check-digit"
  | "other-amount";

export interface Send {
  /** Milliseconds after the start. */
  readonly time: number;
  /** Of the payment, or of the bad request. */
  readonly id: string;
  readonly sale: Sale;
  readonly must:
    | { readonly kind: Kind /** Any of these. */; readonly be: readonly Decision[] }
    | {
        readonly fault: Fault;
        readonly status: number /** This one must have been answered. */;
        readonly after?: string;
      };
}

const share = { bad: 0.02, special: 0.2 };
const longestRepeat = 2_000;
const burst = { payments: 8, everyMilliseconds: 200 };

const frontEnds = ["terminal", "shop", "wallet"] as const;
const places = [
  { country: "DE", city: "Berlin" },
  { country: "FR", city: "Lyon" },
  { country: "US", city: "Boston" },
  { country: "CH" },
] as const;
const currencies: readonly Currency[] = ["EUR", "EUR", "EUR", "USD", "GBP", "CHF"];
/** Of test cards. */
const issuers = ["400000", "555555", "222300", "601100"] as const;

const approved: Decision = { outcome: "approved", reasons: [] };
/** Below 50 euros the usual merchants do not wait for the fraud API. */
const approvedAlone: Decision = { outcome: "approved", reasons: [fraudApiAway] };
const declined = (...reasons: string[]): Decision => ({ outcome: "declined", reasons });

const kinds: readonly Kind[] = [
  "sanctioned",
  "under-age",
  "expired",
  "above-limit",
  "unknown-merchant",
  "stolen",
  "voucher",
  "burst",
];
const faults: Readonly<Record<FrontEnd, readonly Fault[]>> = {
  terminal: ["wrong-key", "malformed", "malformed", "wrong-check-digit", "other-amount"],
  shop: ["wrong-key", "malformed", "wrong-check-digit", "other-amount"],
  wallet: ["wrong-key", "wrong-signature", "old-signature", "other-body", "malformed", "other-amount"],
};

/** Every send of one run, in the order of time. */
export function simulate({ rate, seconds, seed, run }: SimulationArgs): Send[] {
  const random = xoroshiro128plus(seed);
  const cards = xoroshiro128plus((seed ^ run) | 0);
  const chance = (probability: number) => uniformFloat64(random) < probability;
  const from = <T>(list: readonly T[]) => list[uniformInt(random, 0, list.length - 1)] as T;
  const upTo = (most: number) => uniformInt(random, 0, most);
  let count = 0;

  const card = (ending = "") => {
    const digits = Array.from({ length: 9 - ending.length }, () => uniformInt(cards, 0, 9)).join("");
    return { number: cardNumber(from(issuers) + digits, ending), expires: `20${30 + upTo(5)}-0${1 + upTo(8)}` };
  };
  const usual = (time: number): Sale => {
    const frontEnd = from(frontEnds);
    return {
      frontEnd,
      reference: referenceOf(frontEnd, run, count++),
      merchant: `M-0${String(1 + upTo(11)).padStart(2, "0")}`,
      amount: 60_00 + upTo(900_00),
      currency: from(currencies),
      card: card(),
      location: from(places),
      ...(chance(0.8) && { age: 22 + upTo(60) }),
      at: new Date(run + Math.floor(time)).toISOString(),
    };
  };

  const sends: Send[] = [];
  /** Once to three times, some of them at the same moment. */
  const pay = (time: number, kind: Kind, sale: Sale, ...be: Decision[]) => {
    const send: Send = { time, id: paymentKey(sale), sale, must: { kind, be } };
    sends.push(send);
    for (let more = chance(0.5) ? upTo(2) : 0; more > 0; more--) {
      sends.push({ ...send, time: time + (chance(0.5) ? 0 : upTo(longestRepeat)) });
    }
    return send;
  };

  /** The card that somebody is emptying now: one payment after another, among those of others. */
  let emptied: { readonly card: Sale["card"]; readonly left: number; readonly next: number } | undefined;

  for (let slot = 0; slot < rate * seconds; slot++) {
    const time = (slot * 1000) / rate;
    const kind = emptied && time >= emptied.next ? "burst" : chance(share.special) ? from(kinds) : "usual";
    const send = paySpecially(kind, time, usual(time));
    if (chance(share.bad)) sends.push(spoil(time, usual(time), send));
  }
  return sends.sort((a, b) => a.time - b.time);

  function paySpecially(kind: Kind, time: number, sale: Sale): Send {
    switch (kind) {
      case "usual": {
        const small = chance(0.5);
        return small
          ? pay(time, kind, { ...sale, amount: 1_00 + upTo(40_00) }, approved, approvedAlone)
          : pay(time, kind, sale, approved);
      }
      case "sanctioned":
        return pay(time, kind, { ...sale, location: { country: from(["KP", "IR"]) } }, declined("sanctioned-country"));
      case "under-age":
        return pay(time, kind, { ...sale, merchant: "M-WINE", age: 12 + upTo(5) }, declined("under-age"));
      case "expired":
        return pay(time, kind, { ...sale, card: { ...sale.card, expires: "2020-05" } }, declined("card-expired"));
      case "above-limit":
        return pay(time, kind, { ...sale, merchant: "M-KIOSK", amount: 150_00 }, declined("above-merchant-limit"));
      case "unknown-merchant":
        return pay(time, kind, { ...sale, merchant: "NOBODY" }, declined("unknown-merchant"));
      case "stolen":
        return pay(time, kind, { ...sale, card: card("0002") }, declined("fraud-score"));
      case "voucher":
        return pay(time, kind, { ...sale, merchant: "M-VOUCHER", amount: 20_00 }, approved, declined(fraudApiAway));
      case "burst": {
        // How many of them are let through depends on which come first, and that nobody can know.
        const either = [approved, approvedAlone, declined("card-too-often")];
        const { card, left } = emptied ?? { card: sale.card, left: burst.payments };
        emptied = left > 1 ? { card, left: left - 1, next: time + burst.everyMilliseconds } : undefined;
        return pay(time, kind, { ...sale, card, amount: 5_00 }, ...either);
      }
    }
  }

  function spoil(time: number, sale: Sale, before: Send): Send {
    const fault = from(faults[sale.frontEnd]);
    const id = `${fault}:${paymentKey(sale)}`;
    if (fault === "other-amount") {
      const other = { ...before.sale, amount: before.sale.amount + 1 };
      return { time: time + longestRepeat, id, sale: other, must: { fault, status: 422, after: before.id } };
    }
    const { number } = sale.card;
    const wrong = number.slice(0, -1) + ((Number(number.at(-1)) + 1) % 10);
    const spoiled = fault === "wrong-check-digit" ? { ...sale, card: { ...sale.card, number: wrong } } : sale;
    return { time, id, sale: spoiled, must: { fault, status: statusOf(fault) } };
  }
}

function statusOf(fault: Fault): number {
  switch (fault) {
    case "wrong-key":
    case "wrong-signature":
    case "old-signature":
    case "other-body":
      return 401;
    case "malformed":
    case "wrong-check-digit":
    case "other-amount":
      return 422;
  }
}

/** A bad request, as its front end would send it. */
export function badRequest({ sale }: Send, fault: Fault, { signingKey = "" }: FrontEndSettings): Request {
  const request = requestOf(sale, { signingKey });
  const seconds = Math.floor(Date.now() / 1000);
  switch (fault) {
    case "wrong-key":
    case "wrong-check-digit":
    case "other-amount":
      return request;
    case "wrong-signature":
      return signed(request.body, "nobody's key", seconds);
    case "old-signature":
      return signed(request.body, signingKey, seconds - 600);
    case "other-body":
      return { ...request, body: request.body.replace(/"cents":\d+/, '"cents":1') };
    case "malformed":
      return malformed(sale, request, (body) => signed(body, signingKey, seconds));
  }
}

/** Cut, or where it is ISO 8583 by its reference's last character in one of four ways. */
function malformed({ frontEnd, reference }: Sale, request: Request, sign: (body: string) => Request): Request {
  const { body } = request;
  if (frontEnd === "wallet") return sign(body.slice(0, -1));
  if (frontEnd === "shop") return { ...request, body: body.slice(0, -1) };
  const ways = [
    body.slice(0, -2), // one byte too few
    `${body}00`, // one too many
    `${body.slice(0, 8)}ff${body.slice(10)}`, // fields in the bitmap that are not there
    `${body.slice(0, -2)}fg`, // no hexadecimal
  ];
  return { ...request, body: ways[reference.charCodeAt(reference.length - 1) % ways.length] as string };
}

/** In it the run can be found again. A terminal's has 12 characters after its own name. */
function referenceOf(frontEnd: FrontEnd, run: number, count: number): string {
  const [runText, number] = [runName(run), count.toString(36).padStart(4, "0").toUpperCase()];
  if (frontEnd === "terminal") return `TERM${String(count % 50).padStart(4, "0")}.${runText}${number}`;
  return `${frontEnd}-${runText}-${number}`;
}

const runName = (run: number) => run.toString(36).padStart(8, "0").toUpperCase();

export function isOfRun(key: string, run: number): boolean {
  return key.slice(key.lastIndexOf(":")).includes(runName(run));
}

/** Of 16 digits with a right check digit, and never one of those that the fraud API knows, unless it ends like this. */
function cardNumber(start: string, ending: string): string {
  for (let digit = 0; digit < 10; digit++) {
    const number = ending === "" ? `${start}${digit}` : `${start}${digit}${ending}`;
    if (luhn(number) && (ending !== "" || !/000[25]$/.test(number))) return number;
  }
  // Only the ending of a card that the fraud API knows was left.
  return cardNumber(`${start.slice(0, -1)}7`, ending);
}

/** Whether the check digit is right. */
export function luhn(number: string): boolean {
  const sum = [...number].reverse().reduce((sum, digit, index) => {
    const value = Number(digit) * (index % 2 === 1 ? 2 : 1);
    return sum + (value > 9 ? value - 9 : value);
  }, 0);
  return sum % 10 === 0;
}
