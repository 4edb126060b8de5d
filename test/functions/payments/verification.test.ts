/** The whole architecture in one process: gateway and relay are played here, all functions are the real ones. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { BadInput, Unavailable } from "../../../functions/kit/errors.ts";
import { handleEvent, handleRequest } from "../../../functions/kit/testing.ts";
import alert from "../../../functions/payments/alert.ts";
import approve from "../../../functions/payments/approve.ts";
import assess from "../../../functions/payments/assess.ts";
import {
  type Alert,
  type Assessment,
  type Confirmation,
  FrontEnd,
  type Payment,
  type Purchase,
  type Transaction,
} from "../../../functions/payments/events.ts";
import { account, leaks } from "../../../functions/payments/ledger.ts";
import parse from "../../../functions/payments/parse.ts";
import type { Stores } from "../../../functions/payments/reconciliation.ts";
import resume from "../../../functions/payments/resume.ts";
import { simulate } from "../../../functions/payments/simulation.ts";
import { type Surroundings, verify } from "../../../functions/payments/verification.ts";
import { FakeDocuments, FakeGrid, fakeFraudApi } from "./fakes.ts";

const signingKey = "w".repeat(32);
const keys = { tokens: "t".repeat(32), wallets: [signingKey] };
const args = { rate: 40, seconds: 3, seed: 30 };

async function start() {
  const payments = new FakeGrid();
  const fraudApi = await fakeFraudApi();
  const stores = {
    transactions: new FakeDocuments<Transaction>(),
    confirmations: new FakeDocuments<Confirmation>(),
    alerts: new FakeDocuments<Alert>(),
  };
  const ports = { payments, fraudApi };
  const call = async (purchase: Purchase) => (await handleEvent(assess, purchase, ports)) as Assessment;

  /** As the relay does: every entry, some of them twice. */
  let delivered = 0;
  const deliver = async () => {
    while (delivered < payments.stream.length) {
      const payment = payments.stream[delivered++] as Payment;
      for (let times = delivered % 7 === 0 ? 2 : 1; times > 0; times--) await handOver(payment);
    }
  };
  const handOver = async (payment: Payment): Promise<unknown> => {
    if (payment.outcome === "approved") return handleEvent(approve, payment, stores);
    if (payment.outcome === "declined") return handleEvent(alert, payment, stores);
    return handleEvent(resume, payment, ports).catch((error) => {
      if (!(error instanceof Unavailable)) throw error;
      return new Promise((resolve) => setTimeout(resolve, 50)).then(() => handOver(payment));
    });
  };

  const gateway = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString();
    const frontEnd = String(request.headers["x-api-key"]).replace(/^key-of-/, "");
    const headers = { ...(request.headers as Record<string, string>), "x-client": frontEnd };
    if (!FrontEnd.safeParse(frontEnd).success) return response.writeHead(401).end();
    return handleRequest(parse, text, { keys, assess: { call } }, { headers }).then(
      ({ status, body }) => response.writeHead(status).end(JSON.stringify(body)),
      (error) => response.writeHead(error instanceof BadInput ? 422 : 500).end(),
    );
  }).listen(0);
  onTestFinished(() => {
    gateway.closeAllConnections();
    gateway.close();
  });
  const url = `http://127.0.0.1:${(gateway.address() as AddressInfo).port}`;
  const settings = (frontEnd: FrontEnd) => ({ url, credentials: { "x-api-key": `key-of-${frontEnd}` }, signingKey });
  const read = async (): Promise<Stores> => ({
    grid: payments.values,
    stream: payments.stream,
    transactions: stores.transactions.documents,
    confirmations: stores.confirmations.documents,
    alerts: stores.alerts.documents,
    deadLetters: new Map(),
  });
  const surroundings: Surroundings = {
    frontEnds: { terminal: settings("terminal"), shop: settings("shop"), wallet: settings("wallet") },
    read: async () => {
      await deliver();
      return read();
    },
    say: () => undefined,
    patienceMilliseconds: 2_000,
  };
  return { payments, fraudApi, stores, surroundings, read };
}

describe("verify", () => {
  it("finds that every payment has one decision and what follows from it", async () => {
    const printed = vi.spyOn(console, "error").mockImplementation(() => undefined);
    onTestFinished(() => void vi.restoreAllMocks());
    const { surroundings, payments } = await start();
    const result = await verify(args, surroundings);
    expect(result.problems).toEqual([]);
    expect(result).toMatchObject({ ...args, deadLettered: 0, run: expect.any(Number), p99: expect.any(Number) });
    expect(result.sent).toBe(result.stored + result.refused);
    expect(result.stored).toBe(payments.values.size);
    expect(result.stored).toBe(120);
    expect(result.refused).toBeGreaterThan(0);
    const again = await verify({ ...args, run: result.run }, surroundings);
    expect(again).toMatchObject({ sent: result.sent, stored: result.stored, problems: [] });
    expect(again.p50).toBeUndefined();
    const sends = simulate({ ...args, run: result.run });
    expect(leaks(JSON.stringify(printed.mock.calls), sends)).toEqual([]);
  });

  it("finds the same while the fraud API is away at first", async () => {
    const { surroundings, fraudApi, payments } = await start();
    fraudApi.fault = "error";
    setTimeout(() => Object.assign(fraudApi, { fault: "none" }), 1_500);
    const result = await verify(args, surroundings);
    expect(result.problems).toEqual([]);
    expect(payments.stream.some(({ outcome }) => outcome === "held")).toBe(true);
    expect([...payments.values.values()].some(({ outcome }) => outcome === "held")).toBe(false);
  });

  it("finds what is wrong", async () => {
    const { surroundings, payments, stores, read } = await start();
    const { run } = await verify(args, surroundings);
    const sends = simulate({ ...args, run });
    const problems = async (told = new Map()) => account(sends, await read(), told).problems;
    const paid = [...payments.values.values()].filter(
      ({ outcome, amount }) => outcome === "approved" && amount > 60_00,
    );
    const [lost, recoded, leaked, refused, toldOtherwise] = paid as [Payment, Payment, Payment, Payment, Payment];

    payments.values.delete(lost.key);
    expect(await problems()).toEqual([
      `${lost.key}: not in the grid, but in: stream, transactions, confirmations; not decided`,
    ]);
    payments.values.set(lost.key, lost);
    expect(await problems()).toEqual([]);

    payments.values.set(recoded.key, { ...recoded, outcome: "declined", reasons: ["under-age"] });
    expect(await problems()).toEqual([
      `${recoded.key}: declined in the grid, approved in the stream; declined, but has a transaction; declined, but has a confirmation; declined, but has no alert; declined (under-age), but must be approved; declined (under-age), but its facts say approved`,
    ]);
    payments.values.set(recoded.key, recoded);

    const number = sends.find(({ id }) => id === leaked.key)?.sale.card.number;
    const confirmation = stores.confirmations.documents.get(leaked.key) as Confirmation;
    stores.confirmations.documents.set(leaked.key, { ...confirmation, message: `card 0${number}` });
    expect(await problems()).toEqual([`${leaked.key}: its card number is in the stores`]);
    stores.confirmations.documents.set(leaked.key, confirmation);

    const bad = sends.find(({ must }) => "fault" in must)!;
    const status = "fault" in bad.must ? bad.must.status : 0;
    const told = new Map<string, object[]>([
      [refused.key, [{ status: 200, outcome: "approved" }, { status: 422 }]],
      [
        toldOtherwise.key,
        [
          { status: 202, outcome: "held" },
          { status: 200, outcome: "declined" },
        ],
      ],
      [bad.id, [{ status: 200, outcome: "approved" }]],
    ]);
    expect((await problems(told)).toSorted()).toEqual(
      [
        `${refused.key}: refused (HTTP 422)`,
        `${toldOtherwise.key}: told that it is declined`,
        `${bad.id}: answered with HTTP 200 instead of ${status}`,
      ].sort(),
    );

    const stray = { ...lost, key: "shop:M-001:stray" };
    payments.values.set(stray.key, stray);
    expect(await problems()).toEqual([`${stray.key}: in the stores, but was never sent`]);
  });
});
