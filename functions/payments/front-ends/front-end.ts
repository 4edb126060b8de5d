/** What all front ends share: they send until there is an answer, always with the same reference. */
import { setTimeout as sleep } from "node:timers/promises";
import type * as z from "zod";
import { type Http, httpClient } from "../../kit/http.ts";
import { Answer, type Currency, type FrontEnd } from "../events.ts";
import { shopRequest } from "./shop.ts";
import { terminalRequest } from "./terminal.ts";
import { walletRequest } from "./wallet.ts";

/** What somebody buys, and with which card. */
export interface Sale {
  readonly frontEnd: FrontEnd;
  /** Of a terminal: `<terminal>.<retrieval reference>`, of 8 and of 12 characters. */
  readonly reference: string;
  readonly merchant: string;
  /** In hundredths of the currency. */
  readonly amount: number;
  readonly currency: Currency;
  readonly card: { readonly number: string; readonly expires: string };
  readonly location: { readonly country: string; readonly city?: string };
  readonly age?: number;
  readonly at: string;
}

/** What a front end sends, besides its credentials. */
export interface Request {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface FrontEndSettings {
  /** Of its own route at the gateway. */
  readonly url: string;
  /** Its credentials, as the headers that show them. */
  readonly credentials: Readonly<Record<string, string>>;
  /** PEM of the authorities that may have signed the gateway's certificate; without it the public ones. */
  readonly ca?: string;
  /** Of the wallet. */
  readonly signingKey?: string;
}

/** What a front end is told in the end. */
export type Told =
  | ({ readonly status: 200 | 202 } & z.infer<typeof Answer>)
  /** It was refused. */
  | { readonly status: number };

export interface Client {
  /** Sends a sale until it is answered; `Told` may be that it is held. */
  readonly pay: (sale: Sale) => Promise<Told>;
  /** Sends this until it is answered. */
  readonly send: (request: (attempt: number) => Request) => Promise<Told>;
  readonly close: () => void;
}

const timeoutMilliseconds = 10_000;
const pauses = { first: 250, longest: 4_000 };
/** Being decided by another request, too many at once. */
const passing = new Set([409, 429]);

/** @param patienceMilliseconds how long it tries, before it answers with what came last (0 where nothing came) */
export function frontEndClient(settings: FrontEndSettings, patienceMilliseconds = 60_000): Client {
  const http: Http = httpClient(settings.ca);
  const url = new URL(settings.url);

  const send: Client["send"] = async (request) => {
    const latest = Date.now() + patienceMilliseconds;
    for (let attempt = 1; ; attempt++) {
      const { headers, body } = request(attempt);
      const told = await http
        .exchange({ method: "POST", url, headers: { ...settings.credentials, ...headers }, body, timeoutMilliseconds })
        .then((answer) => read(answer.status, answer.body))
        .catch(() => ({ status: 0 }));
      const again = told.status === 0 || told.status >= 500 || passing.has(told.status);
      if (!again || Date.now() >= latest) return told;
      // All at once and ever again, they would keep down what was down.
      await sleep((0.5 + Math.random() / 2) * Math.min(pauses.longest, pauses.first * 2 ** (attempt - 1)));
    }
  };
  return {
    send,
    pay: (sale) => send((attempt) => requestOf(sale, settings, attempt)),
    close: http.close,
  };
}

/** A sale in the format of its front end. */
export function requestOf(sale: Sale, { signingKey = "" }: Pick<FrontEndSettings, "signingKey">, attempt = 1): Request {
  switch (sale.frontEnd) {
    case "terminal":
      return terminalRequest(sale, attempt);
    case "shop":
      return shopRequest(sale);
    case "wallet":
      return walletRequest(sale, signingKey, Date.now());
  }
}

/** Under which the decision is kept. */
export function paymentKey({
  frontEnd,
  merchant,
  reference,
}: Pick<Sale, "frontEnd" | "merchant" | "reference">): string {
  return `${frontEnd}:${merchant}:${reference}`;
}

function read(status: number, body: string): Told {
  if (status !== 200 && status !== 202) return { status };
  const answer = Answer.safeParse(parse(body));
  // Something else than a decision, for example a gateway's page: as good as no answer.
  return answer.success ? { status, ...answer.data } : { status: 502 };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
