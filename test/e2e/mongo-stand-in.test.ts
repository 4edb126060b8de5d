/**
 * What the stand-in for MongoDB does like the real server, and what it does not: every result of the embedded node that
 * touches MongoDB rests on this.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, connect as tcpConnect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import {
  type ChangeStreamDocument,
  type Collection,
  type Document,
  MongoClient,
  type MongoClientOptions,
  MongoNetworkError,
  MongoServerSelectionError,
} from "mongodb";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { connect as connectDocuments } from "../../functions/kit/clients/documents.ts";
import { HistoryLost, tokenStore, watch } from "../../functions/relay/sources/mongo-watch.ts";
import { standInCommand } from "../../local/images/mongo/environment.ts";

const folder = mkdtempSync(join(tmpdir(), "mongo-stand-in-"));
const rootUser = { username: "root", password: "of the test" };
const user = { username: "iot", password: "with , and = and ü" };
const clients: MongoClient[] = [];
const servers: StandIn[] = [];

class StandIn {
  readonly data: string;
  readonly port: number;
  output = "";
  #process: ChildProcess | undefined;

  constructor(name: string, port: number) {
    this.data = join(folder, name);
    this.port = port;
    mkdirSync(this.data, { recursive: true });
    servers.push(this);
  }

  async start(keyFile = "keyfile", env: Record<string, string> = {}): Promise<void> {
    const { command, env: needed } = await standInCommand();
    const [program = "", ...args] = command;
    const flags = [
      ...["--replSet", "rs0", "--keyFile", join(folder, keyFile), "--bind_ip", "127.0.0.1", "--port", `${this.port}`],
      ...["--dbpath", this.data, "--tlsMode", "requireTLS", "--tlsCertificateKeyFile", join(folder, "server.pem")],
      ...[
        "--tlsCAFile",
        join(folder, "ca.crt"),
        "--tlsAllowConnectionsWithoutCertificates",
        "--wiredTigerCacheSizeGB",
        "0.25",
      ],
    ];
    const initial = { MONGO_INITDB_ROOT_USERNAME: rootUser.username, MONGO_INITDB_ROOT_PASSWORD: rootUser.password };
    const child = spawn(program, [...args, ...flags], { env: { ...process.env, ...needed, ...initial, ...env } });
    this.#process = child;
    this.output = "";
    await new Promise<void>((ready, failed) => {
      const hear = (text: Buffer) => {
        this.output += text;
        if (this.output.includes("Waiting for connections")) setTimeout(ready, 100);
      };
      child.stdout.on("data", hear);
      child.stderr.on("data", hear);
      child.on("exit", (code) => failed(new Error(`it ended with ${code}: ${this.output}`)));
    });
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#process;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((done) => child.once("exit", done));
    child.kill(signal);
    await ended;
  }

  client(auth: MongoClientOptions["auth"], more: MongoClientOptions = {}): MongoClient {
    const ca = readFileSync(join(folder, "ca.crt"), "utf8");
    const quick = { tls: true, ca, serverSelectionTimeoutMS: 3_000, replicaSet: "rs0", ...more };
    const client = new MongoClient(`mongodb://localhost:${this.port}/`, { ...quick, ...(auth ? { auth } : {}) });
    clients.push(client);
    return client;
  }

  root(more: MongoClientOptions = {}): MongoClient {
    return this.client(rootUser, more);
  }

  settings(collection: string) {
    const ca = readFileSync(join(folder, "ca.crt"), "utf8");
    const where = { hosts: [`localhost:${this.port}`], replicaSet: "rs0", database: "iot", collection };
    return { ...where, ...user, authSource: "admin", ca };
  }

  /** Seconds of CPU that it used so far. */
  cpu(): number {
    const fields = readFileSync(`/proc/${this.#process?.pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
    return (Number(fields[11]) + Number(fields[12])) / 100;
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((ready) => server.once("listening", ready));
  const { port } = server.address() as { port: number };
  await new Promise((closed) => server.close(closed));
  return port;
}

function makeCertificates(): void {
  const openssl = (...args: string[]) => execFileSync("openssl", args, { cwd: folder, stdio: "pipe" });
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  openssl("req", "-x509", ...key, "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=authority of the test");
  openssl("req", ...key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost");
  writeFileSync(join(folder, "names"), "subjectAltName=DNS:localhost,IP:127.0.0.1\n");
  openssl(
    ...["x509", "-req", "-in", "server.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial"],
    ...["-extfile", "names", "-out", "server.crt"],
  );
  const pem = ["server.crt", "server.key"].map((file) => readFileSync(join(folder, file), "utf8")).join("");
  writeFileSync(join(folder, "server.pem"), pem);
  writeFileSync(join(folder, "keyfile"), "key of the test\n", { mode: 0o400 });
}

const codeOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => "no error",
    (error: { code?: unknown; name: string }) => error.code ?? error.name,
  );

const initiate = (server: StandIn) => ({
  replSetInitiate: { _id: "rs0", members: [{ _id: 0, host: `localhost:${server.port}` }] },
});

let server: StandIn;

beforeAll(async () => {
  makeCertificates();
  server = new StandIn("data", await freePort());
  await server.start();
});

afterAll(async () => {
  await Promise.all(clients.map((client) => client.close()));
  for (const one of servers) await one.end("SIGKILL");
  rmSync(folder, { recursive: true });
});

describe("like MongoDB", () => {
  it("is no primary before its replica set is initiated, and is initiated once", async () => {
    const admin = server.root({ directConnection: true, replicaSet: undefined as never }).db("admin");
    expect(await codeOf(admin.command({ replSetGetStatus: 1 }))).toBe(94);
    expect(await codeOf(admin.command({ replSetGetConfig: 1 }))).toBe(94);
    expect(await codeOf(admin.collection("x").insertOne({}))).toBe(10107);
    expect(await codeOf(admin.command({ replSetInitiate: { _id: "other", members: [] } }))).toBe(93);
    await admin.command(initiate(server));
    expect(await codeOf(admin.command(initiate(server)))).toBe(23);
    expect(await admin.command({ hello: 1 })).toMatchObject({
      setName: "rs0",
      isWritablePrimary: true,
      primary: `localhost:${server.port}`,
      hosts: [`localhost:${server.port}`],
    });
    expect(await admin.command({ replSetGetStatus: 1 })).toMatchObject({
      myState: 1,
      members: [{ stateStr: "PRIMARY" }],
    });
  });

  it("makes users and changes them", async () => {
    const admin = server.root().db("admin");
    const roles = [{ role: "readWrite", db: "iot" }];
    expect(await codeOf(admin.command({ updateUser: "iot", pwd: "x" }))).toBe(11);
    await admin.command({ createUser: "iot", pwd: "first", roles: [] });
    expect(await codeOf(admin.command({ createUser: "iot", pwd: "x", roles }))).toBe(51003);
    expect(await codeOf(admin.command({ createUser: "x", pwd: "x", roles: [{ role: "nonsense", db: "iot" }] }))).toBe(
      31,
    );
    await admin.command({ updateUser: "iot", pwd: user.password, roles });
    await admin.command({ createUser: "reader", pwd: "x", roles: [{ role: "read", db: "iot" }] });
    const { users } = await admin.command({ usersInfo: { user: "iot", db: "admin" } });
    expect(users).toMatchObject([{ user: "iot", roles }]);
    expect(JSON.stringify(users)).not.toMatch(/salt|Key/);
    await admin.command({ createUser: "gone", pwd: "x", roles });
    await admin.command({ dropUser: "gone" });
    expect(await codeOf(server.client({ username: "gone", password: "x" }).db("iot").command({ ping: 1 }))).toBe(18);
  });

  it("lets in who has the password, and lets everyone do what the roles say", async () => {
    const find = (client: MongoClient, db = "iot") => codeOf(client.db(db).collection("a").findOne({}));
    const insert = (client: MongoClient, db = "iot") => codeOf(client.db(db).collection("a").insertOne({}));
    const iot = server.client(user);
    expect([await find(iot), await insert(iot)]).toEqual(["no error", "no error"]);
    expect([await find(iot, "other"), await insert(iot, "other")]).toEqual([13, 13]);
    expect(await codeOf(iot.db("admin").command({ createUser: "x", pwd: "x", roles: [] }))).toBe(13);
    expect(await codeOf(iot.db("admin").command({ replSetGetStatus: 1 }))).toBe(13);
    const reader = server.client({ username: "reader", password: "x" });
    expect([await find(reader), await insert(reader)]).toEqual(["no error", 13]);
    expect(
      await codeOf(
        reader
          .db("iot")
          .collection("a")
          .aggregate([{ $match: {} }, { $out: "b" }])
          .toArray(),
      ),
    ).toBe(13);
    expect(await codeOf(reader.db("iot").collection("a").watch().tryNext())).toBe("no error");
    expect(await find(server.client(undefined))).toBe(13);
    expect(await find(server.client({ ...user, password: "wrong" }))).toBe(18);
    expect(await find(server.client({ username: "nobody", password: "x" }))).toBe(18);
  });

  it("talks only TLS, with a certificate of its authority", async () => {
    expect(
      await codeOf(server.root({ tls: false, serverSelectionTimeoutMS: 500 }).db("admin").command({ ping: 1 })),
    ).toBe("MongoServerSelectionError");
    const other = execFileSync("openssl", [
      ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=other"],
      ...["-keyout", join(folder, "other.key")],
    ]).toString();
    const stranger = server.root({ ca: other, serverSelectionTimeoutMS: 500 });
    expect(await codeOf(stranger.db("admin").command({ ping: 1 }))).toBe("MongoServerSelectionError");
  });

  it("outlives nonsense on the wire", async () => {
    const socket = tcpConnect(server.port, "127.0.0.1");
    socket.on("error", () => {});
    socket.end(Buffer.alloc(64, 0xff));
    await new Promise((closed) => socket.once("close", closed));
    expect(await codeOf(server.root().db("admin").command({ ping: 1 }))).toBe("no error");
  });

  it("refuses a key file that others may read, and a data folder without a user when the entrypoint did not run", async () => {
    const strict = new StandIn("strict", await freePort());
    writeFileSync(join(folder, "open-keyfile"), "key of the test\n");
    chmodSync(join(folder, "open-keyfile"), 0o440);
    await expect(strict.start("open-keyfile")).rejects.toThrow("too open");
    await expect(strict.start("keyfile", { MONGO_INITDB_ROOT_PASSWORD: "" })).rejects.toThrow(
      "MONGO_INITDB_ROOT_USERNAME",
    );
  });

  it("knows no other commands", async () => {
    expect(await codeOf(server.root().db("iot").command({ journal_mode: "DELETE" }))).toBe(59);
  });

  it("keeps values as they are", async () => {
    const values = server.client(user).db("iot").collection<Document & { _id: string }>("kept");
    const document = {
      text: "ü\u0000\n",
      whole: 5,
      float: 1.5,
      large: 2 ** 40,
      no: null,
      yes: true,
      at: new Date(1_234),
      list: [1, { a: [] }],
    };
    await values.insertOne({ _id: "507f1f77bcf86cd799439011", id: "7", ...document });
    expect(await values.findOne({ _id: "507f1f77bcf86cd799439011" })).toEqual({
      _id: "507f1f77bcf86cd799439011",
      id: "7",
      ...document,
    });
  });

  it("gives the changes that a collection's writes made, and none for those that changed nothing", async () => {
    const collection = server.client(user).db("iot").collection<Document & { _id: string }>("changes");
    const stream = collection.watch([
      { $match: { operationType: { $in: ["insert", "update", "replace", "delete"] } } },
    ]);
    expect(await stream.tryNext()).toBeNull();
    const put = (n: number) => ({ replaceOne: { filter: { _id: "a" }, replacement: { n }, upsert: true as const } });
    const once = (n: number) => ({
      updateOne: { filter: { _id: "a" }, update: { $setOnInsert: { n } }, upsert: true as const },
    });
    const set = { updateOne: { filter: { _id: "a" }, update: { $set: { n: 3 } } } };
    const result = await collection.bulkWrite([once(1), once(9), put(2), put(2), set, set]);
    expect(result).toMatchObject({ upsertedCount: 1, upsertedIds: { 0: "a" }, matchedCount: 5 });
    await collection.deleteOne({ _id: "a" });
    const seen: ChangeStreamDocument[] = [];
    while (seen.length < 4) seen.push(await stream.next());
    expect(await stream.tryNext()).toBeNull();
    expect(seen.map((change) => [change.operationType, "fullDocument" in change && change.fullDocument])).toEqual([
      ["insert", { _id: "a", n: 1 }],
      ["replace", { _id: "a", n: 2 }],
      ["update", false],
      ["delete", false],
    ]);
    for (const change of seen) {
      expect(change).toMatchObject({ ns: { db: "iot", coll: "changes" }, documentKey: { _id: "a" } });
      expect(Math.abs(Date.now() - ((change as { wallTime?: Date }).wallTime?.getTime() ?? 0))).toBeLessThan(10_000);
    }
  });

  it("tells a change within 50 ms, and rests while there is none", async () => {
    const collection = server.client(user).db("iot").collection<{ _id: string }>("latency");
    const stream = collection.watch();
    await stream.tryNext();
    const waits: number[] = [];
    for (let n = 0; n < 21; n += 1) {
      await wait(20);
      const writtenAt = performance.now();
      const [, change] = await Promise.all([collection.insertOne({ _id: `${n}` }), stream.next()]);
      expect(change).toMatchObject({ documentKey: { _id: `${n}` } });
      waits.push(performance.now() - writtenAt);
    }
    expect(waits.sort((a, b) => a - b)[10]).toBeLessThan(50);
    const next = stream.tryNext();
    const before = server.cpu();
    await wait(3_000);
    expect(server.cpu() - before).toBeLessThan(0.15);
    await next;
  });

  it("refuses tokens that it did not give, or whose history is gone", async () => {
    const other = new StandIn("other", await freePort());
    await other.start();
    await other
      .root({ directConnection: true, replicaSet: undefined as never })
      .db("admin")
      .command(initiate(other));
    const elsewhere = other.root().db("iot").collection("changes").watch();
    await elsewhere.tryNext();
    const collection = server.client(user).db("iot").collection("changes");
    expect(await codeOf(collection.watch([], { resumeAfter: elsewhere.resumeToken }).tryNext())).toBe(286);
    expect(await codeOf(collection.watch([], { resumeAfter: { _data: "8263" } }).tryNext())).toBe(260);
    await other.end("SIGTERM");
  });

  it("ends the streams of a collection that is dropped", async () => {
    const collection = server.client(user).db("iot").collection("dropped");
    await collection.insertOne({});
    const stream = collection.watch();
    await stream.tryNext();
    await collection.drop();
    expect([(await stream.next()).operationType, (await stream.next()).operationType]).toEqual(["drop", "invalidate"]);
    await expect(stream.next()).rejects.toThrow("closed");
  });
});

describe("unlike MongoDB", () => {
  it("says what it is", async () => {
    expect(server.output).toContain("IT IS NOT MONGODB");
    expect(await server.root().db("admin").command({ buildInfo: 1 })).toMatchObject({ modules: ["stand-in"] });
  });

  it("has one member", async () => {
    const alone = new StandIn("alone", await freePort());
    await alone.start();
    const admin = alone.root({ directConnection: true, replicaSet: undefined as never }).db("admin");
    const members = [0, 1, 2].map((_id) => ({ _id, host: `localhost:${alone.port + _id}` }));
    expect(await codeOf(admin.command({ replSetInitiate: { _id: "rs0", members } }))).toBe(93);
    await alone.end("SIGTERM");
  });

  it("takes plain names only", async () => {
    const db = server.root().db("iot");
    for (const name of ["values", "a-b", "a.b", "1a"]) expect(await codeOf(db.collection(name).insertOne({}))).toBe(73);
  });

  it("watches collections only, tells not what an update changed, and looks no document up again", async () => {
    const db = server.client(user).db("iot");
    expect(await codeOf(db.watch().tryNext())).toBe(115);
    const collection = db.collection<Document & { _id: string }>("delta");
    const stream = collection.watch([], { fullDocument: "updateLookup" });
    await stream.tryNext();
    await collection.insertOne({ _id: "a" });
    await collection.updateOne({ _id: "a" }, { $set: { n: 1 } });
    await collection.updateOne({ _id: "a" }, { $set: { n: 2 } });
    await stream.next();
    const change = await stream.next();
    expect(change).toMatchObject({ operationType: "update", fullDocument: { n: 1 } }); // MongoDB: n: 2
    expect(change).not.toHaveProperty("updateDescription"); // MongoDB: { updatedFields: { n: 1 }, … }
  });

  it("does a retried write again", async () => {
    const collection = server.client(user).db("iot").collection("retried");
    const insert = { insert: "retried", documents: [{}], txnNumber: 1n, lsid: undefined };
    const session = server.client(user).startSession();
    const twice = { ...insert, lsid: session.id };
    await collection.db.command(twice);
    await collection.db.command(twice);
    expect(await collection.countDocuments({})).toBe(2); // MongoDB: 1
    await session.endSession();
  });
});

describe("the kit's clients", () => {
  it("store documents once, in bulk, with their ids repeated", async () => {
    const [one, other] = await Promise.all([0, 1].map(() => connectDocuments(server.settings("documents"))));
    const ids = Array.from({ length: 500 }, (_, n) => `device-${n % 250}`);
    const outcomes = await Promise.all(
      ids.flatMap((id, n) => [
        one?.insertOnce(id, { id, n, by: "one" }),
        other?.insertOnce(id, { id, n, by: "other" }),
      ]),
    );
    expect(outcomes.filter((outcome) => outcome === "inserted")).toHaveLength(250);
    await Promise.all(ids.map((id, n) => one?.put(id, { id, n })));
    const read = await Promise.all([...ids, "none"].map((id) => other?.get(id)));
    expect(read.slice(0, 250)).toEqual(ids.slice(0, 250).map((id, n) => ({ id, n: n + 250 })));
    expect(read.at(-1)).toBeUndefined();
  });

  it("fail only the document that the server refuses", async () => {
    const settings = server.settings("serials");
    const collection = server.client(user).db("iot").collection("serials");
    await collection.createIndex({ serial: 1 }, { unique: true });
    const documents = await connectDocuments(settings);
    const serials = [1, 2, 1, 3];
    const outcomes = await Promise.allSettled(serials.map((serial, n) => documents.insertOnce(`d${n}`, { serial })));
    expect(outcomes.map((one) => one.status)).toEqual(["fulfilled", "fulfilled", "rejected", "fulfilled"]);
    expect(await collection.countDocuments({})).toBe(3);
  });

  it("say soon that nobody is there", async () => {
    const documents = await connectDocuments({ ...server.settings("x"), hosts: [`localhost:${await freePort()}`] });
    await expect(documents.get("a")).rejects.toThrow(/ECONNREFUSED/);
  });

  it("miss no change, whoever is killed", async () => {
    const collection = server
      .client(user, { serverSelectionTimeoutMS: 10_000 })
      .db("iot")
      .collection("followed") as unknown as Collection;
    const documents = await connectDocuments(server.settings("followed"));
    const tokens = tokenStore(server.client(user).db("iot"), "test");
    const acknowledged: string[] = [];
    const seen = new Set<string>();
    await documents.put("before", { n: -1 });
    acknowledged.push("before");

    let writing = true;
    const write = (async () => {
      for (let n = 0; writing; n += 1) {
        const ids = Array.from({ length: 20 }, (_, k) => `${n}-${k}`);
        const outcomes = await Promise.allSettled(ids.map((id) => documents.insertOnce(id, { n })));
        acknowledged.push(...ids.filter((_, k) => outcomes[k]?.status === "fulfilled"));
        await wait(10);
      }
    })();
    /** A reader's life: it saves its position now and then, so what it saw after that comes again. */
    const read = async (events: number, until: AbortSignal) => {
      const stop = new AbortController();
      until.addEventListener("abort", () => stop.abort());
      const resumeAfter = await tokens.load();
      let count = 0;
      for await (const { id, token } of watch({
        ...{ collection, operations: ["insert"], signal: stop.signal, position: tokens.save },
        ...(resumeAfter === undefined ? {} : { resumeAfter }),
      })) {
        seen.add(id);
        count += 1;
        if (count % 50 === 0) await tokens.save(token);
        if (count === events) stop.abort();
      }
    };
    await read(170, new AbortController().signal);
    const end = new AbortController();
    const reading = (async () => {
      while (!end.signal.aborted) {
        await read(330, end.signal).catch(async (error) => {
          if (!(error instanceof MongoNetworkError || error instanceof MongoServerSelectionError)) throw error;
          await wait(50); // its position could not be saved or loaded: it ends there, and the next life goes on
        });
      }
    })();
    for (let kill = 0; kill < 3; kill += 1) {
      await wait(1_000);
      await server.end("SIGKILL");
      await wait(300);
      await server.start();
    }
    await wait(1_000);
    writing = false;
    await write;
    const unseen = () => acknowledged.filter((id) => !seen.has(id));
    for (let tries = 0; unseen().length > 0 && tries < 100; tries += 1) await wait(200);
    end.abort();
    await reading;
    expect(unseen()).toEqual([]);
    expect(acknowledged.length).toBeGreaterThan(200);
    expect(await collection.countDocuments({})).toBeGreaterThanOrEqual(acknowledged.length);
  }, 60_000);

  it("stop loudly where changes were missed", async () => {
    const collection = server.client(user).db("iot").collection("followed") as unknown as Collection;
    const resumeAfter = JSON.stringify({ after: { _data: "nx:1:another" } });
    const reading = watch({ collection, operations: ["insert"], signal: new AbortController().signal, resumeAfter });
    await expect(reading.next()).rejects.toBeInstanceOf(HistoryLost);
  });
});
