import * as z from "zod";
import { text } from "../kit/schema.ts";

/** What a front end sent, as it was sent: ISO 8583 in hexadecimal, or JSON. */
export const RawPayment = text(
  z
    .string()
    .min(1)
    .max(16 * 1024),
);

export const FrontEnd = z.enum(["terminal", "shop", "wallet"]);
export type FrontEnd = z.infer<typeof FrontEnd>;

export const Currency = z.enum(["EUR", "USD", "GBP", "CHF"]);
export type Currency = z.infer<typeof Currency>;

const Country = z.string().regex(/^[A-Z]{2}$/, "must be two capital letters");

/** A payment as every front end means it: card, location and demographics in one form. It never holds a card number. */
export const Purchase = z.object({
  /** `<front end>:<merchant>:<reference>`: the same purchase sent twice has the same key. */
  key: z.string(),
  frontEnd: FrontEnd,
  /** The front end's own. */
  reference: z.string().regex(/^[\w.-]{1,64}$/, "must be 1 to 64 letters, digits, dots, dashes"),
  merchant: z.string().regex(/^[A-Z0-9-]{1,15}$/, "must be 1 to 15 capital letters, digits, dashes"),
  /** In hundredths of the currency. */
  amount: z.int().min(1).max(999_999_999_999),
  currency: Currency,
  card: z.object({
    /** Stands for the card number: the same for the same card, and of no use without the key. */
    token: z.string().min(16),
    lastFour: z.string().regex(/^\d{4}$/),
    network: z.string(),
    /** The last month in which it is good. */
    expires: z.string().regex(/^20\d\d-(0[1-9]|1[0-2])$/, "must be a month"),
  }),
  location: z.object({ country: Country, city: z.string().max(60).optional() }),
  customer: z.object({ age: z.int().min(0).max(130).optional() }),
  /** When it was made, as the front end says. */
  at: z.iso.datetime(),
});
export type Purchase = z.infer<typeof Purchase>;

const Counted = z.object({ times: z.int(), amount: z.int() });

/** What was known besides the purchase when it was decided. */
export const Facts = z.object({
  /** 0 to 100, as the fraud API says; missing where it was away. */
  score: z.int().min(0).max(100).optional(),
  /** What this card, and this merchant, had before, amounts in hundredths of a euro. */
  card: Counted,
  merchant: Counted,
});
export type Facts = z.infer<typeof Facts>;

export const Outcome = z.enum(["approved", "declined", "held"]);
export type Outcome = z.infer<typeof Outcome>;

/** A purchase and its decision, as the data grid holds it, with all that led to it. */
export const Payment = z.object({
  ...Purchase.shape,
  outcome: Outcome,
  /** Names of the rules that hit, in the order of the rules. */
  reasons: z.array(z.string()),
  facts: Facts,
  /** Version of the rule set that decided. */
  ruleSet: z.string(),
  /** When it came for the first time. */
  received: z.iso.datetime(),
  /** When the outcome was written. */
  decided: z.iso.datetime(),
});
export type Payment = z.infer<typeof Payment>;

/** What `assess` answers. Busy: another request for the same payment is being decided for too long. */
export const Assessment = z.discriminatedUnion("status", [
  z.object({ status: z.literal("decided"), outcome: Outcome, reasons: z.array(z.string()) }),
  z.object({ status: z.literal("busy") }),
]);
export type Assessment = z.infer<typeof Assessment>;

/** What a front end is told. A held payment is decided later: the same request again tells how. */
export const Answer = z.object({ payment: z.string(), outcome: Outcome, reasons: z.array(z.string()) });
export type Answer = z.infer<typeof Answer>;

/** What the fraud API is asked. */
export const FraudQuestion = Purchase.pick({
  key: true,
  frontEnd: true,
  merchant: true,
  amount: true,
  currency: true,
  card: true,
  location: true,
  customer: true,
});
export type FraudQuestion = z.infer<typeof FraudQuestion>;

export const FraudScore = z.object({ score: z.int().min(0).max(100), signs: z.array(z.string()) });
export type FraudScore = z.infer<typeof FraudScore>;

const { frontEnd, merchant, amount, currency, card } = Payment.shape;

/** An approved payment, recorded. */
export const Transaction = z.object({
  payment: z.string(),
  frontEnd,
  merchant,
  amount,
  currency,
  card,
  at: z.iso.datetime(),
  decided: z.iso.datetime(),
  recorded: z.iso.datetime(),
});
export type Transaction = z.infer<typeof Transaction>;

/** What the user is told of an approved payment; its front end shows it. */
export const Confirmation = z.object({
  payment: z.string(),
  frontEnd,
  message: z.string(),
  recorded: z.iso.datetime(),
});
export type Confirmation = z.infer<typeof Confirmation>;

/** A declined payment, for those who look into fraud. */
export const Alert = z.object({
  payment: z.string(),
  frontEnd,
  merchant,
  amount,
  currency,
  card,
  reasons: z.array(z.string()),
  score: z.int().optional(),
  decided: z.iso.datetime(),
  recorded: z.iso.datetime(),
});
export type Alert = z.infer<typeof Alert>;
