import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { functionServer } from "../../../functions/kit/adapters/server.ts";
import type { Connectors } from "../../../functions/kit/connect-ports.ts";
import { BadInput, Unavailable } from "../../../functions/kit/errors.ts";
import { handleEvent, handleRequest } from "../../../functions/kit/testing.ts";
import assess from "../../../functions/payments/assess.ts";
import { type Assessment, FrontEnd, type Purchase } from "../../../functions/payments/events.ts";
import {
  type FrontEndSettings,
  frontEndClient,
  paymentKey,
  requestOf,
  type Sale,
} from "../../../functions/payments/front-ends/front-end.ts";
import { signed } from "../../../functions/payments/front-ends/wallet.ts";
import parse from "../../../functions/payments/parse.ts";
import { isSigned, sign, signatureHeader, timeHeader } from "../../../functions/payments/signature.ts";
import { FakeGrid, fakeFraudApi } from "./fakes.ts";

const signingKey = "w".repeat(32);
const keys = { tokens: "t".repeat(32), wallets: [signingKey, "v".repeat(32)] };
const number = "4111111111111111";
const base = {
  merchant: "M-001",
  amount: 49_90,
  currency: "EUR",
  card: { number, expires: "2030-12" },
  location: { country: "DE" },
  age: 40,
  at: "2026-11-23T12:00:00.000Z",
} as const;
const sales: Record<FrontEnd, Sale> = {
  terminal: { ...base, frontEnd: "terminal", reference: "TERM0001.RRN000000001" },
  shop: { ...base, frontEnd: "shop", reference: "order-1" },
  wallet: { ...base, frontEnd: "wallet", reference: "wallet-1" },
};

describe("parse", () => {
  const start = (assessment: Assessment = { status: "decided", outcome: "approved", reasons: [] }) => {
    const call = vi.fn(async (_: Purchase, __?: { readonly key?: string }) => assessment);
    const take = (frontEnd: string | undefined, { headers, body }: ReturnType<typeof requestOf>) => {
      const sent = { ...headers, ...(frontEnd !== undefined && { "x-client": frontEnd }) };
      return handleRequest(parse, body, { keys, assess: { call } }, { headers: sent });
    };
    return { call, take };
  };
  const request = (frontEnd: FrontEnd) => requestOf(sales[frontEnd], { signingKey });

  it.each(FrontEnd.options)("has a payment of the %s decided, under its key", async (frontEnd) => {
    const { call, take } = start();
    const key = paymentKey(sales[frontEnd]);
    expect(await take(frontEnd, request(frontEnd))).toMatchObject({
      status: 200,
      body: { payment: key, outcome: "approved", reasons: [] },
    });
    expect(call).toHaveBeenCalledExactlyOnceWith(expect.objectContaining({ key, frontEnd, amount: 49_90 }), { key });
    expect(JSON.stringify(call.mock.calls)).not.toContain(number);
  });

  it.each<[Assessment, number, object]>([
    [
      { status: "decided", outcome: "declined", reasons: ["under-age"] },
      200,
      { outcome: "declined", reasons: ["under-age"] },
    ],
    [{ status: "decided", outcome: "held", reasons: ["fraud-api-away"] }, 202, { outcome: "held" }],
    [{ status: "busy" }, 409, { error: expect.any(String) }],
  ])("answers %j with status %i", async (assessment, status, body) => {
    const { take } = start(assessment);
    expect(await take("shop", request("shop"))).toMatchObject({ status, body });
  });

  it.each([undefined, "", "kiosk", "Shop", "shop, wallet"])("refuses the front end %j", async (frontEnd) => {
    const { call, take } = start();
    expect(await take(frontEnd, request("shop"))).toMatchObject({ status: 401 });
    expect(call).not.toHaveBeenCalled();
  });

  it("refuses what another front end speaks", async () => {
    const { call, take } = start();
    await expect(take("terminal", request("shop"))).rejects.toThrow(BadInput);
    await expect(take("shop", request("wallet"))).rejects.toThrow(BadInput);
    expect(await take("wallet", request("shop"))).toMatchObject({ status: 401 });
    expect(call).not.toHaveBeenCalled();
  });

  it("does not answer that it has what nobody has decided", async () => {
    const { call, take } = start();
    call.mockRejectedValue(new Unavailable("assess"));
    await expect(take("shop", request("shop"))).rejects.toThrow(Unavailable);
  });
});

describe("a wallet's signature", () => {
  const seconds = 1_795_000_000;
  const now = seconds * 1000;
  const { headers, body } = signed('{"id":"ü"}', signingKey, seconds);

  it("is right for the body that was signed, for some minutes", () => {
    expect(isSigned(keys.wallets, headers, body, now)).toBe(true);
    expect(isSigned(keys.wallets, headers, body, now + 300_000)).toBe(true);
    expect(isSigned(keys.wallets, headers, body, now - 300_000)).toBe(true);
  });

  it("may be of the key before", () => {
    expect(isSigned(keys.wallets, signed(body, "v".repeat(32), seconds).headers, body, now)).toBe(true);
  });

  it.each<[string, Record<string, string>, string?, number?]>([
    ["too old", headers, body, now + 301_000],
    ["of the future", headers, body, now - 301_000],
    ["of another body", headers, `${body} `],
    ["of the same JSON written otherwise", headers, '{ "id": "ü" }'],
    ["of another key", signed(body, "x".repeat(32), seconds).headers],
    ["of another time", { ...headers, [timeHeader]: String(seconds + 1) }],
    ["missing", { [timeHeader]: String(seconds) }],
    ["without a time", { [signatureHeader]: headers[signatureHeader] ?? "" }],
    ["empty", { ...headers, [signatureHeader]: "" }],
    ["cut", { ...headers, [signatureHeader]: (headers[signatureHeader] ?? "").slice(0, -1) }],
    ["of a time that is none", { [timeHeader]: "NaN", [signatureHeader]: sign(signingKey, Number.NaN, body) }],
    ["of a time with a fraction", { [timeHeader]: "1795000000.0", [signatureHeader]: headers[signatureHeader] ?? "" }],
  ])("that is %s is refused", (_, given, signedBody = body, at = now) => {
    expect(isSigned(keys.wallets, given, signedBody, at)).toBe(false);
  });
});

/** Front ends over real HTTP against the deployed form of `parse`, which has `assess` in the same process. */
describe("front ends", () => {
  async function start() {
    const payments = new FakeGrid();
    const fraudApi = await fakeFraudApi();
    const connectors: Connectors = {
      settings: () => keys,
      service: () => ({ call: (purchase: Purchase) => handleEvent(assess, purchase, { payments, fraudApi }) }),
    };
    await mountSettings();
    const server = functionServer(parse, connectors);
    server.listen(0);
    onTestFinished(() => void server.close());
    const inner = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const settings = (frontEnd: FrontEnd, url = inner): FrontEndSettings => ({
      url,
      credentials: { "x-client": frontEnd },
      signingKey,
    });
    return { payments, fraudApi, settings };
  }
  const client = (settings: FrontEndSettings, patience?: number) => {
    const made = frontEndClient(settings, patience);
    onTestFinished(made.close);
    return made;
  };

  it("are told the decision, each in its way, and once for all that they send at once", async () => {
    const logs = watchLogs();
    const { payments, settings } = await start();
    for (const frontEnd of FrontEnd.options) {
      const { pay } = client(settings(frontEnd));
      const told = await Promise.all([pay(sales[frontEnd]), pay(sales[frontEnd]), pay(sales[frontEnd])]);
      const payment = paymentKey(sales[frontEnd]);
      expect(told).toEqual(Array(3).fill({ status: 200, payment, outcome: "approved", reasons: [] }));
    }
    expect(payments.stream).toHaveLength(3);
    const held = JSON.stringify([[...payments.values], payments.stream, [...payments.counted]]);
    expect(held).not.toContain(number);
    expect(logs()).not.toContain(number);
  });

  it("may call JSON what it is", async () => {
    const { settings } = await start();
    const { send } = client(settings("shop"));
    expect(await send(() => calledJson(requestOf(sales.shop, {})))).toMatchObject({ status: 200 });
  });

  it("are told that a payment is held, and later how it was decided", async () => {
    const { payments, fraudApi, settings } = await start();
    const { pay } = client(settings("shop"));
    const sale: Sale = { ...sales.shop, merchant: "M-GOLD" };
    fraudApi.fault = "error";
    expect(await pay(sale)).toMatchObject({ status: 202, outcome: "held" });
    const [held] = payments.stream;
    payments.values.set(held!.key, { ...held!, outcome: "approved", reasons: [] });
    expect(await pay(sale)).toMatchObject({ status: 200, outcome: "approved" });
  });

  it.each<[string, FrontEnd, () => ReturnType<typeof requestOf>, number]>([
    ["a signature of another key", "wallet", () => requestOf(sales.wallet, { signingKey: "x".repeat(32) }), 401],
    ["an old signature", "wallet", () => signed(requestOf(sales.wallet, {}).body, signingKey, 1_700_000_000), 401],
    [
      "a signature with another body",
      "wallet",
      () => {
        const request = requestOf(sales.wallet, { signingKey });
        return { ...request, body: request.body.replace("4990", "1") };
      },
      401,
    ],
    ["a message that is cut", "terminal", () => cut(requestOf(sales.terminal, {})), 422],
    ["JSON that is cut", "shop", () => cut(requestOf(sales.shop, {})), 422],
    ["JSON that is cut and called so", "shop", () => calledJson(cut(requestOf(sales.shop, {}))), 400],
    ["signed JSON that is cut", "wallet", () => signed('{"id":', signingKey, Math.floor(Date.now() / 1000)), 422],
    [
      "a wrong check digit",
      "shop",
      () => requestOf({ ...sales.shop, card: { ...base.card, number: "4111111111111112" } }, {}),
      422,
    ],
  ])("with %s are refused", async (_, frontEnd, request, status) => {
    const logs = watchLogs();
    const { payments, settings } = await start();
    expect(await client(settings(frontEnd)).send(request)).toEqual({ status });
    expect(payments.claims.size + payments.stream.length).toBe(0);
    expect(logs()).not.toMatch(/\d{13}/);
  });

  it("send again, with the same reference, until there is an answer", async () => {
    const { payments, settings } = await start();
    const answers = [500, 409, 429, 503, 200];
    const bodies: string[] = [];
    const server = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk);
      bodies.push(Buffer.concat(chunks).toString());
      const status = answers.shift() ?? 200;
      const body = { payment: "p", outcome: "approved", reasons: [] };
      response.writeHead(status).end(JSON.stringify(body));
    }).listen(0);
    onTestFinished(() => void server.close());
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    expect(await client(settings("terminal", url)).pay(sales.terminal)).toMatchObject({ status: 200 });
    expect(bodies.map((hex) => Buffer.from(hex, "hex").toString("latin1").slice(0, 4))).toEqual([
      "0100",
      "0101",
      "0101",
      "0101",
      "0101",
    ]);
    expect(payments.stream).toEqual([]);
    expect(await client(settings("shop", "http://127.0.0.1:1"), 300).pay(sales.shop)).toEqual({ status: 0 });
  });
});

const cut = ({ headers, body }: ReturnType<typeof requestOf>) => ({ headers, body: body.slice(0, -2) });

const calledJson = ({ body }: ReturnType<typeof requestOf>) => ({
  headers: { "content-type": "application/json" },
  body,
});

/** All that is printed from now on. */
function watchLogs(): () => string {
  const spies = (["log", "info", "warn", "error", "debug"] as const).map((name) =>
    vi.spyOn(console, name).mockImplementation(() => undefined),
  );
  onTestFinished(() => void vi.restoreAllMocks());
  return () => JSON.stringify(spies.flatMap((spy) => spy.mock.calls));
}

async function mountSettings(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "payments-"));
  await mkdir(join(folder, "parse-ports"));
  for (const port of ["keys", "assess"]) await writeFile(join(folder, "parse-ports", port), "{}");
  vi.stubEnv("FIVEFOLD_SETTINGS", folder);
  onTestFinished(async () => {
    vi.unstubAllEnvs();
    await rm(folder, { recursive: true });
  });
}
