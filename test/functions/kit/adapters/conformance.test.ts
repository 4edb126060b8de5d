/** What a function can rely on whichever provider runs it. */
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import * as z from "zod";
import { adapt } from "../../../../functions/kit/adapters/fission.ts";
import { functionServer } from "../../../../functions/kit/adapters/server.ts";
import type { Connectors } from "../../../../functions/kit/connect-ports.ts";
import { contract, endpoint } from "../../../../functions/kit/contract.ts";
import { BadInput, Unavailable } from "../../../../functions/kit/errors.ts";
import { type Handler, handle, reply } from "../../../../functions/kit/handle.ts";
import { objects } from "../../../../functions/kit/ports.ts";
import { text } from "../../../../functions/kit/schema.ts";
import { fissionRuntime } from "./fission-runtime.ts";

const entry = new URL("file:///none.ts");
const token = "the-token";
const folder = mkdtempSync(join(tmpdir(), "settings-"));
beforeAll(() => {
  mkdirSync(join(folder, "store-ports"));
  writeFileSync(join(folder, "store-ports", "lake"), JSON.stringify({ bucket: "b" }));
  vi.stubEnv("FIVEFOLD_SETTINGS", folder);
  vi.spyOn(console, "error").mockImplementation(() => undefined);
});
afterAll(() => rmSync(folder, { recursive: true }));

const hosts: Record<string, (handler: Handler, connectors: Connectors) => Server> = {
  fission: (handler, connectors) => fissionRuntime(adapt(handler, connectors)),
  server: (handler, connectors) =>
    functionServer(handler, connectors, handler.contract.on === "event" ? token : undefined),
};

const servers: Server[] = [];
afterEach(async () => {
  vi.mocked(console.error).mockClear();
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

describe.each(Object.entries(hosts))("on %s", (_, host) => {
  const start = async (handler: Handler, connectors: Connectors = {}) => {
    const server = host(handler, connectors).listen(0, "127.0.0.1");
    servers.push(server);
    await once(server, "listening");
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  };
  const send = async (
    url: string,
    body?: string | Uint8Array,
    headers: Record<string, string> = {},
    method = "POST",
  ) => {
    const sent = { authorization: `Bearer ${token}`, ...headers };
    const response = await fetch(url, { method, headers: sent, ...(body !== undefined && { body: body as never }) });
    const answer = await response.text();
    const type = response.headers.get("content-type");
    return {
      status: response.status,
      type,
      headers: response.headers,
      body: type?.includes("json") ? JSON.parse(answer) : answer,
    };
  };
  const sendBatch = (url: string, body: unknown) =>
    send(url, JSON.stringify(body), { "content-type": "application/json", "fivefold-batch": "1" });
  const json = { "content-type": "application/json" };

  describe("a function of events", () => {
    const count = contract({ name: "count", entry, in: z.object({ n: z.number() }), out: z.number() });
    const counting = handle(count, ({ n }) => n + 1);
    const event = { origin: "t/0/1", headers: {}, value: '{"n":1}', attempt: 1 };

    it("answers batches", async () => {
      const bad = { ...event, value: '{"n":"x"}' };
      const answer = await sendBatch(await start(counting), { events: [event, bad] });
      expect(answer).toMatchObject({ status: 200, type: expect.stringMatching(/^application\/json/) });
      expect(answer.body).toEqual({
        outcomes: [
          { status: "done", out: 2 },
          { status: "rejected", reason: "The input of count does not fit its schema at n" },
        ],
      });
    });

    it.each([{}, { events: [{}] }, []])("refuses the batch %j", async (body) => {
      const answer = await sendBatch(await start(counting), body);
      expect(answer).toMatchObject({ status: 400, body: { error: "Not a batch of events" } });
    });

    it("refuses a batch without a body", async () => {
      expect((await send(await start(counting), "", { "fivefold-batch": "1" })).status).toBe(400);
    });

    it("refuses a batch that is no JSON", async () => {
      expect((await send(await start(counting), "{", { ...json, "fivefold-batch": "1" })).status).toBe(400);
    });

    it("refuses plain requests", async () => {
      const answer = await send(await start(counting), '{"n":1}', json);
      const error = "count takes batches of events, not plain requests";
      expect(answer).toMatchObject({ status: 400, body: { error } });
    });

    it("is given its ports with the settings mounted for it", async () => {
      const store = contract({ name: "store", entry, in: z.unknown(), out: z.string(), needs: { lake: objects() } });
      const handler = handle(store, async (_, { lake }) => {
        await lake.put("k", "b", "text/plain");
        return "stored";
      });
      const put = vi.fn(async () => undefined);
      const connect = vi.fn((_settings: object) => ({ put }));
      const answer = await sendBatch(await start(handler, { objects: connect }), { events: [event] });
      expect(answer.body).toEqual({ outcomes: [{ status: "done", out: "stored" }] });
      expect(connect.mock.calls[0]?.[0]).toEqual({ bucket: "b" });
      expect(put).toHaveBeenCalledWith("k", "b", "text/plain");
    });
  });

  describe("a function of requests", () => {
    const Order = z.object({ item: z.string() });
    const order = endpoint({ name: "order", entry, in: Order });
    const words = endpoint({ name: "words", entry, in: text(z.string().max(100)) });
    const echo = handle(words, (body) => reply(200, body) as never);

    it("is given the request", async () => {
      const handler = handle(order, (body, _, { method, query, headers, path }) =>
        reply(200, { body, method, query, path, sent: headers["x-sent"] }),
      );
      const answer = await send(`${await start(handler)}/orders?of=7`, '{"item":"tea"}', { ...json, "x-sent": "yes" });
      const expected = { body: { item: "tea" }, method: "POST", query: { of: "7" }, path: "/orders", sent: "yes" };
      expect(answer).toMatchObject({ status: 200, body: expected });
    });

    it("is given no body where there is none", async () => {
      const show = endpoint({ name: "show", entry, in: z.undefined() });
      const handler = handle(show, (body, _, { method }) => reply(200, `${method} ${body}`));
      expect((await send(await start(handler), undefined, {}, "GET")).body).toBe("GET undefined");
    });

    it.each([
      ["text/csv", "1,2"],
      ["text/plain; charset=utf-8", "grüß"],
      ["application/octet-stream", "bytes"],
      ["application/json", '{"a":1}'],
    ])("that wants text takes %s", async (type, body) => {
      expect((await send(await start(echo), body, { "content-type": type })).body).toBe(body);
    });

    it("that wants text gets JSON written anew", async () => {
      expect((await send(await start(echo), '{ "a" : 1.0 }', json)).body).toBe('{"a":1}');
    });

    it.each(["application/senml+json", "application/x-www-form-urlencoded", "image/png"])(
      "takes no %s",
      async (type) => {
        const answer = await send(await start(echo), "[]", { "content-type": type });
        const error =
          "Send the body as application/json, text/* or application/octet-stream, and name it in Content-Type";
        expect(answer).toMatchObject({ status: 415, body: { error } });
      },
    );

    it("answers 400 to a body that is no JSON but says so", async () => {
      expect((await send(await start(echo), "{secret", json)).status).toBe(400);
    });

    it("answers 400 to bytes that are no text", async () => {
      const answer = await send(await start(echo), Uint8Array.of(0xff), { "content-type": "application/octet-stream" });
      expect(answer).toMatchObject({ status: 400, body: { error: "The input is not UTF-8 text" } });
    });

    it("answers 422 to a body that does not fit, naming where and not what", async () => {
      const answer = await send(await start(handle(order, () => undefined)), '{"item":["secret"]}', json);
      const error = "The input of order does not fit its schema at item";
      expect(answer).toMatchObject({ status: 422, body: { error } });
    });

    it("answers 422 where the code finds the input bad", async () => {
      const handler = handle(order, () => {
        throw new BadInput("no such item");
      });
      expect(await send(await start(handler), '{"item":"x"}', json)).toMatchObject({
        status: 422,
        body: { error: "no such item" },
      });
    });

    it("answers 413 to more than 1 MiB", async () => {
      const body = "x".repeat(5 * 1024 * 1024);
      expect((await send(await start(echo), body, { "content-type": "text/plain" })).status).toBe(413);
    });

    it("answers 500 where it fails, and says why to the log alone", async () => {
      const handler = handle(order, () => {
        throw new Error("the store is down");
      });
      const answer = await send(await start(handler), '{"item":"secret"}', json);
      expect(answer).toMatchObject({ status: 500, body: { error: "order failed" } });
      const line = { level: "error", function: "order", message: "the store is down" };
      expect(vi.mocked(console.error).mock.calls).toEqual([[JSON.stringify(line)]]);
    });

    it("answers 503 where it cannot reach what it needs", async () => {
      const handler = handle(order, () => {
        throw new Unavailable("no database");
      });
      const error = "order cannot reach what it needs";
      expect(await send(await start(handler), '{"item":"secret"}', json)).toMatchObject({
        status: 503,
        body: { error },
      });
    });

    it("answers 504 where it takes too long", async () => {
      const slow = endpoint({ name: "slow", entry, in: z.unknown(), timeout: "0.02 seconds" });
      const handler = handle(slow, () => new Promise<void>(() => undefined));
      const error = "slow timed out after 0.02 seconds";
      expect(await send(await start(handler))).toMatchObject({ status: 504, body: { error } });
    });

    it("answers 204 where there is nothing to say", async () => {
      expect(await send(await start(handle(order, () => undefined)), '{"item":"x"}', json)).toMatchObject({
        status: 204,
        body: "",
      });
    });

    it("answers with the headers it likes", async () => {
      const handler = handle(order, () => reply(200, "<p>", { "content-type": "text/html", "x-a": "b" }));
      const answer = await send(await start(handler), '{"item":"x"}', json);
      expect(answer).toMatchObject({ status: 200, type: expect.stringMatching(/^text\/html/), body: "<p>" });
      expect(answer.headers.get("x-a")).toBe("b");
    });

    it("refuses batches", async () => {
      const answer = await sendBatch(await start(echo), { events: [] });
      const error = "words takes plain requests, not batches of events";
      expect(answer).toMatchObject({ status: 400, body: { error } });
    });
  });
});
