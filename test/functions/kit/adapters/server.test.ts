import { once } from "node:events";
import http, { type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it, vi } from "vitest";
import * as z from "zod";
import { functionServer } from "../../../../functions/kit/adapters/server.ts";
import { contract } from "../../../../functions/kit/contract.ts";
import { handle } from "../../../../functions/kit/handle.ts";

const entry = new URL("file:///none.ts");
const silent = contract({ name: "silent", entry, in: z.unknown() });
const batch = { method: "POST", body: '{"events":[{"origin":"o","headers":{},"value":"1","attempt":1}]}' };
const headers = { "fivefold-batch": "1", "content-type": "application/json" };

const servers: Server[] = [];
const start = async (code = async () => {}) => {
  const server = functionServer(handle(silent, code), {}, "right").listen(0, "127.0.0.1");
  servers.push(server);
  await once(server, "listening");
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
};
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

describe("the server of a function of events", () => {
  it("is healthy without a token", async () => {
    const { url } = await start();
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
  });

  it.each([undefined, "", "Bearer", "Bearer wrong", "Bearer right2", "Basic right", "right"])(
    "refuses the authorization %j",
    async (authorization) => {
      const code = vi.fn(async () => {});
      const { url } = await start(code);
      const answer = await fetch(url, {
        ...batch,
        headers: { ...headers, ...(authorization !== undefined && { authorization }) },
      });
      expect(answer.status).toBe(401);
      expect(answer.headers.get("www-authenticate")).toBe("Bearer");
      expect(code).not.toHaveBeenCalled();
    },
  );

  it("lets the right token in", async () => {
    const { url } = await start();
    const answer = await fetch(url, { ...batch, headers: { ...headers, authorization: "Bearer right" } });
    expect(await answer.json()).toEqual({ outcomes: [{ status: "done" }] });
  });

  it("answers what it has begun when it closes, and takes no more", async () => {
    const begun = Promise.withResolvers<void>();
    const go = Promise.withResolvers<void>();
    const { server, url } = await start(async () => {
      begun.resolve();
      await go.promise;
    });
    const agent = new http.Agent({ keepAlive: true });
    const answered = new Promise<http.IncomingMessage>((resolve, reject) => {
      const sent = { ...headers, authorization: "Bearer right" };
      http.request(url, { method: "POST", agent, headers: sent }, resolve).on("error", reject).end(batch.body);
    });
    await begun.promise;
    const closed = once(server, "close");
    server.close();
    await expect(fetch(`${url}/healthz`)).rejects.toThrow();
    go.resolve();
    const answer = await answered;
    answer.resume();
    expect(answer.statusCode).toBe(200);
    expect(answer.headers.connection).toBe("close");
    await closed;
    agent.destroy();
  });

  it("survives callers that go away in the middle of a body", async () => {
    const { url } = await start();
    const request = http.request(url, {
      method: "POST",
      headers: { ...headers, authorization: "Bearer right", "content-length": 100 },
    });
    request.on("error", () => undefined);
    request.write("{");
    await new Promise((resolve) => setTimeout(resolve, 20));
    request.destroy();
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
  });
});
