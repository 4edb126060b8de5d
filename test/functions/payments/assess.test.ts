import { describe, expect, it } from "vitest";
import { BadInput, Unavailable } from "../../../functions/kit/errors.ts";
import { handleEvent } from "../../../functions/kit/testing.ts";
import alert from "../../../functions/payments/alert.ts";
import approve from "../../../functions/payments/approve.ts";
import assess from "../../../functions/payments/assess.ts";
import type { Alert, Confirmation, Payment, Purchase, Transaction } from "../../../functions/payments/events.ts";
import resume from "../../../functions/payments/resume.ts";
import { approved, FakeDocuments, FakeGrid, fakeFraudApi, purchase, quiet } from "./fakes.ts";

async function start(timeoutMilliseconds?: number) {
  const payments = new FakeGrid();
  const fraudApi = await fakeFraudApi(timeoutMilliseconds);
  const ask = (changed: Partial<Purchase> = {}) =>
    handleEvent(assess, { ...purchase, ...changed }, { payments, fraudApi });
  return { payments, fraudApi, ask, ports: { payments, fraudApi } };
}

const decidedAs = (outcome: string, ...reasons: string[]) => ({ status: "decided", outcome, reasons });

describe("assess", () => {
  it("decides a payment and writes it with what led to it", async () => {
    const { payments, ask } = await start();
    expect(await ask()).toEqual(decidedAs("approved"));
    expect(payments.stream).toEqual([
      { ...approved, received: expect.any(String), decided: expect.any(String) } satisfies Payment,
    ]);
    expect(payments.claims.size).toBe(0);
  });

  it("counts the payment for its card and its merchant, in euros", async () => {
    const { payments, ask } = await start();
    await ask({ amount: 100_00, currency: "USD" });
    await ask({ key: "shop:M-001:order-2", amount: 50_00 });
    expect(Object.fromEntries(payments.counted)).toEqual({
      "card:tokentokentokentoken": { times: 2, amount: 142_00 },
      "merchant:M-001": { times: 2, amount: 142_00 },
    });
    expect(payments.values.get("shop:M-001:order-2")?.facts.card).toEqual({ times: 1, amount: 92_00 });
  });

  it("gives a repeated request the first answer, without asking again", async () => {
    const { payments, fraudApi, ask } = await start();
    payments.values.set(purchase.key, { ...approved, outcome: "declined", reasons: ["card-too-often"] });
    expect(await ask()).toEqual(decidedAs("declined", "card-too-often"));
    expect(fraudApi.questions).toEqual([]);
    expect(payments.stream).toEqual([]);
  });

  it.each([2, 3, 20])("decides once when %i ask at once", async (times) => {
    const { payments, fraudApi, ask } = await start();
    const answers = await Promise.all(Array.from({ length: times }, () => ask()));
    expect(answers).toEqual(Array(times).fill(decidedAs("approved")));
    expect(payments.stream).toHaveLength(1);
    expect(fraudApi.questions).toHaveLength(1);
    expect(payments.counted.get("merchant:M-001")).toEqual({ times: 1, amount: 49_90 });
  });

  it.each<[string, Partial<Purchase>]>([
    ["amount", { amount: 49_91 }],
    ["currency", { currency: "USD" }],
    ["card", { card: { ...purchase.card, token: "another-token-of-a-card" } }],
  ])("refuses a reference that was used for another %s", async (_, changed) => {
    const { payments, ask } = await start();
    await ask();
    await expect(ask(changed)).rejects.toThrow(BadInput);
    expect(payments.stream).toHaveLength(1);
  });

  it("takes the same reference for the same purchase sent later, from elsewhere", async () => {
    const { ask } = await start();
    await ask();
    expect(await ask({ at: "2026-11-23T12:00:09.000Z", location: { country: "FR" } })).toEqual(decidedAs("approved"));
  });

  it("is busy where another works on the payment for too long", async () => {
    const { payments, ask } = await start();
    await payments.claim(purchase.key, 60_000);
    expect(await ask()).toEqual({ status: "busy" });
    expect(payments.stream).toEqual([]);
  });

  it("takes over where the other is gone", async () => {
    const { payments, ask } = await start();
    await payments.claim(purchase.key, 100);
    expect(await ask()).toEqual(decidedAs("approved"));
  });

  it("answers with what was written where its claim was lost", async () => {
    const { payments, ask } = await start();
    const write = payments.write.bind(payments);
    let times = 0;
    payments.write = async (key, value, claim, count) => {
      if (times++ > 0) return write(key, value, claim, count);
      payments.claims.delete(key);
      payments.values.set(key, { ...approved, outcome: "declined", reasons: ["fraud-score"] });
      return write(key, value, claim, count);
    };
    expect(await ask()).toEqual(decidedAs("declined", "fraud-score"));
    expect(payments.stream).toEqual([]);
  });

  it("leaves no claim where it fails", async () => {
    const { payments, ask } = await start();
    payments.counts = () => Promise.reject(new Unavailable("Redis"));
    await expect(ask()).rejects.toThrow("Redis");
    expect(payments.claims.size).toBe(0);
  });

  it("tells the fraud API nothing but what it needs", async () => {
    const { fraudApi, ask } = await start();
    await ask();
    const { reference: _, at: __, ...question } = purchase;
    expect(fraudApi.questions).toEqual([question]);
  });

  it.each(["error", "garbage", "silence", "cut"] as const)(
    "decides as the merchant wants it while the fraud API has the fault %s",
    async (fault) => {
      const { payments, fraudApi, ask } = await start(fault === "silence" ? 100 : 5_000);
      fraudApi.fault = fault;
      expect(await ask()).toEqual(decidedAs("approved", "fraud-api-away"));
      expect(await ask({ key: "2", amount: 51_00 })).toEqual(decidedAs("held", "fraud-api-away"));
      expect(await ask({ key: "3", merchant: "M-GOLD" })).toEqual(decidedAs("held", "fraud-api-away"));
      expect(await ask({ key: "4", merchant: "M-VOUCHER" })).toEqual(decidedAs("declined", "fraud-api-away"));
      expect(await ask({ key: "5", merchant: "M-GOLD", location: { country: "KP" } })).toEqual(
        decidedAs("declined", "sanctioned-country"),
      );
      expect(payments.values.get("2")?.facts).not.toHaveProperty("score");
    },
  );
});

describe("resume", () => {
  const held: Payment = {
    ...approved,
    merchant: "M-GOLD",
    outcome: "held",
    reasons: ["fraud-api-away"],
    facts: { card: quiet, merchant: quiet },
  };

  it.each<[string, Partial<Payment>, string, string[]]>([
    ["approves", {}, "approved", []],
    ["declines", { card: { ...purchase.card, lastFour: "0002" } }, "declined", ["fraud-score"]],
  ])("%s a held payment when the fraud API is back", async (_, changed, outcome, reasons) => {
    const { payments, ports, ask } = await start();
    const payment = { ...held, ...changed };
    payments.values.set(payment.key, payment);
    await handleEvent(resume, payment, ports);
    const score = outcome === "approved" ? 5 : 100;
    const facts = { ...held.facts, score };
    expect(payments.stream).toEqual([{ ...payment, outcome, reasons, facts, decided: expect.any(String) }]);
    expect(payments.counted.size).toBe(0);
    expect(await ask({ card: payment.card })).toEqual(decidedAs(outcome, ...reasons));
    await handleEvent(resume, payment, ports);
    expect(payments.stream).toHaveLength(1);
    expect(payments.claims.size).toBe(0);
  });

  it("waits while the fraud API is away", async () => {
    const { payments, fraudApi, ports } = await start();
    payments.values.set(held.key, held);
    fraudApi.fault = "error";
    await expect(handleEvent(resume, held, ports)).rejects.toThrow(Unavailable);
    expect(payments.stream).toEqual([]);
    expect(payments.claims.size).toBe(0);
  });

  it("waits while somebody else works on the payment", async () => {
    const { payments, ports } = await start();
    payments.values.set(held.key, held);
    await payments.claim(held.key, 60_000);
    await expect(handleEvent(resume, held, ports)).rejects.toThrow(Unavailable);
  });

  it("decides once when told twice at once", async () => {
    const { payments, ports } = await start();
    payments.values.set(held.key, held);
    await Promise.allSettled([handleEvent(resume, held, ports), handleEvent(resume, held, ports)]);
    expect(payments.stream).toHaveLength(1);
  });

  it("leaves alone what is decided, or unknown", async () => {
    const { payments, fraudApi, ports } = await start();
    await handleEvent(resume, held, ports);
    payments.values.set(held.key, approved);
    await handleEvent(resume, held, ports);
    expect(payments.stream).toEqual([]);
    expect(fraudApi.questions).toEqual([]);
  });
});

describe("approve", () => {
  const start = () => ({
    transactions: new FakeDocuments<Transaction>(),
    confirmations: new FakeDocuments<Confirmation>(),
  });
  const recorded = expect.stringMatching(/^20\d\d-.*Z$/);
  const { key: payment, frontEnd, merchant, amount, currency, card, at, decided } = approved;

  it("records and confirms, once", async () => {
    const ports = start();
    await handleEvent(approve, approved, ports);
    const { transactions, confirmations } = ports;
    const first = structuredClone([...transactions.documents, ...confirmations.documents]);
    await new Promise((resolve) => setTimeout(resolve, 5));
    await handleEvent(approve, approved, ports);
    expect([...transactions.documents, ...confirmations.documents]).toEqual(first);
    expect(transactions.documents.get(payment)).toEqual({
      ...{ payment, frontEnd, merchant, amount, currency, card, at, decided },
      recorded,
    });
    expect(confirmations.documents.get(payment)).toEqual({
      payment,
      frontEnd,
      message: "You paid 49.90 EUR to M-001 with your card ending in 1111.",
      recorded,
    });
  });

  it("confirms nothing that is not recorded", async () => {
    const ports = start();
    ports.transactions.insertOnce = () => Promise.reject(new Unavailable("MongoDB"));
    await expect(handleEvent(approve, approved, ports)).rejects.toThrow("MongoDB");
    expect(ports.confirmations.documents.size).toBe(0);
  });

  it.each(["declined", "held"] as const)("rejects what is %s", async (outcome) => {
    const ports = start();
    await expect(handleEvent(approve, { ...approved, outcome }, ports)).rejects.toThrow(BadInput);
    expect(ports.transactions.documents.size + ports.confirmations.documents.size).toBe(0);
  });
});

describe("alert", () => {
  const declined: Payment = { ...approved, outcome: "declined", reasons: ["fraud-score"] };

  it("tells the fraud system, once", async () => {
    const alerts = new FakeDocuments<Alert>();
    await handleEvent(alert, declined, { alerts });
    await handleEvent(alert, declined, { alerts });
    expect([...alerts.documents.values()]).toEqual([
      {
        payment: declined.key,
        frontEnd: "shop",
        merchant: "M-001",
        amount: 49_90,
        currency: "EUR",
        card: purchase.card,
        reasons: ["fraud-score"],
        score: 5,
        decided: declined.decided,
        recorded: expect.any(String),
      },
    ]);
  });

  it.each(["approved", "held"] as const)("rejects what is %s", async (outcome) => {
    const alerts = new FakeDocuments<Alert>();
    await expect(handleEvent(alert, { ...declined, outcome }, { alerts })).rejects.toThrow(BadInput);
    expect(alerts.documents.size).toBe(0);
  });
});
