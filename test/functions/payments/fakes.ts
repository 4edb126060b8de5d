/** In memory: a grid with claims, collections, and a fraud API that can be away. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";
import type { Count, Documents, Grid } from "../../../functions/kit/ports.ts";
import type { FraudApi } from "../../../functions/payments/contracts.ts";
import type { FraudQuestion, Payment, Purchase } from "../../../functions/payments/events.ts";
import { scoreOf } from "../../../functions/payments/fraud-rules.ts";

/** Every call takes a turn of the event loop, as a network would, so that others come in between. */
const turn = () => new Promise((resolve) => setImmediate(resolve));

export class FakeGrid implements Grid<Payment> {
  readonly values = new Map<string, Payment>();
  /** Every write, in order. */
  readonly stream: Payment[] = [];
  readonly counted = new Map<string, { times: number; amount: number }>();
  readonly claims = new Map<string, { claim: string; until: number }>();
  #claims = 0;

  async get(key: string) {
    await turn();
    return this.values.get(key);
  }

  async claim(key: string, milliseconds: number) {
    await turn();
    if ((this.claims.get(key)?.until ?? 0) > Date.now()) return { status: "taken" } as const;
    const claim = String(++this.#claims);
    this.claims.set(key, { claim, until: Date.now() + milliseconds });
    return { status: "claimed", claim, value: this.values.get(key) } as const;
  }

  async write(key: string, value: Payment, claim: string, count: readonly Count[] = []) {
    await turn();
    if (!this.#holds(key, claim)) return "lost" as const;
    this.values.set(key, value);
    this.stream.push(value);
    for (const { name, amount } of count) {
      const { times = 0, amount: before = 0 } = this.counted.get(name) ?? {};
      this.counted.set(name, { times: times + 1, amount: before + amount });
    }
    this.claims.delete(key);
    return "written" as const;
  }

  async release(key: string, claim: string) {
    await turn();
    if (this.#holds(key, claim)) this.claims.delete(key);
  }

  async counts(names: readonly string[]) {
    await turn();
    return names.map((name) => this.counted.get(name) ?? { times: 0, amount: 0 });
  }

  #holds(key: string, claim: string): boolean {
    const held = this.claims.get(key);
    return held?.claim === claim && held.until > Date.now();
  }
}

export class FakeDocuments<Document> implements Documents<Document> {
  readonly documents = new Map<string, Document>();

  async get(id: string) {
    return this.documents.get(id);
  }

  async insertOnce(id: string, document: Document) {
    if (this.documents.has(id)) return "exists" as const;
    this.documents.set(id, document);
    return "inserted" as const;
  }

  async put(id: string, document: Document) {
    this.documents.set(id, document);
  }
}

export interface FakeFraudApi extends FraudApi {
  /** Instead of a score. */
  fault: "none" | "error" | "garbage" | "silence" | "cut";
  readonly questions: unknown[];
}

/** Over real HTTP, with the rules of the kit's own. */
export async function fakeFraudApi(timeoutMilliseconds = 5_000): Promise<FakeFraudApi> {
  const api: FakeFraudApi = { url: "", timeoutMilliseconds, fault: "none", questions: [] };
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const question = JSON.parse(Buffer.concat(chunks).toString()) as FraudQuestion;
    api.questions.push(question);
    if (api.fault === "silence") return;
    if (api.fault === "cut") return request.socket.destroy();
    if (api.fault === "error") response.writeHead(500);
    response.end(api.fault === "garbage" ? "<html>" : JSON.stringify(scoreOf(question)));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return Object.assign(api, { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/scores` });
}

/** A purchase that is approved. */
export const purchase: Purchase = {
  key: "shop:M-001:order-1",
  frontEnd: "shop",
  reference: "order-1",
  merchant: "M-001",
  amount: 49_90,
  currency: "EUR",
  card: { token: "tokentokentokentoken", lastFour: "1111", network: "visa", expires: "2030-12" },
  location: { country: "DE", city: "Berlin" },
  customer: { age: 40 },
  at: "2026-11-23T12:00:00.000Z",
};

export const quiet = { times: 0, amount: 0 };

export const approved: Payment = {
  ...purchase,
  outcome: "approved",
  reasons: [],
  facts: { score: 5, card: quiet, merchant: quiet },
  ruleSet: "2026-11",
  received: "2026-11-23T12:00:01.000Z",
  decided: "2026-11-23T12:00:01.010Z",
};
