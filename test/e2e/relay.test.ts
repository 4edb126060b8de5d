/** The relay against real brokers: killed, partitioned anew, and with its brokers killed, it loses nothing. */
import { connect, createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import mqtt from "mqtt";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Outcome, WireEvent } from "../../functions/kit/batch.ts";
import { needProgram } from "../../local/images/host.ts";
import { freePort, Lab, type Misbehaviour, until, user } from "./relay-lab.ts";

const lab = new Lab();
const done: Outcome = { status: "done" };

beforeAll(async () => {
  await needProgram("java", "openjdk-17-jre-headless");
  await needProgram("mvn", "maven");
  await needProgram("mosquitto", "mosquitto");
  await lab.startKafka();
  await lab.startMqtt();
  await lab.startMongo();
});
afterAll(() => lab.close());

interface Reading {
  readonly id: number;
}

const idOf = (text: string) => (JSON.parse(text) as Reading).id;

function readings(count: number, keys: number): { key: string; value: string }[] {
  const value = (id: number) => JSON.stringify({ id, text: "x".repeat(260) });
  return Array.from({ length: count }, (_, id) => ({ key: `device-${id % keys}`, value: value(id) }));
}

/** Of what came several times, the first. */
const firsts = (ids: readonly number[]) => [...new Set(ids)];

function expectOrder(ids: readonly number[], keys: number): void {
  for (let key = 0; key < keys; key += 1) {
    const ofKey = firsts(ids).filter((id) => id % keys === key);
    expect(ofKey).toEqual([...ofKey].sort((one, other) => one - other));
  }
}

describe("from Kafka to a function", () => {
  it("loses nothing and keeps the order of each key when it is killed again and again", async () => {
    const [count, keys] = [30_000, 50];
    await lab.topic("killed", 6);
    await lab.topic("killed-dead", 1);
    const successes: number[] = [];
    const tries = new Map<number, number>();
    let slow = 0;
    const target = await lab.function(({ value }): Outcome => {
      const id = idOf(value);
      const tried = (tries.get(id) ?? 0) + 1;
      tries.set(id, tried);
      if (id % 1000 === 7) return { status: "rejected", reason: "the id is bad" };
      if (id % 500 === 3 && tried === 1) return { status: "failed", reason: "not yet" };
      if (++slow % 2 === 0) for (const end = performance.now() + 0.1; performance.now() < end; );
      successes.push(id);
      return done;
    });
    const settings = {
      source: { kind: "kafka", kafka: lab.kafka, topic: "killed", group: "killed" },
      target,
      deadLetters: { kafka: lab.kafka, topic: "killed-dead", group: "killed-dead" },
      batch: { events: 50 },
    };
    await lab.produce("killed", readings(count, keys));
    for (const share of [0.2, 0.5, 0.8]) {
      const relay = await lab.relay("killed", settings);
      await until(() => firsts(successes).length > count * share, 120, `${share} of all events are done`);
      await relay.end("SIGKILL");
    }
    const relay = await lab.relay("killed", settings);
    const sum = async () => (await lab.committed("killed", "killed", 6)).reduce((one, other) => one + other, 0);
    await until(async () => (await sum()) === count, 120, "all is committed");
    expect(await relay.metric("events_in_flight")).toBe(0);
    expect(await relay.end("SIGTERM")).toBe(0);

    const bad = Array.from({ length: count }, (_, id) => id).filter((id) => id % 1000 === 7);
    expect(firsts(successes).length).toBe(count - bad.length);
    expectOrder(successes, keys);
    const letters = await lab.read("killed-dead");
    expect(firsts(letters.map(({ value }) => idOf(value))).sort((one, other) => one - other)).toEqual(bad);
    const letter = letters.find(({ value }) => idOf(value) === 7);
    expect(letter?.key).toBe("device-7");
    expect(letter?.value).toBe(readings(8, keys)[7]?.value);
    expect(letter?.headers).toEqual({
      from: "test",
      traceparent: expect.stringMatching(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/),
      "dead-letter-topic": "killed",
      "dead-letter-partition": expect.stringMatching(/^[0-5]$/),
      "dead-letter-offset": expect.stringMatching(/^\d+$/),
      "dead-letter-attempt": "1",
      "dead-letter-reason": "bad-input",
      "dead-letter-message": "the id is bad",
      "dead-letter-time": expect.stringMatching(/^\d{4}-.*Z$/),
      "dead-letter-trigger": "killed",
    });
    // Not one payload in the log.
    expect(relay.output).not.toContain("xxxxxxxx");
  });

  it("shares the partitions with another relay, and takes them over", async () => {
    const [count, keys] = [20_000, 40];
    await lab.topic("shared", 6);
    const successes: number[] = [];
    const target = await lab.function(({ value }) => {
      successes.push(idOf(value));
      return done;
    });
    const settings = { source: { kind: "kafka", kafka: lab.kafka, topic: "shared", group: "shared" }, target };
    const one = await lab.relay("shared", settings);
    await one.ready();
    const producing = (async () => {
      const all = readings(count, keys);
      for (let at = 0; at < count; at += 500) {
        await lab.produce("shared", all.slice(at, at + 500));
        await sleep(100);
      }
    })();
    await until(() => successes.length > count * 0.1, 60, "it begins");
    const other = await lab.relay("shared", settings);
    await until(
      async () => (await other.metric("events_done_total").catch(() => 0)) > 0,
      60,
      "the other has its share",
    );
    await until(() => firsts(successes).length > count * 0.6, 60, "it goes on");
    expect(await one.end("SIGTERM")).toBe(0);
    await producing;
    const sum = async () => (await lab.committed("shared", "shared", 6)).reduce((one, other) => one + other, 0);
    await until(async () => (await sum()) === count, 60, "all is committed");
    expect(firsts(successes).length).toBe(count);
    expectOrder(successes, keys);
    await other.end("SIGTERM");
  });

  it("finds the event that breaks the function, and writes on what the function answers", async () => {
    await lab.topic("poison", 2);
    await lab.topic("poison-dead", 1);
    await lab.topic("poison-out", 1);
    const traces = new Map<number, string | undefined>();
    const target = await lab.function(({ value, headers }: WireEvent) => {
      const id = idOf(value);
      if (id === 333) return "breaks the connection";
      traces.set(id, headers.traceparent);
      return { status: "done", out: { id, seen: true } };
    });
    const relay = await lab.relay("poison", {
      source: { kind: "kafka", kafka: lab.kafka, topic: "poison", group: "poison" },
      target,
      into: { kafka: lab.kafka, topic: "poison-out" },
      deadLetters: { kafka: lab.kafka, topic: "poison-dead", group: "poison-dead" },
      retries: 2,
    });
    await lab.produce("poison", readings(1000, 20));
    const sum = async () => (await lab.committed("poison", "poison", 2)).reduce((one, other) => one + other, 0);
    await until(async () => (await sum()) === 1000, 60, "all is committed");
    const letters = await lab.read("poison-dead");
    expect(letters.map(({ value, headers }) => [idOf(value), headers["dead-letter-reason"]])).toEqual([
      [333, "crashed"],
    ]);
    const out = await lab.read("poison-out");
    expect(firsts(out.map(({ value }) => idOf(value))).length).toBe(999);
    for (const { key, value, headers } of out) {
      expect(key).toBe(`device-${idOf(value) % 20}`);
      expect(headers.traceparent).toBe(traces.get(idOf(value)));
    }
    await relay.end("SIGTERM");
  });

  it.each<[string, Outcome | Misbehaviour, string]>([
    ["throws", { status: "failed", reason: "no luck" }, "failed"],
    ["hangs", "hangs", "timeout"],
    ["answers 500", "answers 500", "crashed"],
    ["answers garbage", "answers garbage", "crashed"],
    ["answers nothing", "answers nothing", "crashed"],
  ])("tries an event again for which the function %s, and then buries it; others go on", async (what, how, reason) => {
    const topic = what.replaceAll(" ", "-");
    await lab.topic(topic, 2);
    await lab.topic(`${topic}-dead`, 1);
    const successes: number[] = [];
    const tries: number[] = [];
    const target = await lab.function(({ value }) => {
      const id = idOf(value);
      if (id !== 13) successes.push(id);
      else tries.push(Date.now());
      return id === 13 ? how : done;
    });
    const relay = await lab.relay(topic, {
      source: { kind: "kafka", kafka: lab.kafka, topic, group: topic },
      target: { ...target, timeoutMilliseconds: 1_000 },
      deadLetters: { kafka: lab.kafka, topic: `${topic}-dead`, group: `${topic}-dead` },
      retries: 2,
    });
    await lab.produce(topic, readings(100, 10));
    const others = () => firsts(successes).filter((id) => id % 10 !== 3);
    await until(() => others().length === 90, 60, "the other keys are done");
    await until(async () => (await lab.read(`${topic}-dead`)).length > 0, 60, "it is buried");
    await until(() => firsts(successes).length === 99, 60, "what came behind it is done");
    const letters = await lab.read(`${topic}-dead`);
    expect(
      letters.map(({ value, headers }) => [idOf(value), headers["dead-letter-reason"], headers["dead-letter-attempt"]]),
    ).toEqual([[13, reason, "3"]]);
    expect(tries.length).toBeGreaterThanOrEqual(3);
    expectOrder(successes, 10);
    const sum = async () => (await lab.committed(topic, topic, 2)).reduce((one, other) => one + other, 0);
    await until(async () => (await sum()) === 100, 60, "all is committed");
    expect(await relay.end("SIGTERM")).toBe(0);
  });

  it("commits nothing behind a dead letter that it cannot write, and goes on when it can", async () => {
    await lab.topic("unwritable", 1);
    const successes: number[] = [];
    const target = await lab.function(({ value }) => {
      if (idOf(value) === 3) return { status: "rejected", reason: "is bad" };
      successes.push(idOf(value));
      return done;
    });
    const relay = await lab.relay("unwritable", {
      source: { kind: "kafka", kafka: lab.kafka, topic: "unwritable", group: "unwritable" },
      target,
      deadLetters: { kafka: lab.kafka, topic: "unwritable-dead", group: "unwritable-dead" },
      backoff: { longestMilliseconds: 1_000 },
    });
    await lab.produce("unwritable", readings(50, 10));
    await until(() => firsts(successes).length === 49, 60, "the others are done");
    await until(async () => (await relay.metric("dead_letter_errors_total")) > 1, 60, "it has tried to write it");
    expect(await lab.committed("unwritable", "unwritable", 1)).toEqual([3]);
    await lab.topic("unwritable-dead", 1);
    await until(async () => (await lab.committed("unwritable", "unwritable", 1))[0] === 50, 60, "all is committed");
    expect((await lab.read("unwritable-dead")).map(({ value }) => idOf(value))).toEqual([3]);
    expect(await relay.end("SIGTERM")).toBe(0);
  });

  it("waits for a function that is not there, and holds no more than its bound", async () => {
    const count = 8_000;
    await lab.topic("waits", 3);
    await lab.topic("waits-dead", 1);
    const successes: number[] = [];
    const target = await lab.function(({ value }) => {
      successes.push(idOf(value));
      return done;
    });
    const port = await freePort();
    const relay = await lab.relay("waits", {
      source: { kind: "kafka", kafka: lab.kafka, topic: "waits", group: "waits" },
      target: { ...target, address: { ...target.address, url: `http://localhost:${port}/` } },
      deadLetters: { kafka: lab.kafka, topic: "waits-dead", group: "waits-dead" },
      backoff: { longestMilliseconds: 3_000 },
    });
    await lab.produce("waits", readings(count, 30));
    await until(async () => (await relay.metric("request_errors_total").catch(() => 0)) > 5, 60, "it has tried");
    expect(await relay.metric("events_in_flight")).toBe(5000);
    const door = createServer((socket) => socket.pipe(connect(Number(new URL(target.address.url).port))).pipe(socket));
    door.listen(port);
    await until(() => firsts(successes).length === count, 60, "all is done");
    expectOrder(successes, 30);
    expect(await lab.read("waits-dead")).toEqual([]);
    expect(await relay.end("SIGTERM")).toBe(0);
    door.close();
  });

  it("goes on when the broker was gone", async () => {
    const count = 6_000;
    await lab.topic("outage", 3);
    const successes: number[] = [];
    const target = await lab.function(({ value }) => {
      successes.push(idOf(value));
      return done;
    });
    const relay = await lab.relay("outage", {
      source: { kind: "kafka", kafka: lab.kafka, topic: "outage", group: "outage" },
      target,
    });
    await relay.ready();
    await lab.produce("outage", readings(count, 30).slice(0, count / 2));
    await until(() => firsts(successes).length === count / 2, 60, "the first half is done");
    await lab.killKafka();
    await sleep(8_000);
    await lab.runKafka();
    await lab.produce("outage", readings(count, 30).slice(count / 2));
    await until(() => firsts(successes).length === count, 120, "the second half is done");
    const sum = async () => (await lab.committed("outage", "outage", 3)).reduce((one, other) => one + other, 0);
    await until(async () => (await sum()) === count, 60, "all is committed");
    expectOrder(successes, 30);
    expect(await relay.end("SIGTERM")).toBe(0);
  });
});

describe("from MQTT to Kafka", () => {
  it("loses nothing and keeps the order of each device when it is killed", async () => {
    const [count, devices] = [10_000, 20];
    await lab.topic("mqtt", 6);
    const settings = {
      source: {
        kind: "mqtt",
        url: `mqtts://localhost:${lab.mqttPort}`,
        ...user,
        ca: lab.ca,
        filter: "devices/+/readings",
        clientId: "bridge",
        keyLevel: 1,
      },
      target: { kind: "topic", kafka: lab.kafka, topic: "mqtt" },
    };
    const first = await lab.relay("bridge", settings);
    await first.ready();
    const options = { ...user, ca: lab.ca, protocolVersion: 5 } as const;
    const publisher = await mqtt.connectAsync(`mqtts://localhost:${lab.mqttPort}`, options);
    let published = 0;
    const publishing = (async () => {
      for (; published < count; published += 1) {
        const text = JSON.stringify({ id: published });
        const sent = publisher.publishAsync(`devices/device-${published % devices}/readings`, text, { qos: 1 });
        if (published % 200 === 199) await sent;
      }
    })();
    await until(() => published > count * 0.3, 60, "a third is published");
    await first.end("SIGKILL");
    await until(() => published > count * 0.6, 60, "two thirds are published");
    const second = await lab.relay("bridge", settings);
    await publishing;
    await publisher.endAsync();
    const ids = async () => (await lab.read("mqtt")).map(({ value }) => idOf(value));
    await until(async () => firsts(await ids()).length === count, 60, "all is in Kafka");
    const records = await lab.read("mqtt");
    expectOrder(
      records.map(({ value }) => idOf(value)),
      devices,
    );
    for (const { key, value } of records) expect(key).toBe(`device-${idOf(value) % devices}`);
    expect(await second.end("SIGTERM")).toBe(0);

    // All was acknowledged: nothing comes again.
    const third = await lab.relay("bridge", settings);
    await third.ready();
    await sleep(1_000);
    expect(await third.metric("events_received_total")).toBe(0);
    await third.end("SIGTERM");
  });

  it("has many messages under way at once, and no more than its bound", async () => {
    await lab.killKafka();
    const relay = await lab.relay("held", {
      source: {
        kind: "mqtt",
        url: `mqtts://localhost:${lab.mqttPort}`,
        ...user,
        ca: lab.ca,
        filter: "held/+",
        clientId: "held",
        keyLevel: 1,
      },
      target: { kind: "topic", kafka: lab.kafka, topic: "mqtt" },
    });
    await relay.ready();
    const options = { ...user, ca: lab.ca, protocolVersion: 5 } as const;
    const publisher = await mqtt.connectAsync(`mqtts://localhost:${lab.mqttPort}`, options);
    for (let id = 0; id < 2000; id += 1) publisher.publish(`held/${id % 10}`, JSON.stringify({ id }), { qos: 1 });
    await until(async () => (await relay.metric("events_in_flight")) === 256, 30, "the bound is reached");
    await sleep(1_000);
    expect(await relay.metric("events_in_flight")).toBe(256);
    await lab.runKafka();
    await until(async () => (await relay.metric("events_done_total")) === 2000, 120, "all is done");
    await publisher.endAsync();
    await relay.end("SIGTERM");
  });
});

describe("from MongoDB to a function", () => {
  it("tells of every document, those that were there and those that come, when it is killed", async () => {
    const [count, devices] = [3_000, 10];
    const collection = lab.mongo.db("iot").collection<{ _id: string; device: string; n: number }>("readings");
    const documents = Array.from({ length: count }, (_, n) => ({ _id: `r-${n}`, device: `device-${n % devices}`, n }));
    const seen: number[] = [];
    const events: WireEvent[] = [];
    const target = await lab.function((event) => {
      events.push(event);
      seen.push((JSON.parse(event.value) as { n: number }).n);
      return done;
    });
    const settings = {
      source: {
        kind: "mongo",
        hosts: [`localhost:${lab.mongoPort}`],
        replicaSet: "rs0",
        database: "iot",
        collection: "readings",
        ...user,
        authSource: "admin",
        ca: lab.ca,
        key: "device",
        tokens: "readings-seen",
      },
      target,
    };
    await collection.insertMany(documents.slice(0, 500));
    const first = await lab.relay("readings-seen", settings);
    await until(() => firsts(seen).length >= 500, 60, "those that were there are told");
    for (let at = 500; at < 1500; at += 50) await collection.insertMany(documents.slice(at, at + 50));
    await until(() => firsts(seen).length > 1000, 60, "some that came are told");
    await first.end("SIGKILL");
    for (let at = 1500; at < count; at += 50) await collection.insertMany(documents.slice(at, at + 50));
    const second = await lab.relay("readings-seen", settings);
    await until(() => firsts(seen).length === count, 60, "all are told");
    expectOrder(seen, devices);
    const one = events.find(({ value }) => value.includes('"r-777"'));
    expect(one?.key).toBe("device-7");
    expect(JSON.parse(one?.value ?? "")).toEqual({ id: "r-777", device: "device-7", n: 777 });
    expect(one?.headers.operation).toBe("insert");
    // What the killed one had not saved as done is told twice.
    for (let before = -1; before !== seen.length; await sleep(3_000)) before = seen.length;
    expect(await second.end("SIGTERM")).toBe(0);

    // What was done is not told again.
    const told = seen.length;
    const third = await lab.relay("readings-seen", settings);
    await third.ready();
    await sleep(2_000);
    expect(seen.length).toBe(told);
    expect(await third.end("SIGTERM")).toBe(0);
  });
});

it("says what is wrong with its settings, and not what they are", async () => {
  const relay = await lab.relay("wrong", { source: { kind: "kafka", topic: "t", password: "secret" }, retries: -1 });
  expect(await relay.ended()).toBe(1);
  expect(relay.output).toContain("The relay's settings are wrong");
  expect(relay.output).toContain("source.kafka");
  expect(relay.output).not.toContain("secret");
});
