import { MongoBulkWriteError, MongoError, MongoNetworkError, type MongoServerError } from "mongodb";
import { describe, expect, it } from "vitest";
import { connect, type DocumentCollection, documentsOf } from "../../../../functions/kit/clients/documents.ts";
import { Unavailable } from "../../../../functions/kit/errors.ts";

type Fields = Record<string, unknown>;
interface Upsert {
  updateOne?: { filter: { _id: string }; update: { $setOnInsert: Fields }; upsert: true };
  replaceOne?: { filter: { _id: string }; replacement: Fields; upsert: true };
}
interface Refusal {
  code: number;
  errmsg: string;
}

/** A collection that does what the server does with the two operations, and remembers the commands. */
function fake(refuse: (id: string) => Refusal | undefined = () => undefined) {
  const stored = new Map<string, Fields>();
  const bulks: Upsert[][] = [];
  const finds: string[][] = [];
  const failures: unknown[] = [];
  const collection = {
    write: async (operations: Upsert[]) => {
      bulks.push(operations);
      if (failures.length > 0) throw failures.shift();
      const upsertedIds: Record<number, string> = {};
      for (const [index, { updateOne, replaceOne }] of operations.entries()) {
        const id = (updateOne ?? replaceOne)?.filter._id ?? "";
        const refusal = refuse(id);
        if (refusal) throw bulkError(index, refusal, upsertedIds);
        if (!stored.has(id)) upsertedIds[index] = id;
        if (replaceOne) stored.set(id, replaceOne.replacement);
        else if (updateOne && !stored.has(id)) stored.set(id, updateOne.update.$setOnInsert);
      }
      return { upsertedIds };
    },
    read: async (ids: string[]) => {
      finds.push(ids);
      return ids.flatMap((_id) => (stored.has(_id) ? [{ _id, ...stored.get(_id) }] : [])).reverse();
    },
  };
  return { documents: documentsOf(collection as unknown as DocumentCollection), stored, bulks, finds, failures };
}

function retryable(): MongoError {
  const error = new MongoError("not primary");
  error.addErrorLabel("RetryableWriteError");
  return error;
}

function bulkError(index: number, refusal: Refusal, upsertedIds: Record<number, string>, concern?: object) {
  const error = new MongoBulkWriteError(
    { message: refusal.errmsg, code: refusal.code } as unknown as MongoServerError,
    {
      upsertedIds,
      getWriteConcernError: () => concern,
    } as never,
  );
  error.writeErrors = [{ index, ...refusal }] as never;
  return error;
}

describe("documents", () => {
  it("inserts once, whatever comes later under the id", async () => {
    const { documents, stored } = fake();
    expect(await documents.insertOnce("a", { n: 1 })).toBe("inserted");
    expect(await documents.insertOnce("a", { n: 2 })).toBe("exists");
    expect(stored.get("a")).toEqual({ n: 1 });
  });

  it("sends the calls of a tick as one command, in their order", async () => {
    const { documents, bulks, stored } = fake();
    const answers = await Promise.all([
      documents.insertOnce("a", { n: 1 }),
      documents.insertOnce("a", { n: 2 }),
      documents.put("a", { n: 3 }),
      documents.insertOnce("b", { n: 4 }),
    ]);
    expect(answers).toEqual(["inserted", "exists", undefined, "inserted"]);
    expect(bulks.map((bulk) => bulk.length)).toEqual([4]);
    expect(stored.get("a")).toEqual({ n: 3 });
  });

  it("sends at most 200 together", async () => {
    const { documents, bulks, stored } = fake();
    await Promise.all(Array.from({ length: 450 }, (_, n) => documents.put(`d${n}`, { n })));
    expect(bulks.map((bulk) => bulk.length)).toEqual([200, 200, 50]);
    expect(stored.size).toBe(450);
  });

  it("reads what was asked for in one find, each id once, without its _id", async () => {
    const { documents, finds } = fake();
    await Promise.all([documents.put("a", { n: 1 }), documents.put("b", { _id: "other", n: 2 })]);
    const read = await Promise.all(["b", "none", "a", "b"].map((id) => documents.get(id)));
    expect(read).toEqual([{ n: 2 }, undefined, { n: 1 }, { n: 2 }]);
    expect(finds).toEqual([["b", "none", "a"]]);
  });

  it("remembers no answer", async () => {
    const { documents } = fake();
    expect(await documents.get("a")).toBeUndefined();
    await documents.put("a", { n: 1 });
    expect(await documents.get("a")).toEqual({ n: 1 });
  });

  it("fails only the call that the server refuses", async () => {
    const { documents, bulks, stored } = fake((id) =>
      id.startsWith("bad") ? { code: 121, errmsg: "Document failed validation" } : undefined,
    );
    const ids = ["a", "bad1", "b", "bad2", "bad3", "c"];
    const outcomes = await Promise.allSettled(ids.map((id) => documents.insertOnce(id, { n: 1 })));
    expect(outcomes.map((one) => (one.status === "fulfilled" ? one.value : one.reason.message))).toEqual([
      "inserted",
      "Document failed validation",
      "inserted",
      "Document failed validation",
      "Document failed validation",
      "inserted",
    ]);
    expect([...stored.keys()]).toEqual(["a", "b", "c"]);
    expect(bulks.map((bulk) => bulk.length)).toEqual([6, 4, 2, 1]);
  });

  it("takes a duplicate id for one that exists, but not another unique index", async () => {
    const refusal = (index: string) => ({
      code: 11000,
      errmsg: `E11000 duplicate key error collection: x index: ${index}`,
    });
    const { documents } = fake((id) => refusal(id === "same" ? "_id_" : "device_1"));
    await expect(documents.insertOnce("same", {})).resolves.toBe("exists");
    await expect(documents.insertOnce("other", {})).rejects.toThrow("E11000");
    await expect(documents.put("same", {})).rejects.toThrow("E11000");
  });

  it("fails all calls of a command of which nothing is known, and works again", async () => {
    const { documents, failures } = fake();
    failures.push(new Error("connection reset"));
    const lost = await Promise.allSettled([documents.put("a", {}), documents.insertOnce("b", {})]);
    expect(lost.map((one) => one.status)).toEqual(["rejected", "rejected"]);
    expect(await documents.insertOnce("b", {})).toBe("inserted");
  });

  it.each([
    ["that is not there", new MongoNetworkError("connect ECONNREFUSED")],
    ["that has no primary", retryable()],
  ])("tells a server %s from an event that fails", async (_, failure) => {
    const { documents, failures } = fake();
    failures.push(failure, new Error("something else"));
    await expect(documents.put("a", {})).rejects.toBeInstanceOf(Unavailable);
    await expect(documents.put("a", {})).rejects.not.toBeInstanceOf(Unavailable);
  });

  it("keeps what is known when the rest is lost on the way", async () => {
    const bad = { code: 121, errmsg: "Document failed validation" };
    const { documents, failures } = fake();
    failures.push(bulkError(1, bad, { 0: "a" }), new Error("connection reset"));
    const outcomes = await Promise.allSettled(["a", "b", "c"].map((id) => documents.insertOnce(id, {})));
    expect(outcomes.map((one) => (one.status === "fulfilled" ? one.value : one.reason.message))).toEqual([
      "inserted",
      "Document failed validation",
      "connection reset",
    ]);
  });

  it("counts nothing as written that no majority has", async () => {
    const { documents, failures } = fake();
    failures.push(bulkError(1, { code: 121, errmsg: "x" }, { 0: "a" }, { code: 64 }));
    const outcomes = await Promise.allSettled(["a", "b"].map((id) => documents.insertOnce(id, {})));
    expect(outcomes.map((one) => one.status)).toEqual(["rejected", "rejected"]);
  });

  it.each([["text"], [null], [undefined], [[1]], [{ "a.b": 1 }], [{ $set: 1 }]])(
    "refuses %j alone",
    async (document) => {
      const { documents, bulks } = fake();
      const [refused, taken] = await Promise.allSettled([documents.put("a", document), documents.put("b", { n: 1 })]);
      expect(refused).toMatchObject({ status: "rejected", reason: { name: "TypeError" } });
      expect(taken?.status).toBe("fulfilled");
      expect(bulks.map((bulk) => bulk.length)).toEqual([1]);
    },
  );

  it("connects only when it is used", async () => {
    const nobody = { hosts: ["127.0.0.1:1"], replicaSet: "rs0", database: "d", collection: "c" };
    const documents = await connect({ ...nobody, username: "u", password: "p", authSource: "admin" });
    expect(documents).toHaveProperty("get");
  });
});
