import { createHash, createHmac } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type RequestListener, type Server } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import type { FunctionAddress, WireEvent } from "../../../functions/kit/batch.ts";
import { CallFailed, caller, strictCaller } from "../../../functions/kit/caller.ts";

const events: WireEvent[] = [0, 1].map((n) => ({ origin: `t/0/${n}`, headers: {}, value: `"grüß ${n}"`, attempt: 1 }));
const done = { status: "done" };
const bearer = { kind: "bearer", token: "the-token" } as const;
const timeoutMilliseconds = 2000;

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

async function listen(server: Server): Promise<string> {
  servers.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A function that answers whatever it is told to. */
async function functionThat(answer: (seen: Seen) => { readonly status?: number; readonly body: string }) {
  const seen: Seen[] = [];
  const listener: RequestListener = async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const { method = "", url = "", headers } = request;
    seen.push({ method, url, headers, body: Buffer.concat(chunks).toString() });
    const { status = 200, body } = answer(seen.at(-1) as Seen);
    response.writeHead(status).end(body);
  };
  return { seen, url: await listen(createServer(listener)) };
}

const outcomes = (...list: unknown[]) => ({ body: JSON.stringify({ outcomes: list }) });

describe("a call", () => {
  it("is a batch with the bearer token, and answers the outcomes", async () => {
    const rejected = { status: "rejected", reason: "why" };
    const { seen, url } = await functionThat(() => outcomes({ ...done, out: { a: 1 } }, rejected));
    const answer = await caller({ url: `${url}/fn`, auth: bearer }, { timeoutMilliseconds })(events);
    expect(answer).toEqual([{ ...done, out: { a: 1 } }, rejected]);
    expect(seen).toMatchObject([
      {
        method: "POST",
        url: "/fn",
        headers: { authorization: "Bearer the-token", "fivefold-batch": "1", "content-type": "application/json" },
      },
    ]);
    expect(JSON.parse(seen[0]?.body ?? "")).toEqual({ events });
  });

  it("keeps its connection", async () => {
    const server = createServer((request, response) => {
      request.resume().on("end", () => response.end(JSON.stringify({ outcomes: [done, done] })));
    });
    let connections = 0;
    server.on("connection", () => connections++);
    const call = caller({ url: await listen(server), auth: bearer }, { timeoutMilliseconds });
    for (let n = 0; n < 5; n++) await call(events);
    expect(connections).toBe(1);
  });

  it("is made again where the kept connection is closed under it", async () => {
    let requests = 0;
    const server = createServer((request, response) => {
      requests++;
      // The second request meets a connection that is being closed.
      if (requests === 2) return request.socket.resetAndDestroy();
      request.resume().on("end", () => response.end(JSON.stringify({ outcomes: [done, done] })));
    });
    const call = caller({ url: await listen(server), auth: bearer }, { timeoutMilliseconds });
    expect(await call(events)).toEqual([done, done]);
    expect(await call(events)).toEqual([done, done]);
    expect(requests).toBe(3);
  });
});

describe("a call of Fission's internal listener", () => {
  const key = Buffer.from("0123456789abcdef0123456789abcdef");

  /** As Fission's `pkg/auth/hmac` checks it. */
  const verify = ({ method, url, headers, body }: Seen): boolean => {
    const time = Number(headers["x-fission-auth-timestamp"]);
    if (!(Math.abs(time - Date.now() / 1000) <= 60)) return false;
    const lines = [method, url, createHash("sha256").update(body).digest("hex"), `${Math.floor(time / 60) * 60}`];
    return headers["x-fission-auth-signature"] === createHmac("sha256", key).update(lines.join("\n")).digest("hex");
  };

  it.each(["/fission-function/iot/normalize", "/fission-function/ingest?a=b%20c"])("to %s is signed", async (path) => {
    const { seen, url } = await functionThat((given) =>
      verify(given) ? outcomes(done, done) : { status: 401, body: "" },
    );
    const address: FunctionAddress = { url: url + path, auth: { kind: "fission", key: key.toString("base64") } };
    expect(await caller(address, { timeoutMilliseconds })(events)).toEqual([done, done]);
    expect(seen[0]?.headers.authorization).toBeUndefined();
  });

  it("with another key is refused", async () => {
    const { url } = await functionThat((given) => (verify(given) ? outcomes(done, done) : { status: 401, body: "" }));
    const address: FunctionAddress = { url, auth: { kind: "fission", key: "bm90IHRoZSBrZXk=" } };
    const [outcome] = await caller(address, { timeoutMilliseconds })(events);
    expect(outcome).toEqual({ status: "failed", reason: expect.stringMatching(/answered with status 401$/) });
  });
});

describe("an answer that is none fails every event:", () => {
  it.each([
    ["a status other than 200", { status: 503, body: "" }, "status", "answered with status 503"],
    ["outcomes with another status", { ...outcomes(done, done), status: 207 }, "status", "answered with status 207"],
    ["nothing", { body: "" }, "garbled", "answered something else than outcomes"],
    ["a page", { body: "<html>" }, "garbled", "answered something else than outcomes"],
    ["null", { body: "null" }, "garbled", "answered something else than outcomes"],
    ["another shape", { body: '{"outcomes":{"0":1}}' }, "garbled", "answered something else than outcomes"],
    ["an unknown outcome", outcomes(done, { status: "maybe" }), "garbled", "answered something else than outcomes"],
    [
      "a failure without a reason",
      outcomes(done, { status: "failed" }),
      "garbled",
      "answered something else than outcomes",
    ],
    ["too few outcomes", outcomes(done), "garbled", "answered 1 outcomes for 2 events"],
    ["too many outcomes", outcomes(done, done, done), "garbled", "answered 3 outcomes for 2 events"],
    ["too much", { body: "x".repeat(9 * 1024 * 1024) }, "garbled", "the answer is larger than 8388608 bytes"],
  ])("%s", async (_, answer, because, reason) => {
    const { url } = await functionThat(() => answer);
    const result = await caller({ url, auth: bearer }, { timeoutMilliseconds })(events);
    const failed = { status: "failed", reason: expect.stringContaining(reason) };
    expect(result).toEqual([failed, failed]);
    const error = await strictCaller({ url, auth: bearer }, { timeoutMilliseconds })(events).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(CallFailed);
    expect(error).toMatchObject({ because });
  });

  const causeOf = async (url: string, milliseconds = timeoutMilliseconds) =>
    strictCaller(
      { url, auth: bearer },
      { timeoutMilliseconds: milliseconds },
    )(events).then(
      () => "none",
      (error: CallFailed) => `${error.because}: ${error.message}`,
    );

  it("nobody listens", async () => {
    const server = createServer();
    const url = await listen(server);
    await new Promise((resolve) => server.close(resolve));
    expect(await causeOf(url)).toMatch(/^unreachable: the function at 127.0.0.1:\d+: .*ECONNREFUSED/);
  });

  it("it hangs up", async () => {
    const server = createServer((request) => request.socket.destroy());
    expect(await causeOf(await listen(server))).toMatch(/^garbled: .*socket hang up/);
  });

  it("it hangs up in the middle of the answer", async () => {
    const server = createServer((request, response) => {
      request.resume().on("end", () => {
        response.writeHead(200, { "content-length": 100 }).write('{"outcomes":[');
        setTimeout(() => request.socket.destroy(), 10);
      });
    });
    expect(await causeOf(await listen(server))).toMatch(/^garbled: .*aborted/);
  });

  it("it never answers", async () => {
    const server = createServer(() => undefined);
    expect(await causeOf(await listen(server), 50)).toMatch(/^timeout: .*no answer after 0.05 seconds$/);
  });

  it("it never ends its answer", async () => {
    const server = createServer((_, response) => {
      response.writeHead(200).write("{");
    });
    expect(await causeOf(await listen(server), 50)).toMatch(/^timeout: .*no answer after 0.05 seconds$/);
  });

  it("it speaks no HTTP", async () => {
    const server = createTcpServer((socket) => socket.on("error", () => undefined).end("hello\r\n\r\n"));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    expect(await causeOf(`http://127.0.0.1:${port}`)).toMatch(/^garbled: /);
    server.close();
  });
});
