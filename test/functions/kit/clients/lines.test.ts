import { describe, expect, it } from "vitest";
import { lineAdder, type ObjectStore, parseLines, type StoredObject } from "../../../../functions/kit/clients/lines.ts";
import { chance } from "../../relay/simulation.ts";

/** A store as S3 is one, that takes a moment for everything. */
class Store implements ObjectStore {
  readonly objects = new Map<string, StoredObject>();
  reads = 0;
  writes = 0;
  #tag = 0;
  /** Throws to fail a write: before it is done, or after. */
  before: () => void = () => undefined;
  after: () => void = () => undefined;

  readonly read = async (key: string) => {
    this.reads += 1;
    await moment();
    return this.objects.get(key);
  };

  readonly write = async (key: string, body: string, read: StoredObject | undefined) => {
    await moment();
    this.before();
    if (this.objects.get(key)?.etag !== read?.etag) return undefined;
    this.writes += 1;
    this.#tag += 1;
    const etag = `"${this.#tag}"`;
    this.objects.set(key, { body, etag });
    await moment();
    this.after();
    return etag;
  };

  ids(key: string): string[] {
    return parseLines(this.objects.get(key)?.body ?? "").map(({ id }) => id);
  }
}

const moment = () => new Promise((resolve) => setTimeout(resolve, 1));

describe("adding lines", () => {
  it("writes those of the same milliseconds together", async () => {
    const store = new Store();
    const add = lineAdder(store);
    const lines = Array.from({ length: 50 }, (_, at) => ({ id: `${at}`, value: at }));
    expect(await Promise.all(lines.map((line) => add("k", line)))).toEqual(lines.map(() => "added"));
    expect(store.objects.get("k")?.body).toBe(lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
    expect([store.reads, store.writes]).toEqual([1, 1]);
  });

  it("adds to what is there without reading it again", async () => {
    const store = new Store();
    const add = lineAdder(store);
    for (const id of ["a", "b", "c"]) await add("k", { id });
    expect(store.ids("k")).toEqual(["a", "b", "c"]);
    expect([store.reads, store.writes]).toEqual([1, 3]);
  });

  it("adds a line once, whoever wrote it and however often it is told to", async () => {
    const store = new Store();
    const first = { id: "a", value: 1 };
    expect(await Promise.all([1, 2].map(() => lineAdder(store)("k", first)))).toHaveLength(2);
    const add = lineAdder(store);
    const outcomes = [{ id: "a" }, { id: "b" }, { id: "b" }].map((line) => add("k", line));
    expect(await Promise.all(outcomes)).toEqual(["exists", "added", "exists"]);
    expect(store.objects.get("k")?.body).toBe('{"id":"a","value":1}\n{"id":"b"}\n');
  });

  it("keeps keys apart, and remembers only some of them", async () => {
    const store = new Store();
    const add = lineAdder(store);
    const keys = Array.from({ length: 100 }, (_, at) => `k${at}`);
    for (const id of ["a", "b"]) await Promise.all(keys.map((key) => add(key, { id })));
    for (const key of keys) expect(store.ids(key)).toEqual(["a", "b"]);
    expect(store.reads).toBe(200);
  });

  it("fails as the store does, and then reads what has become of it", async () => {
    const store = new Store();
    const add = lineAdder(store);
    await add("k", { id: "a" });
    const fail = () => {
      throw new Error("connection lost");
    };
    store.before = fail;
    await expect(add("k", { id: "b" })).rejects.toThrow("connection lost");
    store.before = () => undefined;
    store.after = fail;
    await expect(add("k", { id: "c" })).rejects.toThrow("connection lost");
    store.after = () => undefined;
    expect(await Promise.all(["a", "b", "c"].map((id) => add("k", { id })))).toEqual(["exists", "added", "exists"]);
    expect(store.ids("k")).toEqual(["a", "c", "b"]);
  });

  it("gives up where others keep writing", async () => {
    const store: ObjectStore = { read: async () => undefined, write: async () => undefined };
    await expect(lineAdder(store)("k", { id: "a" })).rejects.toThrow("others keep writing the object k");
  });

  it("loses and repeats nothing with several writers, redeliveries and failures", async () => {
    const store = new Store();
    const random = chance(7);
    const flaky = () => {
      if (random() < 0.2) throw new Error("flaky");
    };
    store.before = flaky;
    store.after = flaky;
    const writers = [1, 2, 3].map(() => lineAdder(store));
    const deliver = async (id: string) => {
      for (;;) {
        const writer = writers[Math.floor(random() * writers.length)]!;
        try {
          return await writer(`k${Number(id) % 2}`, { id });
        } catch {
          await moment();
        }
      }
    };
    const ids = Array.from({ length: 120 }, (_, at) => String(at));
    await Promise.all([...ids, ...ids].map(deliver));
    expect([...store.ids("k0"), ...store.ids("k1")].sort()).toEqual(ids.sort());
  });
});

it("refuses what are no lines of JSON", () => {
  expect(() => parseLines('{"id":"a"}\n{"id"')).toThrow(SyntaxError);
});
