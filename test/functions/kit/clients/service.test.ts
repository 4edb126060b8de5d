import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import * as z from "zod";
import { functionServer } from "../../../../functions/kit/adapters/server.ts";
import { connect } from "../../../../functions/kit/clients/service.ts";
import { contract } from "../../../../functions/kit/contract.ts";
import { BadInput, Unavailable } from "../../../../functions/kit/errors.ts";
import { type EventHandler, handle } from "../../../../functions/kit/handle.ts";
import { text } from "../../../../functions/kit/schema.ts";

const entry = new URL("file:///none.ts");
const shout = contract({ name: "shout", entry, in: z.object({ word: z.string() }), out: z.string() });

let server: Server;
let requests = 0;
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

async function serve(handler: EventHandler, encoding: "json" | "text" = "json") {
  server = functionServer(handler, {}, "right").listen(0, "127.0.0.1");
  await once(server, "listening");
  requests = 0;
  server.on("request", () => requests++);
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return connect({ url, auth: { kind: "bearer", token: "right" } }, { encoding });
}

describe("a service", () => {
  it("answers each call its own output, many in one request", async () => {
    const { call } = await serve(handle(shout, ({ word }) => word.toUpperCase()));
    const words = Array.from({ length: 50 }, (_, n) => `word-${n}`);
    const answers = await Promise.all(words.map((word) => call({ word })));
    expect(answers).toEqual(words.map((word) => word.toUpperCase()));
    expect(requests).toBe(1);
  });

  it("is given the key", async () => {
    const { call } = await serve(handle(shout, (_, __, { key }) => `key ${key}`));
    expect(await Promise.all([call({ word: "a" }, { key: "k" }), call({ word: "a" })])).toEqual([
      "key k",
      "key undefined",
    ]);
  });

  it("makes no request larger than a function takes", async () => {
    const { call } = await serve(handle(shout, ({ word }) => `${word.length}`));
    const word = "x".repeat(300_000);
    expect(await Promise.all([1, 2, 3, 4].map(() => call({ word })))).toEqual(new Array(4).fill("300000"));
    expect(requests).toBe(2);
  });

  it("that wants text gets bare text", async () => {
    const words = contract({ name: "words", entry, in: text(z.string()), out: z.string() });
    const { call } = await serve(
      handle(words, (word) => `<${word}>`),
      "text",
    );
    expect(await call("grüß")).toBe("<grüß>");
  });

  it("that rejects throws BadInput; one that fails throws an Error; others are not touched", async () => {
    const handler = handle(shout, ({ word }) => {
      if (word === "bad") throw new BadInput("is bad");
      if (word === "down") throw new Error("is down");
      return word;
    });
    const { call } = await serve(handler);
    const [bad, down, good] = await Promise.allSettled(["bad", "down", "good"].map((word) => call({ word })));
    expect(bad).toMatchObject({ reason: new BadInput("is bad") });
    expect((bad as PromiseRejectedResult).reason).toBeInstanceOf(BadInput);
    expect(down).toMatchObject({ reason: new Error("is down") });
    expect((down as PromiseRejectedResult).reason).not.toBeInstanceOf(BadInput);
    expect(good).toMatchObject({ value: "good" });
  });

  it("that cannot reach what it needs, or cannot be reached itself, is unavailable", async () => {
    const { call } = await serve(
      handle(shout, () => {
        throw new Unavailable("no database");
      }),
    );
    const error = await call({ word: "a" }).catch((reason: unknown) => reason);
    expect(error).toEqual(new Unavailable("no database"));
    expect(error).toBeInstanceOf(Unavailable);
    server.closeAllConnections();
    server.close();
    await once(server, "close");
    await expect(call({ word: "a" })).rejects.toBeInstanceOf(Unavailable);
  });

  it("that refuses the caller throws an Error", async () => {
    await serve(handle(shout, () => ""));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const { call } = connect({ url, auth: { kind: "bearer", token: "wrong" } }, { encoding: "json" });
    await expect(call({ word: "a" })).rejects.toThrow("answered with status 401");
  });
});
