import { describe, expect, it } from "vitest";
import type { Alert, Confirmation, Payment, Transaction } from "../../../functions/payments/events.ts";
import { reconcile, type Stores } from "../../../functions/payments/reconciliation.ts";
import { approved } from "./fakes.ts";

const declined: Payment = { ...approved, key: "declined", outcome: "declined", reasons: ["fraud-score"] };
const held: Payment = { ...approved, key: "held", outcome: "held", reasons: ["fraud-api-away"] };
const resumed: Payment = { ...approved, key: "resumed" };
const { frontEnd, merchant, amount, currency, card, at, decided } = approved;
const recorded = "2026-11-23T12:00:02.000Z";
const transaction: Transaction = {
  payment: approved.key,
  frontEnd,
  merchant,
  amount,
  currency,
  card,
  at,
  decided,
  recorded,
};
const confirmation: Confirmation = { payment: approved.key, frontEnd, message: "You paid", recorded };
const alert: Alert = {
  payment: "declined",
  ...{ frontEnd, merchant, amount, currency, card, decided, recorded },
  reasons: ["fraud-score"],
};

const map = <T>(...entries: [string, T][]) => new Map(entries);
const byKey = (...payments: Payment[]) => new Map(payments.map((payment) => [payment.key, payment]));
const { key } = approved;

const whole: Stores = {
  grid: byKey(approved, declined, held, resumed),
  stream: [approved, { ...resumed, outcome: "held" }, declined, held, resumed],
  transactions: map([key, transaction], ["resumed", { ...transaction, payment: "resumed" }]),
  confirmations: map([key, confirmation], ["resumed", { ...confirmation, payment: "resumed" }]),
  alerts: map(["declined", alert]),
  deadLetters: map(),
};

const problems = (changed: Partial<Stores>) =>
  [...reconcile({ ...whole, ...changed }).problems].map(([key, found]) => `${key}: ${found.join("; ")}`);
const without = <T>(stored: ReadonlyMap<string, T>, key: string) => new Map([...stored].filter(([it]) => it !== key));
const having = <T>(stored: ReadonlyMap<string, T>, key: string, value: T) => new Map([...stored, [key, value]]);

describe("reconcile", () => {
  it("finds nothing where all adds up", () => {
    expect(reconcile(whole)).toEqual({ approved: 2, declined: 1, held: 1, problems: new Map() });
  });

  it("finds nothing in nothing", () => {
    const nothing = { grid: map<Payment>(), stream: [], transactions: map<Transaction>() };
    const rest = { confirmations: map<Confirmation>(), alerts: map<Alert>(), deadLetters: map<string>() };
    expect(reconcile({ ...nothing, ...rest })).toEqual({ approved: 0, declined: 0, held: 0, problems: new Map() });
  });

  it.each<[string, Partial<Stores>, string[]]>([
    [
      "a transaction too few",
      { transactions: without(whole.transactions, key) },
      [`${key}: approved, but has no transaction`],
    ],
    [
      "a confirmation too few",
      { confirmations: without(whole.confirmations, key) },
      [`${key}: approved, but has no confirmation`],
    ],
    ["an alert too few", { alerts: map() }, ["declined: declined, but has no alert"]],
    [
      "a declined payment that is recorded",
      { transactions: having(whole.transactions, "declined", transaction) },
      ["declined: declined, but has a transaction"],
    ],
    [
      "a declined payment that is confirmed",
      { confirmations: having(whole.confirmations, "declined", confirmation) },
      ["declined: declined, but has a confirmation"],
    ],
    [
      "an approved payment with an alert",
      { alerts: having(whole.alerts, "resumed", { ...alert, reasons: [] }) },
      ["resumed: approved, but has an alert"],
    ],
    [
      "a held payment that is recorded",
      { transactions: having(whole.transactions, "held", transaction) },
      ["held: held, but has a transaction"],
    ],
    [
      "a held payment that is confirmed",
      { confirmations: having(whole.confirmations, "held", confirmation) },
      ["held: held, but has a confirmation"],
    ],
    [
      "a held payment with an alert",
      { alerts: having(whole.alerts, "held", { ...alert, reasons: held.reasons }) },
      ["held: held, but has an alert"],
    ],
    [
      "another amount in the transaction",
      { transactions: having(whole.transactions, key, { ...transaction, amount: 1 }) },
      [`${key}: another transaction than was decided`],
    ],
    [
      "another card in the transaction",
      { transactions: having(whole.transactions, key, { ...transaction, card: { ...card, token: "x" } }) },
      [`${key}: another transaction than was decided`],
    ],
    [
      "other reasons in the alert",
      { alerts: map(["declined", { ...alert, reasons: ["under-age"] }]) },
      ["declined: another alert than was decided"],
    ],
    [
      "a confirmation elsewhere",
      { confirmations: having(whole.confirmations, key, { ...confirmation, frontEnd: "wallet" }) },
      [`${key}: confirmed at another front end`],
    ],
    ["a payment without a stream entry", { stream: whole.stream.slice(1) }, [`${key}: not in the stream`]],
    ["a payment decided twice", { stream: [...whole.stream, approved] }, [`${key}: decided 2 times in the stream`]],
    [
      "a payment decided otherwise before",
      { stream: [{ ...declined, key }, ...whole.stream] },
      [`${key}: decided 2 times in the stream`],
    ],
    ["a payment held twice", { stream: [held, ...whole.stream] }, ["held: held 2 times in the stream"]],
    [
      "another decision in the stream",
      { stream: [...whole.stream.slice(0, -1), { ...resumed, outcome: "declined" }] },
      ["resumed: approved in the grid, declined in the stream"],
    ],
    [
      "other content in the stream",
      { stream: [{ ...approved, amount: 1 }, ...whole.stream.slice(1)] },
      [`${key}: other content in the stream than in the grid`],
    ],
    [
      "a payment that the grid lost",
      { grid: without(whole.grid, key) },
      [`${key}: not in the grid, but in: stream, transactions, confirmations`],
    ],
    ["an alert of nothing", { alerts: having(whole.alerts, "x", alert) }, ["x: not in the grid, but in: alerts"]],
    [
      "a dead letter",
      { deadLetters: map(["declined", "failed"]), alerts: map() },
      ["declined: declined, but has no alert; dead-lettered (failed)"],
    ],
    ["a dead letter of nothing", { deadLetters: map(["x", "failed"]) }, ["x: not in the grid, but in: dead letters"]],
  ])("finds %s", (_, changed, found) => expect(problems(changed)).toEqual(found));
});
