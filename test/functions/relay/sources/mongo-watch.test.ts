import { EventEmitter } from "node:events";
import { type Collection, type Db, type Document, MongoNetworkError, MongoServerError, ObjectId } from "mongodb";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  type ChangeEvent,
  HistoryLost,
  tokenStore,
  type WatchOptions,
  watch,
} from "../../../../functions/relay/sources/mongo-watch.ts";

type Step = Document | null | Error | (() => void);

/** A server with some documents, and for each stream that is opened a script of what it answers. */
function server(documents: Document[], ...scripts: Step[][]) {
  const opened: { pipeline: Document[]; options: Document }[] = [];
  const closed: boolean[] = [];
  const collection = {
    namespace: "iot.readings",
    find: () =>
      (async function* () {
        yield* documents;
      })(),
    watch: (pipeline: Document[], options: Document) => {
      const script = scripts[opened.length] ?? [];
      const place = opened.push({ pipeline, options }) - 1;
      const stream = Object.assign(new EventEmitter(), {
        closed: false,
        resumeToken: options.resumeAfter,
        close: async () => {
          stream.closed = true;
          closed[place] = true;
        },
        tryNext: async () => {
          if (!options.resumeAfter) stream.emit("resumeTokenChanged", { _data: `start${place}` });
          const step = script.shift();
          if (step instanceof Error) throw step;
          if (typeof step === "function") step();
          else if (step) stream.resumeToken = step._id;
          else await new Promise((again) => setTimeout(again, 1));
          return typeof step === "function" ? null : (step ?? null);
        },
      });
      return stream;
    },
  };
  return { collection: collection as unknown as Collection, opened, closed };
}

const change = (n: number, operationType = "insert", more: Document = {}) => ({
  _id: { _data: `t${n}` },
  operationType,
  documentKey: { _id: `d${n}` },
  fullDocument: { _id: `d${n}`, n },
  wallTime: new Date(n),
  ...more,
});
const refused = (code: number) => new MongoServerError({ message: "refused", code });

/** Reads until so many events came, then stops as the relay does. */
async function read(collection: Collection, count: number, more: Partial<WatchOptions> = {}): Promise<ChangeEvent[]> {
  const stop = new AbortController();
  const events: ChangeEvent[] = [];
  const options = { collection, operations: ["insert"] as const, signal: stop.signal, ...more };
  for await (const event of watch(options)) {
    events.push(event);
    if (events.length === count) stop.abort();
  }
  return events;
}

describe("watch", () => {
  beforeEach(() => void vi.useFakeTimers({ shouldAdvanceTime: true, advanceTimeDelta: 50, toFake: ["Date"] }));
  afterEach(() => void vi.useRealTimers());

  it("tells at the first start of all documents, then of the changes since it came", async () => {
    const { collection, opened } = server(
      [
        { _id: "a", n: 1 },
        { _id: "b", n: 2 },
      ],
      [null],
      [change(3)],
    );
    const positions: string[] = [];
    const events = await read(collection, 3, { position: async (token) => void positions.push(token) });
    expect(events.map(({ id, operation, document, time }) => ({ id, operation, document, time }))).toEqual([
      { id: "a", operation: "insert", document: { n: 1 }, time: undefined },
      { id: "b", operation: "insert", document: { n: 2 }, time: undefined },
      { id: "d3", operation: "insert", document: { n: 3 }, time: new Date(3) },
    ]);
    expect(opened[1]?.options.resumeAfter).toEqual({ _data: "start0" });
    expect(events[0]?.token).toBe(positions[0]);
    expect(positions[1]).not.toBe(positions[0]);
  });

  it("has its start saved before the first event, and waits for that", async () => {
    const { collection } = server([{ _id: "a" }], [null], [change(1)]);
    const order: string[] = [];
    const position = async () => {
      await new Promise((done) => setTimeout(done, 20));
      order.push("saved");
    };
    const stop = new AbortController();
    for await (const { id } of watch({ collection, operations: ["insert"], signal: stop.signal, position })) {
      order.push(id);
      if (id === "d1") stop.abort();
    }
    expect(order).toEqual(["saved", "a", "saved", "d1"]);
  });

  it("scans again after a crash in the scan, and follows from the same start", async () => {
    const first = server([{ _id: "a" }, { _id: "b" }], [null]);
    const [a] = await read(first.collection, 1);
    const second = server([{ _id: "a" }, { _id: "b" }], [change(3)]);
    const events = await read(second.collection, 3, { resumeAfter: a?.token ?? "" });
    expect(events.map(({ id }) => id)).toEqual(["a", "b", "d3"]);
    expect(second.opened.map(({ options }) => options.resumeAfter)).toEqual([{ _data: "start0" }]);
  });

  it("goes on behind a saved event without a scan", async () => {
    const first = server([], [null], [change(1)]);
    const [one] = await read(first.collection, 1);
    const { collection, opened } = server([{ _id: "a" }], [change(2)]);
    expect((await read(collection, 1, { resumeAfter: one?.token ?? "" })).map(({ id }) => id)).toEqual(["d2"]);
    expect(opened.map(({ options }) => options.resumeAfter)).toEqual([{ _data: "t1" }]);
  });

  it("asks for the operations it was told, and for what they left", async () => {
    const { collection, opened } = server([{ _id: "a" }], [null], [change(1, "update", { fullDocument: null })]);
    const [event] = await read(collection, 1, { operations: ["update", "replace"] });
    expect(opened[1]?.pipeline).toEqual([{ $match: { operationType: { $in: ["update", "replace", "invalidate"] } } }]);
    expect(opened[1]?.options).toMatchObject({ fullDocument: "updateLookup" });
    expect(event).toMatchObject({ operation: "update", id: "d1", document: undefined });
  });

  it("makes text of ids of any type", async () => {
    const id = new ObjectId();
    const { collection } = server([{ _id: id }, { _id: 7 }, { _id: { a: 1 } }], [null]);
    expect((await read(collection, 3)).map((event) => event.id)).toEqual([id.toHexString(), "7", '{"a":1}']);
  });

  it.each([new MongoNetworkError("reset"), refused(10107), refused(43)])("tries again after %s", async (failure) => {
    const { collection, opened, closed } = server([], [null], [change(1), failure], [change(2)]);
    const told: Error[] = [];
    const events = await read(collection, 2, { retrying: (error) => void told.push(error) });
    expect(events.map(({ id }) => id)).toEqual(["d1", "d2"]);
    expect(told).toEqual([failure]);
    expect(opened[2]?.options.resumeAfter).toEqual({ _data: "t1" });
    expect(closed[1]).toBe(true);
  });

  it.each([260, 280, 286])("stops loudly when the history is lost (%i)", async (code) => {
    const { collection, opened } = server([{ _id: "a" }], [refused(code)]);
    const reading = read(collection, 1, { resumeAfter: '{"after":{"_data":"old"}}' });
    await expect(reading).rejects.toBeInstanceOf(HistoryLost);
    await expect(reading).rejects.toThrow("iot.readings is no longer in MongoDB's oplog");
    expect(opened).toHaveLength(1);
  });

  it("stops loudly when the collection is dropped", async () => {
    const { collection } = server([], [null], [change(1), { _id: { _data: "t2" }, operationType: "invalidate" }]);
    await expect(read(collection, 2)).rejects.toThrow(/dropped or renamed/);
  });

  it.each(["", "nonsense", "null", "[]", '{"_data":"t1"}'])(
    "takes the token %j for lost history",
    async (resumeAfter) => {
      await expect(read(server([]).collection, 1, { resumeAfter })).rejects.toBeInstanceOf(HistoryLost);
    },
  );

  it("does not try again what the server refuses", async () => {
    const { collection } = server([], [refused(13)]);
    await expect(read(collection, 1)).rejects.toThrow("refused");
  });

  it("does not spin when a stream ends", async () => {
    const ended = () => {};
    const { collection, opened } = server([], [null], [ended], [change(1)]);
    const streams = opened;
    const watchOf = collection.watch.bind(collection);
    collection.watch = ((...all: Parameters<Collection["watch"]>) => {
      const stream = watchOf(...all);
      if (streams.length === 2) void stream.close();
      return stream;
    }) as Collection["watch"];
    const told: Error[] = [];
    expect((await read(collection, 1, { retrying: (error) => void told.push(error) })).map(({ id }) => id)).toEqual([
      "d1",
    ]);
    expect(told.map((error) => error.message)).toEqual(["the change stream ended"]);
  });

  it("tells its position while nothing happens, so that it does not grow too old", async () => {
    const later = () => vi.setSystemTime(Date.now() + 61_000);
    const { collection } = server([], [null], [null, later, change(1)]);
    const positions: string[] = [];
    await read(collection, 1, { position: async (token) => void positions.push(token) });
    expect(positions).toHaveLength(3);
  });

  it("ends when it is told to, also while it waits", async () => {
    const { collection, closed } = server([], [null], []);
    const stop = new AbortController();
    setTimeout(() => stop.abort(), 30);
    for await (const _ of watch({ collection, operations: ["insert"], signal: stop.signal })) expect.unreachable();
    expect(closed).toEqual([true, true]);
  });
});

describe("tokenStore", () => {
  it("keeps one token for each relay, for a majority", async () => {
    const stored = new Map<string, Document>();
    const asked: unknown[] = [];
    const database = {
      collection: (name: string, options: Document) => {
        asked.push([name, options.writeConcern]);
        return {
          findOne: async ({ _id }: { _id: string }) => stored.get(_id) ?? null,
          updateOne: async (
            { _id }: { _id: string },
            { $set }: { $set: Document },
            { upsert }: { upsert: boolean },
          ) => {
            if (upsert || stored.has(_id)) stored.set(_id, { ...stored.get(_id), ...$set });
          },
        };
      },
    } as unknown as Db;
    const [one, other] = [tokenStore(database, "one"), tokenStore(database, "other")];
    expect(await one.load()).toBeUndefined();
    await one.save("t1");
    await one.save("t2");
    expect(await one.load()).toBe("t2");
    expect(await other.load()).toBeUndefined();
    expect(asked).toContainEqual(["_relay_tokens", { w: "majority" }]);
  });
});
