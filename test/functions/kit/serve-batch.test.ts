import { describe, expect, it } from "vitest";
import * as z from "zod";
import { type WireEvent, waitsForEarlier } from "../../../functions/kit/batch.ts";
import { contract } from "../../../functions/kit/contract.ts";
import { BadInput, Unavailable } from "../../../functions/kit/errors.ts";
import { handle } from "../../../functions/kit/handle.ts";
import { text } from "../../../functions/kit/schema.ts";
import { isBatchRequest, serveBatch } from "../../../functions/kit/serve-batch.ts";

const entry = new URL("file:///none.ts");
const Step = z.object({ id: z.int(), does: z.enum(["well", "fail", "reject", "lack"]), milliseconds: z.number() });
type Step = z.infer<typeof Step>;
const steps = contract({ name: "steps", entry, in: Step, out: z.int() });
const ports = async () => ({});
const event = (value: unknown, key?: string): WireEvent => ({
  origin: "t/0/1",
  headers: {},
  value: typeof value === "string" ? value : JSON.stringify(value),
  attempt: 1,
  ...(key !== undefined && { key }),
});

/** Runs a batch of steps and notes when each began and ended. */
async function run(batch: readonly { readonly step: Step; readonly key?: string }[]) {
  const log: string[] = [];
  let running = 0;
  let most = 0;
  const handler = handle(steps, async ({ id, does, milliseconds }) => {
    log.push(`${id} begins`);
    most = Math.max(most, ++running);
    await new Promise((resolve) => setTimeout(resolve, milliseconds));
    running--;
    log.push(`${id} ends`);
    if (does === "fail") throw new Error("did not work");
    if (does === "lack") throw new Unavailable("has no database");
    if (does === "reject") throw new BadInput("is wrong");
    return id;
  });
  const events = batch.map(({ step, key }) => event(step, key));
  const { outcomes } = await serveBatch(handler, ports, { events });
  return { log, most, outcomes };
}

const step = (id: number, does: Step["does"] = "well", milliseconds = 0): Step => ({ id, does, milliseconds });

describe("a batch", () => {
  it("that is empty has no outcomes", async () => expect((await run([])).outcomes).toEqual([]));

  it("has its outcomes in the order of its events", async () => {
    const batch = [30, 1, 15, 5].map((milliseconds, id) => ({ step: step(id, "well", milliseconds) }));
    expect((await run(batch)).outcomes).toEqual([0, 1, 2, 3].map((out) => ({ status: "done", out })));
  });

  it("runs events of one key one after another, even when the first is slower", async () => {
    const { log } = await run([
      { step: step(0, "well", 20), key: "a" },
      { step: step(1, "well", 1), key: "a" },
    ]);
    expect(log).toEqual(["0 begins", "0 ends", "1 begins", "1 ends"]);
  });

  it("runs different keys, and events without a key, beside each other", async () => {
    const keys = ["a", "b", undefined, undefined, "0"];
    const { most } = await run(
      keys.map((key, id) => ({ step: step(id, "well", 10), ...(key !== undefined && { key }) })),
    );
    expect(most).toBe(5);
  });

  it("does not try what comes after a failed event of the same key", async () => {
    const { log, outcomes } = await run([
      { step: step(0), key: "a" },
      { step: step(1, "fail"), key: "a" },
      { step: step(2), key: "b" },
      { step: step(3), key: "a" },
      { step: step(4, "reject"), key: "a" },
    ]);
    expect(outcomes).toEqual([
      { status: "done", out: 0 },
      { status: "failed", reason: "did not work" },
      { status: "done", out: 2 },
      { status: "failed", reason: waitsForEarlier },
      { status: "failed", reason: waitsForEarlier },
    ]);
    expect(log).not.toContain("3 begins");
  });

  it("does not try what comes after an event of the same key for which something is not there", async () => {
    const { outcomes } = await run([
      { step: step(0, "lack"), key: "a" },
      { step: step(1), key: "a" },
      { step: step(2), key: "b" },
    ]);
    expect(outcomes).toEqual([
      { status: "unavailable", reason: "has no database" },
      { status: "failed", reason: waitsForEarlier },
      { status: "done", out: 2 },
    ]);
  });

  it("goes on after a rejected event", async () => {
    const { outcomes } = await run([
      { step: step(0, "reject"), key: "a" },
      { step: step(1), key: "a" },
    ]);
    expect(outcomes).toEqual([
      { status: "rejected", reason: "is wrong" },
      { status: "done", out: 1 },
    ]);
  });

  it("keeps order and independence whatever its keys, times and failures are", async () => {
    let state = 7;
    const random = (below: number) => {
      state = (state * 1103515245 + 12345) % 2147483648;
      return Math.floor((state / 2147483648) * below);
    };
    for (let round = 0; round < 30; round++) {
      const batch = Array.from({ length: random(30) }, (_, id) => {
        const does = (["well", "well", "well", "fail", "reject", "lack"] as const)[random(6)] as Step["does"];
        const key = [undefined, "a", "b", "c"][random(4)];
        return { step: step(id, does, random(3)), ...(key !== undefined && { key }) };
      });
      const { log, outcomes } = await run(batch);
      expect(outcomes).toHaveLength(batch.length);
      const failed = new Set<string>();
      const begun: string[] = [];
      for (const [index, { step, key }] of batch.entries()) {
        const blocked = key !== undefined && failed.has(key);
        const statuses = { well: "done", fail: "failed", reject: "rejected", lack: "unavailable" } as const;
        const expected = blocked ? "failed" : statuses[step.does];
        expect(outcomes[index]?.status).toBe(expected);
        if (!blocked) begun.push(`${index} begins`);
        if (!blocked && (expected === "failed" || expected === "unavailable") && key !== undefined) failed.add(key);
      }
      expect(log.filter((line) => line.endsWith("begins")).toSorted()).toEqual(begun.toSorted());
      for (const key of ["a", "b", "c"]) {
        const own = new Set(batch.flatMap((item, index) => (item.key === key ? [index] : [])));
        const lines = log.filter((line) => own.has(Number.parseInt(line, 10))).map((line) => Number.parseInt(line, 10));
        expect(lines, "begins and ends of a key alternate and grow").toEqual(lines.toSorted((a, b) => a - b));
      }
    }
  });
});

describe("a payload", () => {
  const silent = contract({ name: "silent", entry, in: z.object({ a: z.number() }) });
  const words = contract({ name: "words", entry, in: text(z.string()), out: z.string() });
  const shout = handle(words, (word) => word.toUpperCase());
  const serveOne = async (given: WireEvent) =>
    (
      await serveBatch(
        handle(silent, () => {}),
        ports,
        { events: [given] },
      )
    ).outcomes[0];
  const serveWord = async (given: WireEvent) => (await serveBatch(shout, ports, { events: [given] })).outcomes[0];
  const bytes = (buffer: Buffer): WireEvent => ({ ...event(buffer.toString("base64")), base64: true });

  it("is JSON", async () => expect(await serveOne(event({ a: 1 }))).toEqual({ status: "done" }));

  it("may come in base64", async () => {
    expect(await serveOne(bytes(Buffer.from('{"a":1}')))).toEqual({ status: "done" });
    expect(await serveWord(bytes(Buffer.from("grüß")))).toEqual({ status: "done", out: "GRÜSS" });
  });

  it("is bare text where the contract says so", async () => {
    expect(await serveWord(event('{"a'))).toEqual({ status: "done", out: '{"A' });
  });

  it.each([
    ["no JSON", event("{secret"), "The input is not JSON"],
    ["empty", event(""), "The input is not JSON"],
    ["no UTF-8", bytes(Buffer.from([0x22, 0xff, 0x22])), "The input is not UTF-8 text"],
    ["of another shape", event({ a: "secret" }), "The input of silent does not fit its schema at a"],
  ])("that is %s is rejected without being quoted", async (_, given, reason) => {
    expect(await serveOne(given)).toEqual({ status: "rejected", reason });
  });

  it("that is no UTF-8 is rejected where text is wanted", async () => {
    const outcome = { status: "rejected", reason: "The input is not UTF-8 text" };
    expect(await serveWord(bytes(Buffer.from([0xff])))).toEqual(outcome);
  });
});

describe("outcomes", () => {
  const silent = contract({ name: "silent", entry, in: z.unknown() });
  const reasonFor = async (error: unknown) => {
    const handler = handle(silent, () => {
      throw error;
    });
    return (await serveBatch(handler, ports, { events: [event(1)] })).outcomes[0];
  };

  it("have a reason even where the error has no message", async () => {
    const refused = Object.assign(new AggregateError([]), { code: "ECONNREFUSED" });
    expect(await reasonFor(refused)).toEqual({ status: "failed", reason: "ECONNREFUSED" });
    expect(await reasonFor("a string")).toEqual({ status: "failed", reason: "an unknown error" });
  });

  it("have as reason also what is inside of an error that gathers others", async () => {
    const inner = new AggregateError([new Error("first"), new Error("password refused")], "failed 3 times.");
    const outer = new AggregateError([inner], "");
    expect(await reasonFor(outer)).toEqual({ status: "failed", reason: "failed 3 times. password refused" });
  });

  it("have a reason of one line and of bounded length", async () => {
    const outcome = await reasonFor(new Error(`a\nb${"c".repeat(5000)}`));
    expect(outcome).toEqual({ status: "failed", reason: `a b${"c".repeat(997)}` });
  });

  it("are failures where ports do not connect", async () => {
    const down = async () => {
      throw new Error("down");
    };
    const { outcomes } = await serveBatch(
      handle(silent, () => {}),
      down,
      { events: [event(1)] },
    );
    expect(outcomes).toEqual([{ status: "failed", reason: "down" }]);
  });
});

describe("isBatchRequest", () => {
  const whole = event({}, "k");
  it("knows a batch", () => {
    expect(isBatchRequest({ events: [] })).toBe(true);
    expect(isBatchRequest({ events: [whole, { ...whole, base64: true }] })).toBe(true);
  });

  it.each([
    undefined,
    null,
    "text",
    [],
    {},
    { events: {} },
    { events: [null] },
    { events: [{ ...whole, origin: 1 }] },
    { events: [{ ...whole, key: 1 }] },
    { events: [{ ...whole, headers: undefined }] },
    { events: [{ ...whole, headers: { a: 1 } }] },
    { events: [{ ...whole, value: {} }] },
    { events: [{ ...whole, base64: "yes" }] },
    { events: [{ ...whole, attempt: 0 }] },
    { events: [{ ...whole, attempt: "1" }] },
    { events: [whole, {}] },
  ])("refuses %j", (body) => expect(isBatchRequest(body)).toBe(false));
});
