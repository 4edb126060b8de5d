import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import type { BatchRequest, Outcome } from "../../../functions/kit/batch.ts";
import { Unavailable } from "../../../functions/kit/errors.ts";
import { deadLetters } from "../../../functions/relay/dead-letters.ts";
import { type Event, TimedOut } from "../../../functions/relay/event.ts";
import { type OutgoingRecord, type Publisher, TooLarge } from "../../../functions/relay/kafka.ts";
import { functionTarget } from "../../../functions/relay/targets/function.ts";
import { topicTarget } from "../../../functions/relay/targets/topic.ts";

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close().closeAllConnections();
});

type Answer = { status: number; body?: string } | "nothing" | "break";

async function serve(answer: (request: BatchRequest) => Answer): Promise<string> {
  const server = createServer((request, response) => {
    let text = "";
    request.on("data", (chunk) => {
      text += chunk;
    });
    request.on("end", () => {
      const answered = answer(JSON.parse(text));
      if (answered === "break") request.socket.destroy();
      else if (answered !== "nothing") response.writeHead(answered.status).end(answered.body);
    });
  }).listen(0, "127.0.0.1");
  servers.push(server);
  await new Promise((resolve) => server.once("listening", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

const outcomes = (...all: Outcome[]) => ({ status: 200, body: JSON.stringify({ outcomes: all }) });

function target(url: string, into?: Publisher, encoding: "json" | "text" = "json") {
  const address = { url, auth: { kind: "bearer" as const, token: "t" } };
  const settings = { address, timeoutMilliseconds: 200, bodyBytes: 1_000 };
  return functionTarget(settings, into && { publisher: into, topic: "out", encoding });
}

const event = (value: string | Buffer = "{}", key: string | undefined = "a"): Event => ({
  stream: "0",
  position: 0,
  origin: { topic: "raw", partition: "3", offset: "17" },
  key: key === undefined ? undefined : Buffer.from(key),
  headers: new Map([
    ["traceparent", Buffer.from("00-1-2-01")],
    ["kind", Buffer.from("é")],
  ]),
  value: Buffer.from(value),
});

function publisher(fail?: Error): Publisher & { sent: OutgoingRecord[] } {
  const sent: OutgoingRecord[] = [];
  return {
    sent,
    send: async (records) => {
      if (fail) throw fail;
      sent.push(...records);
    },
    close: async () => undefined,
  };
}

describe("a function", () => {
  it("gets events as the batch protocol says, and its outcomes become verdicts", async () => {
    let got: BatchRequest | undefined;
    const url = await serve((request) => {
      got = request;
      return outcomes(
        { status: "done" },
        { status: "rejected", reason: "bad" },
        { status: "failed", reason: "later" },
        { status: "unavailable", reason: "no database" },
      );
    });
    const binary = Buffer.from([0xff, 0x00]);
    const deliveries = [event('{"ü":1}'), event(binary), { ...event(), key: undefined }, event()];
    expect(await target(url)(deliveries.map((one, at) => ({ event: one, attempt: at + 1 })))).toEqual([
      { status: "done" },
      { status: "rejected", reason: "bad-input", message: "bad" },
      { status: "failed", reason: "failed", message: "later" },
      { status: "unavailable", message: "no database" },
    ]);
    const headers = { traceparent: "00-1-2-01", kind: "é" };
    expect(got?.events).toEqual([
      { origin: "raw/3/17", key: "a", headers, value: '{"ü":1}', attempt: 1 },
      { origin: "raw/3/17", key: "a", headers, value: binary.toString("base64"), base64: true, attempt: 2 },
      { origin: "raw/3/17", headers, value: "{}", attempt: 3 },
      { origin: "raw/3/17", key: "a", headers, value: "{}", attempt: 4 },
    ]);
  });

  it("takes an empty batch, as a question whether it is there", async () => {
    const url = await serve(({ events }) => outcomes(...events.map(() => ({ status: "done" as const }))));
    expect(await target(url)([])).toEqual([]);
  });

  const two = [1, 2].map((attempt) => ({ event: event(), attempt }));

  it.each([401, 403, 404, 429, 503])("is unavailable where it answers %i", async (status) => {
    await expect(target(await serve(() => ({ status })))(two)).rejects.toBeInstanceOf(Unavailable);
  });

  it("is unavailable where nobody listens", async () => {
    const url = await serve(() => "nothing");
    for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
    await expect(target(url)(two)).rejects.toBeInstanceOf(Unavailable);
  });

  it.each<[string, Answer]>([
    ["answers 500", { status: 500 }],
    ["answers 502", { status: 502 }],
    ["answers garbage", { status: 200, body: "hello" }],
    ["answers too few outcomes", outcomes({ status: "done" })],
    ["breaks the connection", "break"],
  ])("leaves open what became of the events where it %s", async (_, answer) => {
    const delivering = target(await serve(() => answer))(two);
    await expect(delivering).rejects.toThrow();
    await expect(delivering).rejects.not.toBeInstanceOf(Unavailable);
  });

  it("has a time limit", async () => {
    await expect(target(await serve(() => "nothing"))(two)).rejects.toBeInstanceOf(TimedOut);
  });

  it.each<[string, Answer, string]>([
    ["says so", { status: 413 }, "x"],
    ["breaks the connection", "break", "x".repeat(2_000)],
  ])("rejects an event alone as too large where it %s", async (_, answer, value) => {
    const url = await serve(() => answer);
    const [verdict] = await target(url)([{ event: event(value), attempt: 1 }]);
    expect(verdict).toMatchObject({ status: "rejected", reason: "too-large" });
    const all = [value, "y"].map((text) => ({ event: event(text), attempt: 1 }));
    await expect(target(url)(all)).rejects.toThrow();
  });
});

describe("what a function answers", () => {
  const one = [{ event: event(), attempt: 1 }];

  it("goes into the topic with key and trace before the event is done", async () => {
    const url = await serve(() =>
      outcomes({ status: "done", out: { n: 1 } }, { status: "done" }, { status: "failed", reason: "f" }),
    );
    const into = publisher();
    const verdicts = await target(url, into)([1, 2, 3].map(() => ({ event: event(), attempt: 1 })));
    expect(verdicts.map(({ status }) => status)).toEqual(["done", "done", "failed"]);
    const trace = new Map([["traceparent", Buffer.from("00-1-2-01")]]);
    expect(into.sent).toEqual([{ topic: "out", key: Buffer.from("a"), value: Buffer.from('{"n":1}'), headers: trace }]);
  });

  it.each([
    ["json", '"hot"'],
    ["text", "hot"],
  ] as const)("travels as %s", async (encoding, value) => {
    const into = publisher();
    await target(await serve(() => outcomes({ status: "done", out: "hot" })), into, encoding)(one);
    expect(into.sent.map((record) => record.value.toString())).toEqual([value]);
  });

  it("keeps the event from being done where it cannot be written", async () => {
    const url = await serve(() => outcomes({ status: "done", out: 1 }));
    await expect(target(url, publisher(new Unavailable("no leader")))(one)).rejects.toBeInstanceOf(Unavailable);
    const [verdict] = await target(url, publisher(new TooLarge("larger")))(one);
    expect(verdict).toMatchObject({ status: "rejected", reason: "too-large" });
  });
});

describe("a topic", () => {
  it("gets payload, key and headers as they are", async () => {
    const into = publisher();
    expect(await topicTarget(into, "raw")([{ event: event("x"), attempt: 1 }])).toEqual([{ status: "done" }]);
    const { key, value, headers } = event("x");
    expect(into.sent).toEqual([{ topic: "raw", key, value, headers }]);
  });

  it("rejects what is too large by itself, and nothing else with it", async () => {
    const into = topicTarget(publisher(new TooLarge("larger than the topic takes")), "raw");
    const one = { event: event(), attempt: 1 };
    expect(await into([one])).toMatchObject([{ status: "rejected", reason: "too-large" }]);
    await expect(into([one, one])).rejects.toBeInstanceOf(TooLarge);
  });
});

describe("a dead letter", () => {
  it("is the record as it was, with what happened, and not what it says", async () => {
    const into = publisher();
    const letter = { event: event("x"), attempt: 6, reason: "failed", message: "m".repeat(2_000) } as const;
    await deadLetters(into, "dead", "raw-normalize")(letter);
    const [record] = into.sent;
    expect(record).toMatchObject({ topic: "dead", key: Buffer.from("a"), value: Buffer.from("x") });
    const headers = Object.fromEntries([...(record?.headers ?? [])].map(([name, value]) => [name, value.toString()]));
    expect(headers).toEqual({
      traceparent: "00-1-2-01",
      kind: "é",
      "dead-letter-topic": "raw",
      "dead-letter-partition": "3",
      "dead-letter-offset": "17",
      "dead-letter-attempt": "6",
      "dead-letter-reason": "failed",
      "dead-letter-message": "m".repeat(500),
      "dead-letter-time": expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
      "dead-letter-trigger": "raw-normalize",
    });
  });
});
