/**
 * The source "redis": a stream of Valkey (or Redis), as a consumer of a group.
 *
 * What a consumer was given stays pending under its name until it is acknowledged. A relay that starts takes over what
 * consumers that are gone have left, before it reads on: those entries are older. A consumer shows that it lives by
 * asking for entries, or, while it is held up, for none.
 */
import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import type { Valkey } from "iovalkey";
import { connectValkey } from "../../kit/valkey.ts";
import { type Event, type Log, messageOf, type Sink, type Source } from "../event.ts";
import type { Metrics } from "../metrics.ts";
import type { SourceSettings } from "../settings.ts";

type Id = string;
/** As the server answers: names and values by turns. An entry that was trimmed has no fields. */
type Entry = readonly [id: Id, fields: readonly string[] | null];

const entriesAtOnce = 500;
const blockMilliseconds = 1_000;
/** After what has come, this much time for more: one answer with many entries costs as much as one with a single entry. */
const gatherMilliseconds = 50;
const restartAfter = 1_000;
/** A consumer that has asked for nothing for so long is gone. */
const goneAfter = 10_000;
const lookAroundEvery = 5_000;
/** Nothing that is pending is younger, so what is asked for after it is nothing. (The largest id of all means ">".) */
const lastId = "18446744073709551615-0";

export class RedisSource implements Source<Id> {
  readonly commitWithin = 50;
  readonly #settings: SourceSettings<"redis">;
  readonly #metrics: Metrics;
  readonly #log: Log;
  /** The name of the pod, which its containers share and another pod never has. */
  readonly #name = process.env.HOSTNAME ?? hostname();
  /** Commands that wait are on a connection of their own. */
  #reading: Valkey | undefined;
  #client: Valkey | undefined;
  /** Given to the sink and not acknowledged, in that order. */
  #unacknowledged: Id[] = [];
  #paused: PromiseWithResolvers<void> | undefined;
  readonly #stop = new AbortController();
  #receiving = false;

  constructor(settings: SourceSettings<"redis">, metrics: Metrics, log: Log) {
    this.#settings = settings;
    this.#metrics = metrics;
    this.#log = log;
  }

  get ready(): boolean {
    return this.#receiving;
  }

  async start(sink: Sink<Id>): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const living = setInterval(() => void this.#showLife().catch(() => undefined), blockMilliseconds);
      await this.#receive(sink).catch((error: unknown) => {
        if (this.#stop.signal.aborted) return;
        this.#metrics.sourceErrors += 1;
        this.#log("error", "the stream's consumer failed and starts again", { error: messageOf(error) });
      });
      clearInterval(living);
      this.#receiving = false;
      if (this.#stop.signal.aborted) return;
      await sink.forget();
      this.#disconnect();
      await sleep(restartAfter, undefined, { signal: this.#stop.signal }).catch(() => undefined);
    }
  }

  pause(): void {
    this.#paused ??= Promise.withResolvers();
  }

  resume(): void {
    this.#paused?.resolve();
    this.#paused = undefined;
  }

  async commit(positions: ReadonlyMap<string, Id>): Promise<void> {
    for (const position of positions.values()) {
      const done = this.#unacknowledged.slice(0, this.#unacknowledged.indexOf(position) + 1);
      await this.#acknowledge(done);
      this.#unacknowledged.splice(0, done.length);
    }
  }

  drain(): void {
    this.#stop.abort();
    this.resume();
    this.#reading?.disconnect();
  }

  /** A consumer with nothing pending leaves no trace. */
  async close(): Promise<void> {
    const { stream, group } = this.#settings;
    const mine = await this.#client?.xpending(stream, group, "-", "+", 1, this.#name).catch(() => undefined);
    if (mine?.length === 0) await this.#client?.xgroup("DELCONSUMER", stream, group, this.#name);
    this.#disconnect();
  }

  async #receive(sink: Sink<Id>): Promise<void> {
    const { stream, group, host, port, username, password, ca } = this.#settings;
    const server = { host, port, username, password, ...(ca !== undefined && { ca }) };
    this.#client = connectValkey(server);
    this.#reading = connectValkey(server, {
      commandTimeout: 5 * blockMilliseconds,
      socketTimeout: 5 * blockMilliseconds,
    });
    this.#unacknowledged = [];
    await this.#client.xgroup("CREATE", stream, group, "0", "MKSTREAM").catch((error: Error) => {
      if (!error.message.startsWith("BUSYGROUP")) throw error;
    });
    this.#receiving = true;
    while (await this.#takeOver()) await sleep(blockMilliseconds, undefined, { signal: this.#stop.signal });
    // What was given to this consumer before, and what it took over.
    for (let after: Id | undefined = "0-0"; after !== undefined; ) {
      const entries = await this.#read(after);
      await this.#give(entries, sink);
      after = entries.at(-1)?.[0];
    }
    for (let lookedAround = performance.now(); !this.#stop.signal.aborted; ) {
      const entries = await this.#read(">");
      await this.#give(entries, sink);
      if (entries.length > 0 && entries.length < entriesAtOnce)
        await sleep(gatherMilliseconds, undefined, { signal: this.#stop.signal });
      if (performance.now() - lookedAround < lookAroundEvery) continue;
      lookedAround = performance.now();
      await this.#takeOver((entries) => this.#give(entries, sink));
    }
  }

  /** @param after an id for what is pending after it, or ">" for what nobody was given yet */
  async #read(after: Id): Promise<readonly Entry[]> {
    const { stream, group } = this.#settings;
    const block = after === ">" ? ["BLOCK", blockMilliseconds] : [];
    const where = ["GROUP", group, this.#name, "COUNT", entriesAtOnce, ...block, "STREAMS", stream, after];
    const answer = (await this.#reading?.call("XREADGROUP", ...where)) as [string, Entry[]][] | null | undefined;
    return answer?.[0]?.[1] ?? [];
  }

  async #give(entries: readonly Entry[], sink: Sink<Id>): Promise<void> {
    const unwanted: Id[] = [];
    for (const [id, fields] of entries) {
      if (this.#stop.signal.aborted) return;
      const event = fields && this.#eventOf(id, fields);
      if (!event) {
        unwanted.push(id);
        if (!fields) this.#log("error", "an entry was trimmed before it was delivered", { id });
        continue;
      }
      this.#unacknowledged.push(id);
      sink.receive(event);
      await this.#paused?.promise;
    }
    await this.#acknowledge(unwanted);
  }

  /** The event of an entry, unless it is for another relay. */
  #eventOf(id: Id, fields: readonly string[]): Event<Id> | undefined {
    const { stream, when } = this.#settings;
    const {
      key,
      value = "",
      ...headers
    } = Object.fromEntries(
      Array.from({ length: fields.length / 2 }, (_, at) => [fields[2 * at], fields[2 * at + 1]]),
    ) as Record<string, string>;
    if (when && !matches(value, when)) return undefined;
    return {
      stream,
      position: id,
      origin: { topic: stream, partition: "", offset: id },
      key: key === undefined ? undefined : Buffer.from(key),
      headers: new Map(Object.entries(headers).map(([name, text]) => [name, Buffer.from(text)])),
      value: Buffer.from(value),
    };
  }

  async #acknowledge(ids: readonly Id[]): Promise<void> {
    const { stream, group } = this.#settings;
    for (let at = 0; at < ids.length; at += entriesAtOnce)
      await this.#client?.xack(stream, group, ...ids.slice(at, at + entriesAtOnce));
  }

  /**
   * Takes over what consumers that are gone have left.
   *
   * @param give gets it; without it, it stays pending for this consumer
   * @returns whether others have something pending that may be gone soon
   */
  async #takeOver(give?: (entries: readonly Entry[]) => Promise<void>): Promise<boolean> {
    const { stream, group } = this.#settings;
    const client = this.#client as Valkey;
    const consumers = ((await client.xinfo("CONSUMERS", stream, group)) as (string | number)[][]).map(consumerOf);
    const others = consumers.filter(({ name }) => name !== this.#name);
    for (const { name, idle, pending } of others.filter(({ idle }) => idle >= goneAfter)) {
      if (pending > 0) this.#log("warn", "takes over from a consumer that is gone", { consumer: name, pending, idle });
      for (;;) {
        const left = (await client.xpending(stream, group, "-", "+", entriesAtOnce, name)) as [Id, ...unknown[]][];
        if (left.length === 0) break;
        const ids = left.map(([id]) => id);
        const entries = (await client.xclaim(stream, group, this.#name, goneAfter, ...ids)) as Entry[];
        await give?.(entries);
      }
      await client.xgroup("DELCONSUMER", stream, group, name);
    }
    return others.some(({ idle, pending }) => idle < goneAfter && pending > 0);
  }

  async #showLife(): Promise<void> {
    const { stream, group } = this.#settings;
    if (this.#receiving)
      await this.#client?.call("XREADGROUP", "GROUP", group, this.#name, "COUNT", 1, "STREAMS", stream, lastId);
  }

  #disconnect(): void {
    this.#reading?.disconnect();
    this.#client?.disconnect();
  }
}

function consumerOf(fields: readonly (string | number)[]) {
  const of = (name: string) => fields[fields.indexOf(name) + 1];
  return { name: String(of("name")), idle: Number(of("idle")), pending: Number(of("pending")) };
}

/** Whether the fields of the value are these. */
function matches(value: string, when: Readonly<Record<string, string>>): boolean {
  try {
    const fields = JSON.parse(value) as Record<string, unknown>;
    return Object.entries(when).every(([name, wanted]) => fields[name] === wanted);
  } catch {
    return false;
  }
}
