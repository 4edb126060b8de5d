import { describe, expect, it } from "vitest";
import { Unavailable } from "../../../functions/kit/errors.ts";
import type { TopicReader, TopicRecord } from "../../../functions/kit/topic-reader.ts";
import { deadLetters } from "../../../functions/relay/dead-letters.ts";
import { type Delivered, type Event, systemClock, type Target, type Verdict } from "../../../functions/relay/event.ts";
import type { OutgoingRecord, Publisher } from "../../../functions/relay/kafka.ts";
import { Metrics } from "../../../functions/relay/metrics.ts";
import { type Choice, choose, mostReplays, replay, survey } from "../../../functions/relay/replay.ts";
import { done, failed, limits, rejected } from "./simulation.ts";

const trigger = "iot.raw-to-normalize";

/** A topic of one partition, in memory. */
class Topic {
  readonly records: TopicRecord[] = [];
  readonly publisher: Publisher = {
    send: async (records) => this.append(records),
    close: async () => undefined,
  };
  readonly reader: TopicReader = {
    starts: async () => [0n],
    ends: async () => [BigInt(this.records.length)],
    since: async () => [0n],
    read: (from, to) => this.#read(Number(from[0]), Number(to[0])),
    close: async () => undefined,
  };

  append(records: readonly OutgoingRecord[]): void {
    for (const { key, value, headers } of records)
      this.records.push({ partition: 0, offset: BigInt(this.records.length), key, value, headers });
  }

  async *#read(from: number, to: number): AsyncGenerator<TopicRecord> {
    yield* this.records.slice(from, to);
  }
}

const event = (name: string, key = "a"): Event => ({
  stream: "0",
  position: 0,
  origin: { topic: "raw", partition: "3", offset: name },
  key: Buffer.from(key),
  headers: new Map([["traceparent", Buffer.from("00-1-2-01")]]),
  value: Buffer.from(name),
});

async function filled(names: readonly string[], reason: "bad-input" | "failed" = "failed"): Promise<Topic> {
  const topic = new Topic();
  const write = deadLetters(topic.publisher, "dead", trigger);
  for (const [at, name] of names.entries()) {
    await write({ event: event(name, `key-${at % 2}`), attempt: 11, reason, message: "no luck" });
  }
  return topic;
}

/** Replays what the choice lets through, until it is finished or `until` resolves. */
async function run(topic: Topic, target: Target, choice: Choice = {}, until?: Promise<void>, retries = 1) {
  const found = await survey(topic.reader, trigger);
  const chosen = choose(found, choice);
  const metrics = new Metrics();
  const replaying = replay(chosen, found, {
    reader: topic.reader,
    publisher: topic.publisher,
    topic: "dead",
    target,
    deadLetters: deadLetters(topic.publisher, "dead", trigger),
    limits: { ...limits, retries, backoff: { firstMilliseconds: 1, longestMilliseconds: 2 } },
    clock: systemClock,
    metrics,
    log: () => undefined,
  });
  await Promise.race([replaying.finished, ...(until ? [until] : [])]);
  await replaying.stop();
  return { found, chosen, sent: replaying.sent(), failed: metrics.deadLettered };
}

function recording(verdict: (delivered: Delivered) => Verdict = () => done) {
  const got: Delivered[] = [];
  const target: Target = async (deliveries) => {
    got.push(...deliveries);
    return deliveries.map(verdict);
  };
  return { got, target, names: () => got.map(({ event }) => event.value.toString()) };
}

const openOf = async (topic: Topic) => (await survey(topic.reader, trigger)).open;

describe("a replay", () => {
  it("sends every letter once, as it was, and a second one sends nothing", async () => {
    const topic = await filled(["1", "2", "3", "4"]);
    const { got, target, names } = recording();
    expect(await run(topic, target)).toMatchObject({ sent: 4, failed: 0 });
    expect(names().sort()).toEqual(["1", "2", "3", "4"]);
    const first = got.find(({ event }) => event.value.toString() === "1")?.event;
    expect(first).toMatchObject({ key: Buffer.from("key-0"), origin: { topic: "raw", partition: "3", offset: "1" } });
    expect(Object.fromEntries([...(first?.headers ?? [])].map(([name, bytes]) => [name, String(bytes)]))).toEqual({
      traceparent: "00-1-2-01",
      "dead-letter-replays": "1",
    });
    expect(await run(topic, target)).toMatchObject({ chosen: [], sent: 0 });
    expect(got).toHaveLength(4);
  });

  it("leaves the letters of other relays alone", async () => {
    const topic = await filled(["1"]);
    await deadLetters(
      topic.publisher,
      "dead",
      "iot.raw-to-other",
    )({
      event: event("2"),
      attempt: 1,
      reason: "failed",
      message: "",
    });
    const { target, names } = recording();
    await run(topic, target);
    expect(names()).toEqual(["1"]);
  });

  it("makes a new letter of what fails again, and stops when letters go in circles", async () => {
    const topic = await filled(["1"]);
    const { got, target } = recording(() => failed);
    for (let round = 1; round <= mostReplays; round++) {
      expect(await run(topic, target)).toMatchObject({ sent: 1, failed: 1 });
      expect(await openOf(topic)).toMatchObject([{ reason: "failed", replays: round, origin: { offset: "1" } }]);
    }
    const before = got.length;
    expect(await run(topic, target)).toMatchObject({ chosen: [], sent: 0 });
    expect(got).toHaveLength(before);
    expect(await run(topic, recording().target, { again: true })).toMatchObject({ sent: 1, failed: 0 });
    expect(await openOf(topic)).toEqual([]);
  });

  it("makes a new letter at once of what is rejected again", async () => {
    const topic = await filled(["1", "2"]);
    const { got, target } = recording(() => rejected);
    expect(await run(topic, target)).toMatchObject({ sent: 2, failed: 2 });
    expect(got).toHaveLength(2);
    expect(await openOf(topic)).toHaveLength(2);
  });

  it("goes on where an interrupted one was; what nobody got is sent, what somebody may have got is left", async () => {
    const topic = await filled(["1", "2", "3"]);
    const names: string[] = [];
    const interrupted = Promise.withResolvers<void>();
    const target: Target = async (deliveries) => {
      const [first] = deliveries;
      if (!first) return [];
      names.push(...deliveries.map(({ event }) => event.value.toString()));
      setTimeout(interrupted.resolve, 20);
      // Of key-0 nobody knows; key-1 has not been got by anybody.
      if (deliveries.some(({ event }) => String(event.key) === "key-0")) throw new Error("connection lost");
      throw new Unavailable("nobody is there");
    };
    // Split by key, as one of a batch would decide for all.
    const byKey: Target = async (deliveries) => {
      const lost = deliveries.filter(({ event }) => String(event.key) === "key-0");
      return target(lost.length > 0 ? lost : deliveries);
    };
    await run(topic, byKey, {}, interrupted.promise, 1000);
    const after = await survey(topic.reader, trigger);
    expect(after.open).toHaveLength(3);
    const { target: second, names: sentLater } = recording();
    const { sent } = await run(topic, second);
    expect(sent).toBe(3 - after.uncertain.size);
    expect(after.uncertain.size).toBeGreaterThan(0);
    expect(sentLater()).not.toContain("1");
    await run(topic, second, { uncertain: true });
    expect(sentLater().sort()).toEqual(["1", "2", "3"]);
    expect(await openOf(topic)).toEqual([]);
  });

  it("that was killed after it claimed leaves what it claimed", async () => {
    const topic = await filled(["1", "2"]);
    void run(topic, () => new Promise(() => undefined));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(await run(topic, recording().target)).toMatchObject({ chosen: [], sent: 0 });
    expect((await survey(topic.reader, trigger)).uncertain.size).toBe(2);
  });

  it("of nothing ends", async () => {
    expect(await run(new Topic(), recording().target)).toMatchObject({ sent: 0 });
  });

  it("keeps the order of a key", async () => {
    const topic = await filled(Array.from({ length: 500 }, (_, at) => String(at)));
    const { got, target } = recording();
    await run(topic, target);
    for (const key of ["key-0", "key-1"]) {
      const own = got.filter(({ event }) => String(event.key) === key).map(({ event }) => Number(event.value));
      expect(own).toHaveLength(250);
      expect(own).toEqual(own.toSorted((a, b) => a - b));
    }
  });
});

describe("the choice", () => {
  it.each<[Choice, string[]]>([
    [{}, ["1", "2", "3"]],
    [{ reason: "bad-input" }, ["3"]],
    [{ reason: "timeout" }, []],
    [{ key: "key-1" }, ["2"]],
    [{ since: "2999-01-01T00:00:00.000Z" }, []],
    [{ until: "2999-01-01T00:00:00.000Z" }, ["1", "2", "3"]],
    [{ until: "1999-01-01T00:00:00.000Z" }, []],
  ])("%j", async (choice, expected) => {
    const topic = await filled(["1", "2"]);
    const write = deadLetters(topic.publisher, "dead", trigger);
    await write({ event: event("3", "key-0"), attempt: 1, reason: "bad-input", message: "" });
    const chosen = choose(await survey(topic.reader, trigger), choice);
    expect(chosen.map(({ origin }) => origin.offset)).toEqual(expected);
  });
});
