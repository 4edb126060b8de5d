import * as z from "zod";
import { contract, endpoint } from "../kit/contract.ts";
import { documents, grid, service, settings } from "../kit/ports.ts";
import {
  Alert,
  Answer,
  Assessment,
  Confirmation,
  FraudQuestion,
  FraudScore,
  Payment,
  Purchase,
  RawPayment,
  Transaction,
} from "./events.ts";

/** The header in which the gateway says which front end has shown its credentials. */
export const frontEndHeader = "x-client";

/** How the fraud API behaves: how long it takes, and which share of the questions it answers with an error or not at all. */
export const FraudBehaviour = z.object({
  latencyMilliseconds: z.number().min(0).default(5),
  errors: z.number().min(0).max(1).default(0),
  silences: z.number().min(0).max(1).default(0),
});
export type FraudBehaviour = z.infer<typeof FraudBehaviour>;

/** `POST /scores`: the kit's own fraud API; another one with the same answer can take its place. */
export const fraud = endpoint({
  name: "fraud",
  entry: new URL("./fraud.ts", import.meta.url),
  in: FraudQuestion,
  out: FraudScore,
  needs: { behaviour: settings(FraudBehaviour) },
});

/** Where the fraud API is. One that takes longer counts as away. */
export const FraudApi = z.object({
  url: z.url({ protocol: /^https?$/ }),
  timeoutMilliseconds: z.int().min(1).max(2_000).default(300),
});
export type FraudApi = z.infer<typeof FraudApi>;

/** Decides a payment, once, whoever asks and however often. */
export const assess = contract({
  name: "assess",
  entry: new URL("./assess.ts", import.meta.url),
  in: Purchase,
  out: Assessment,
  needs: { payments: grid(Payment), fraudApi: settings(FraudApi) },
});

/** Decides a payment that was held while the fraud API was away. */
export const resume = contract({
  name: "resume",
  entry: new URL("./resume.ts", import.meta.url),
  in: Payment,
  needs: { payments: grid(Payment), fraudApi: settings(FraudApi) },
});

/** Keys in text of 32 characters or more. */
export const ParseKeys = z.object({
  /** Makes card tokens. With another key every card gets another token. */
  tokens: z.string().min(32),
  /** Any of these may have signed a wallet's request: the new one and the one before. */
  wallets: z.array(z.string().min(32)).min(1),
});
export type ParseKeys = z.infer<typeof ParseKeys>;

/** `POST /payments/…`: takes a payment in its front end's own format and answers with its decision. */
export const parse = endpoint({
  name: "parse",
  entry: new URL("./parse.ts", import.meta.url),
  in: RawPayment,
  out: Answer,
  needs: { keys: settings(ParseKeys), assess: service(assess) },
});

/** Records an approved payment and confirms it to the user. */
export const approve = contract({
  name: "approve",
  entry: new URL("./approve.ts", import.meta.url),
  in: Payment,
  needs: { transactions: documents(Transaction), confirmations: documents(Confirmation) },
});

/** Tells the fraud system of a declined payment. */
export const alert = contract({
  name: "alert",
  entry: new URL("./alert.ts", import.meta.url),
  in: Payment,
  needs: { alerts: documents(Alert) },
});
