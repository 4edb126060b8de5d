import { describe, expect, it } from "vitest";
import { Unavailable } from "../../../functions/kit/errors.ts";
import { type Delivered, TimedOut } from "../../../functions/relay/event.ts";
import {
  chance,
  done,
  failed,
  HeldClock,
  nameOf,
  rejected,
  Topic,
  unavailable,
  type World,
  world,
} from "./simulation.ts";

const hour = 3_600_000;

async function start(world: World): Promise<void> {
  await world.source.start(world.delivery);
}

function fill(topic: Topic, count: number, keys: number): void {
  for (let at = 0; at < count; at += 1) topic.add((at % keys) % topic.partitions.length, `key-${at % keys}`);
}

/** Fails each of these names so many times. */
function failing(times: Readonly<Record<string, number>>) {
  const left: Record<string, number> = { ...times };
  return (delivered: Delivered) => {
    const name = nameOf(delivered);
    const more = left[name] ?? 0;
    left[name] = more - 1;
    return more > 0 ? failed : done;
  };
}

describe("what goes well", () => {
  it("delivers in batches and commits once for many", async () => {
    const topic = new Topic(2);
    fill(topic, 1000, 20);
    const w = world(topic);
    await start(w);
    await w.clock.pass(1000);
    expect(w.done.length).toBe(1000);
    expect(w.requests.length).toBe(5);
    expect(topic.committed).toEqual([500, 500]);
    expect(w.source.commits).toBe(1);
    expect(w.metrics.received).toBe(1000);
    expect(w.metrics.done).toBe(1000);
  });

  it("keeps batches under their bytes, except for an event that is larger by itself", async () => {
    const topic = new Topic(1);
    for (const size of [400, 400, 400, 2000, 100]) topic.add(0, undefined, size);
    const w = world(topic, { limits: { batch: { events: 10, bytes: 1000 } } });
    await start(w);
    await w.clock.pass(100);
    expect(w.requests).toEqual([["0/0", "0/1", "0/4"], ["0/2"], ["0/3"]]);
  });

  it("gives every key its share of a batch, so that one with many events does not crowd out the others", async () => {
    const topic = new Topic(1);
    for (const key of ["a", "b", "c", "a", "a", "a", "a", "b", "c"]) topic.add(0, key);
    const w = world(topic, { limits: { batch: { events: 6, bytes: 10_000 } } });
    await start(w);
    await w.clock.pass(100);
    expect(w.requests[0]).toEqual(["0/0", "0/3", "0/1", "0/2"]);
    expect(w.done).toHaveLength(9);
  });

  describe("at a steady rate", () => {
    /** One event at a time, so many in a second, for so long; answers when each was sent. */
    const play = async (perSecond: number, seconds: number) => {
      const topic = new Topic(1);
      const waits: number[] = [];
      const added = new Map<string, number>();
      const w = world(topic, {
        latency: 5,
        request: (deliveries) =>
          void waits.push(...deliveries.map((one) => w.clock.now() - 5 - added.get(nameOf(one))!)),
      });
      await start(w);
      for (let at = 0; at < perSecond * seconds; at += 1) {
        added.set(topic.add(0, `key-${at}`).name, w.clock.now());
        w.source.read();
        await w.clock.pass(1000 / perSecond);
      }
      await w.clock.pass(1000);
      expect(w.done).toHaveLength(perSecond * seconds);
      return { lastBatches: w.requests.slice(-20, -1).map(({ length }) => length), longestWait: Math.max(...waits) };
    };

    it("waits hardly at all for company at 100 events in a second", async () => {
      const { longestWait } = await play(100, 10);
      expect(longestWait).toBeLessThanOrEqual(15);
    });

    it("sends few requests at 500 events in a second, each event soon", async () => {
      const { lastBatches, longestWait } = await play(500, 5);
      expect(Math.min(...lastBatches)).toBeGreaterThan(40);
      expect(longestWait).toBeLessThanOrEqual(110);
    });
  });

  it("gives each event a trace, and keeps the one it has", async () => {
    const topic = new Topic(1);
    topic.add(0, "a");
    const seen: string[] = [];
    const w = world(topic, {
      request: (deliveries) =>
        void seen.push(...deliveries.map(({ event }) => String(event.headers.get("traceparent")))),
    });
    await start(w);
    await w.clock.pass(100);
    expect(seen[0]).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
    const event = { stream: "0", position: 1, origin: { topic: "t", partition: "0", offset: "1" }, key: undefined };
    w.delivery.receive({
      ...event,
      headers: new Map([["traceparent", Buffer.from("mine")]]),
      value: Buffer.from("0/1"),
    });
    await w.clock.pass(100);
    expect(seen[1]).toBe("mine");
  });
});

describe("an event that fails", () => {
  it("holds up its own key, and no other", async () => {
    const topic = new Topic(1);
    for (const key of ["a", "a", "b", "a", "b"]) topic.add(0, key);
    const w = world(topic, { verdict: failing({ "0/0": 2 }) });
    await start(w);
    await w.clock.pass(100);
    expect(w.done).toEqual(["0/2", "0/4"]);
    await w.clock.pass(1000);
    expect(w.done).toEqual(["0/2", "0/4", "0/0", "0/1", "0/3"]);
    expect(topic.committed).toEqual([5]);
  });

  it("is tried again after a growing backoff, then becomes a dead letter with what happened", async () => {
    const topic = new Topic(1);
    topic.add(0, "a");
    topic.add(0, "a");
    const tries: number[] = [];
    const w = world(topic, {
      verdict: (delivered) => {
        if (nameOf(delivered) !== "0/0") return done;
        tries.push(w.clock.now());
        return failed;
      },
    });
    await start(w);
    await w.clock.pass(60_000);
    const waits = tries.map((at, n) => at - (tries[n - 1] ?? 0)).slice(1);
    expect(waits.map((wait) => Math.round(wait / 100) * 100)).toEqual([200, 400, 800, 1600, 3200]);
    expect(
      w.letters.map(({ event, attempt, reason, message }) => [nameOf({ event }), attempt, reason, message]),
    ).toEqual([["0/0", 6, "failed", "no luck"]]);
    expect(w.done).toEqual(["0/1"]);
    expect(topic.committed).toEqual([2]);
  });

  it("becomes a dead letter at once where it is rejected", async () => {
    const topic = new Topic(1);
    fill(topic, 3, 1);
    const w = world(topic, { verdict: (delivered) => (nameOf(delivered) === "0/1" ? rejected : done) });
    await start(w);
    await w.clock.pass(300);
    expect(w.letters.map(({ attempt, reason }) => [attempt, reason])).toEqual([[1, "bad-input"]]);
    expect(w.done).toEqual(["0/0", "0/2"]);
    expect(topic.committed).toEqual([3]);
  });

  it("is tried for ever where there are no dead letters", async () => {
    const topic = new Topic(1);
    topic.add(0, "a");
    topic.add(0, "b");
    const w = world(topic, { letter: null, verdict: (delivered) => (nameOf(delivered) === "0/0" ? rejected : done) });
    await start(w);
    await w.clock.pass(hour);
    expect(w.requests.length).toBeGreaterThan(100);
    expect(w.done).toEqual(["0/1"]);
    expect(topic.committed).toEqual([0]);
  });

  it("is not blamed for waiting behind another of its key", async () => {
    const topic = new Topic(1);
    fill(topic, 2, 1);
    const attempts: number[] = [];
    const w = world(topic, {
      verdict: (delivered) => {
        if (nameOf(delivered) === "0/1") attempts.push(delivered.attempt);
        return nameOf(delivered) === "0/0" ? failed : done;
      },
    });
    await start(w);
    await w.clock.pass(60_000);
    expect(attempts).toEqual([1]);
  });
});

describe("a dead letter that cannot be written", () => {
  it("stops the commits of its partition until it can", async () => {
    const topic = new Topic(2);
    fill(topic, 20, 4);
    let broken = true;
    const w = world(topic, {
      verdict: (delivered) => (nameOf(delivered) === "0/2" ? rejected : done),
      letter: () => {
        if (broken) throw new Error("no leader");
      },
    });
    await start(w);
    await w.clock.pass(hour);
    expect(topic.committed).toEqual([2, 10]);
    expect(w.metrics.deadLetterErrors).toBeGreaterThan(100);
    expect(w.logged).toContain("cannot write a dead letter, and commits nothing behind it until it can");
    broken = false;
    await w.clock.pass(60_000);
    expect(topic.committed).toEqual([10, 10]);
    expect(w.letters.length).toBe(1);
  });
});

describe("a target that is down", () => {
  const causes: [string, () => Error][] = [
    ["refuses connections", () => new Unavailable("ECONNREFUSED")],
    ["answers nothing in time", () => new TimedOut("no answer")],
    ["answers garbage", () => new Error("status 502")],
  ];
  it.each(causes)("turns nothing into a dead letter when it %s, and is not flooded", async (_, cause) => {
    const topic = new Topic(3);
    fill(topic, 3000, 50);
    let down = true;
    const w = world(topic, {
      request: () => {
        if (down) throw cause();
      },
    });
    await start(w);
    await w.clock.pass(hour);
    expect(w.done).toEqual([]);
    expect(w.letters).toEqual([]);
    expect(topic.committed).toEqual([0, 0, 0]);
    expect(w.requests.length).toBeLessThan(hour / 4_000);
    down = false;
    await w.clock.pass(120_000);
    expect(new Set(w.done).size).toBe(3000);
    expect(w.done.length).toBe(3000);
    expect(w.letters).toEqual([]);
    expect(topic.committed).toEqual([1020, 1020, 960]);
  });

  it("gets full batches when it is back, where it was not reached before", async () => {
    const topic = new Topic(1);
    fill(topic, 1000, 1000);
    const w = world(topic, {
      request: () => {
        if (w.clock.now() < hour) throw new Unavailable("ECONNREFUSED");
      },
    });
    await start(w);
    await w.clock.pass(hour);
    const before = w.requests.length;
    await w.clock.pass(60_000);
    expect(w.done.length).toBe(1000);
    expect(w.requests.length - before).toBe(5);
  });

  it("is probed by one request at a time", async () => {
    const topic = new Topic(1);
    fill(topic, 1000, 1000);
    let underWay = 0;
    let most = 0;
    const w = world(topic, {
      request: async () => {
        underWay += 1;
        most = w.requests.length > 4 ? Math.max(most, underWay) : most;
        await w.clock.sleep(50);
        underWay -= 1;
        throw new Unavailable("ECONNREFUSED");
      },
    });
    await start(w);
    await w.clock.pass(60_000);
    expect(w.requests.length).toBeGreaterThan(5);
    expect(most).toBe(1);
  });
});

describe("a target that cannot reach what it needs", () => {
  it("is asked seldom, and turns nothing into a dead letter, for an outage of any length", async () => {
    const topic = new Topic(3);
    fill(topic, 3000, 50);
    const w = world(topic, { verdict: () => (w.clock.now() < hour ? unavailable : done) });
    await start(w);
    await w.clock.pass(hour);
    expect(w.requests.length).toBeLessThan(hour / 2_000);
    await w.clock.pass(20_000);
    expect(w.done.length).toBe(3000);
    expect(w.letters).toEqual([]);
    expect(topic.committed).toEqual([1020, 1020, 960]);
  });

  it("holds up no events that do not need it, and keeps the order of a key", async () => {
    const topic = new Topic(1);
    for (const key of ["a", "b", "a", "b"]) topic.add(0, key);
    const w = world(topic, {
      verdict: (delivered) => (nameOf(delivered) === "0/0" && w.clock.now() < hour ? unavailable : done),
    });
    await start(w);
    await w.clock.pass(1000);
    expect(w.done).toEqual(["0/1", "0/3"]);
    await w.clock.pass(hour + 20_000);
    expect(w.done).toEqual(["0/1", "0/3", "0/0", "0/2"]);
    expect(w.letters).toEqual([]);
  });

  it("costs an event none of its tries", async () => {
    const topic = new Topic(1);
    topic.add(0, "a");
    let tries = 0;
    const w = world(topic, { verdict: () => (++tries % 2 ? unavailable : failed) });
    await start(w);
    await w.clock.pass(hour);
    expect(w.letters.map(({ attempt, reason }) => [attempt, reason])).toEqual([[6, "failed"]]);
    expect(tries).toBe(12);
  });
});

describe("an event that crashes the target", () => {
  const crash = (poison: ReadonlySet<string>) => (deliveries: readonly Delivered[]) => {
    if (deliveries.some((one) => poison.has(nameOf(one)))) throw new Error("ECONNRESET");
  };

  it("is found and becomes a dead letter, while the others pass", async () => {
    const topic = new Topic(3);
    fill(topic, 2000, 500);
    const w = world(topic, { request: crash(new Set(["0/100", "2/7"])) });
    await start(w);
    await w.clock.pass(120_000);
    expect(w.letters.map((one) => [nameOf(one), one.reason]).sort()).toEqual([
      ["0/100", "crashed"],
      ["2/7", "crashed"],
    ]);
    expect(new Set(w.done).size).toBe(1998);
    expect(topic.committed).toEqual(topic.partitions.map((records) => records.length));
  });

  it("is found where there is no other event at all", async () => {
    const topic = new Topic(1);
    topic.add(0, "a");
    topic.add(0, "a");
    const w = world(topic, { request: crash(new Set(["0/0"])) });
    await start(w);
    await w.clock.pass(120_000);
    expect(w.letters.map((one) => [nameOf(one), one.attempt])).toEqual([["0/0", 6]]);
    expect(w.done).toEqual(["0/1"]);
    expect(topic.committed).toEqual([2]);
  });

  it("is told apart from a target that takes a while to come back", async () => {
    const topic = new Topic(1);
    fill(topic, 10, 10);
    const w = world(topic, {
      request: (deliveries) => {
        if (w.clock.now() < hour) throw new Error("status 502");
        crash(new Set(["0/4"]))(deliveries);
      },
    });
    await start(w);
    await w.clock.pass(hour);
    expect(w.letters).toEqual([]);
    await w.clock.pass(hour);
    expect(w.letters.map((one) => nameOf(one))).toEqual(["0/4"]);
    expect(w.done.length).toBe(9);
  });
});

describe("back-pressure", () => {
  it("pauses the source at the bound of events, for an outage of any length", async () => {
    const topic = new Topic(4);
    fill(topic, 20_000, 1000);
    let down = true;
    const w = world(topic, {
      request: () => {
        if (down) throw new Unavailable("ECONNREFUSED");
      },
    });
    await start(w);
    await w.clock.pass(hour);
    expect(w.metrics.received).toBe(5000);
    expect(w.metrics.gauges()).toEqual({ events: 5000, bytes: expect.any(Number), oldestSeconds: 3600 });
    expect(w.source.paused).toBe(true);
    down = false;
    await w.clock.pass(120_000);
    expect(w.done.length).toBe(20_000);
    expect(w.metrics.gauges()).toEqual({ events: 0, bytes: 0, oldestSeconds: 0 });
  });

  it("pauses the source at the bound of bytes", async () => {
    const topic = new Topic(1);
    for (let at = 0; at < 100; at += 1) topic.add(0, "a", 1000);
    const w = world(topic, {
      limits: { inFlight: { events: 5000, bytes: 10_000, requests: 4 } },
      request: () => {
        throw new Unavailable("ECONNREFUSED");
      },
    });
    await start(w);
    await w.clock.pass(hour);
    expect(w.metrics.received).toBe(10);
  });

  it("lets other keys pass a blocked one, up to ten times the bound", async () => {
    const topic = new Topic(1);
    topic.add(0, "bad");
    for (let at = 0; at < 2000; at += 1) topic.add(0, `good-${at % 7}`);
    const w = world(topic, {
      letter: null,
      limits: { inFlight: { events: 100, bytes: 1_000_000, requests: 4 } },
      verdict: (delivered) => (nameOf(delivered) === "0/0" ? failed : done),
    });
    await start(w);
    await w.clock.pass(hour);
    expect(w.done.length).toBe(999);
    expect(w.source.paused).toBe(true);
    expect(topic.committed).toEqual([0]);
  });
});

describe("commits", () => {
  it("are tried again, with what has come since", async () => {
    const topic = new Topic(1);
    fill(topic, 10, 10);
    const w = world(topic);
    let broken = true;
    w.source.beforeCommit = () => {
      if (broken) throw new Error("coordinator moved");
    };
    await start(w);
    await w.clock.pass(1000);
    expect(w.metrics.commitErrors).toBeGreaterThan(2);
    expect(topic.committed).toEqual([0]);
    topic.add(0, "late");
    w.source.read();
    broken = false;
    await w.clock.pass(1000);
    expect(topic.committed).toEqual([11]);
  });
});

describe("stopping", () => {
  it("waits for requests that are under way, commits, and sends nothing more", async () => {
    const topic = new Topic(1);
    fill(topic, 1000, 1000);
    const w = world(topic, { limits: { inFlight: { events: 5000, bytes: 1e9, requests: 1 } }, latency: 100 });
    await start(w);
    await w.clock.pass(50);
    w.source.drain();
    let committed: number[] | undefined;
    void w.delivery.stop().then(() => {
      committed = [...topic.committed];
    });
    await w.clock.pass(20);
    expect(committed).toBeUndefined();
    await w.clock.pass(hour);
    expect(committed).toEqual([200]);
    expect(w.requests.length).toBe(1);
  });

  it("does not wait for a dead letter that cannot be written", async () => {
    const topic = new Topic(1);
    fill(topic, 3, 3);
    const w = world(topic, {
      verdict: (delivered) => (nameOf(delivered) === "0/1" ? rejected : done),
      letter: () => {
        throw new Error("no leader");
      },
    });
    await start(w);
    await w.clock.pass(10_000);
    let stopped = false;
    void w.delivery.stop().then(() => {
      stopped = true;
    });
    await w.clock.pass(5);
    expect(stopped).toBe(true);
    expect(topic.committed).toEqual([1]);
  });
});

describe("forgetting", () => {
  it("commits what was done, and delivers the rest when it comes again", async () => {
    const topic = new Topic(2);
    fill(topic, 1000, 10);
    const w = world(topic, { verdict: failing({ "0/3": 3 }), latency: 100 });
    await start(w);
    await w.clock.pass(150);
    void w.source.rewind();
    await w.clock.pass(60_000);
    expect(new Set(w.done).size).toBe(1000);
    expect(topic.committed).toEqual([500, 500]);
    expect(w.metrics.gauges().events).toBe(0);
    expect(w.letters).toEqual([]);
  });
});

describe("whatever happens", () => {
  const seeds = Array.from({ length: 25 }, (_, seed) => seed + 1);

  it.each(seeds)("nothing is lost, and each key's first successes are in order (seed %i)", async (seed) => {
    const random = chance(seed);
    const topic = new Topic(3);
    const keys = 2 + Math.floor(random() * 20);
    for (let at = 0; at < 400; at += 1) {
      const key = Math.floor(random() * keys);
      topic.add(key % 3, random() < 0.1 ? undefined : `key-${key}`);
    }
    const poison = new Set(topic.records.filter(() => random() < 0.01).map(({ name }) => name));
    const bad = new Set(topic.records.filter(() => random() < 0.02).map(({ name }) => name));
    const hopeless = new Set(topic.records.filter(() => random() < 0.01).map(({ name }) => name));
    const successes: string[] = [];
    const settled = new Set<string>();
    const letters = new Set<string>();

    for (let life = 1; life <= 200; life += 1) {
      const last = life > 5;
      let alive = true;
      const clock = new HeldClock(random);
      const w = world(
        topic,
        {
          latency: 20,
          limits: {
            batch: { events: 1 + Math.floor(random() * 40), bytes: 1e6 },
            inFlight: { events: 60, bytes: 1e6, requests: 3 },
          },
          request: (deliveries) => {
            if (deliveries.some((one) => poison.has(nameOf(one)))) throw new Error("ECONNRESET");
            if (random() < 0.1) throw random() < 0.5 ? new Unavailable("ECONNREFUSED") : new TimedOut("no answer");
          },
          verdict: (delivered) => {
            const name = nameOf(delivered);
            if (bad.has(name)) return rejected;
            if (hopeless.has(name) || random() < 0.1) return failed;
            successes.push(name);
            settled.add(name);
            return done;
          },
          letter: ({ event }) => {
            if (!alive || random() < 0.3) throw new Error("no leader");
            letters.add(nameOf({ event }));
            settled.add(nameOf({ event }));
          },
        },
        clock,
      );
      w.source.beforeCommit = (positions) => {
        if (!alive || random() < 0.2) throw new Error("coordinator moved");
        for (const [partition, upTo] of positions) {
          const unsettled = topic.partitions[Number(partition)]!.slice(0, upTo + 1).filter(
            ({ name }) => !settled.has(name),
          );
          expect(unsettled).toEqual([]);
        }
      };
      await start(w);
      if (!last) {
        await clock.pass(random() * 3000);
        if (random() < 0.5) void w.source.rewind();
        await clock.pass(random() * 2000);
        alive = false;
        continue;
      }
      await clock.pass(4 * hour, () => topic.committed.every((offset, at) => offset === topic.partitions[at]!.length));
      break;
    }

    expect(topic.committed).toEqual(topic.partitions.map((records) => records.length));
    expect([...settled].sort()).toEqual(topic.records.map(({ name }) => name).sort());
    for (const name of [...poison, ...bad].filter((one) => !letters.has(one))) expect(name).toBe("a dead letter");
    for (const key of new Set(topic.records.flatMap(({ key }) => key ?? []))) {
      const first = [...new Set(successes)].filter((name) =>
        topic.records.some((one) => one.name === name && one.key === key),
      );
      const offsets = first.map((name) => Number(name.split("/")[1]));
      expect(offsets).toEqual([...offsets].sort((one, other) => one - other));
    }
  });
});
