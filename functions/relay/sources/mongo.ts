/** The source "mongo": the changes of a collection. Its events tell the document as it is now, with its id as `id`. */
import { setTimeout as sleep } from "node:timers/promises";
import { MongoClient } from "mongodb";
import { type Event, type Log, messageOf, type Sink, type Source } from "../event.ts";
import type { Metrics } from "../metrics.ts";
import type { SourceSettings } from "../settings.ts";
import { type ChangeEvent, HistoryLost, tokenStore, watch } from "./mongo-watch.ts";

/** Moves on to later tokens that belong to no event. */
interface MongoPosition {
  token: string;
}

const operations = ["insert", "update", "replace"] as const;
const restartAfter = 5_000;

export class MongoSource implements Source<MongoPosition> {
  readonly commitWithin = 500;
  readonly #settings: SourceSettings<"mongo">;
  readonly #metrics: Metrics;
  readonly #log: Log;
  #client: MongoClient | undefined;
  #tokens: ReturnType<typeof tokenStore> | undefined;
  readonly #stop = new AbortController();
  #watching = false;
  #paused: PromiseWithResolvers<void> | undefined;
  #received: MongoPosition | undefined;
  #committed: MongoPosition | undefined;

  constructor(settings: SourceSettings<"mongo">, metrics: Metrics, log: Log) {
    this.#settings = settings;
    this.#metrics = metrics;
    this.#log = log;
  }

  get ready(): boolean {
    return this.#watching;
  }

  async start(sink: Sink<MongoPosition>): Promise<void> {
    while (!this.#stop.signal.aborted) {
      try {
        await this.#watch(sink);
      } catch (error) {
        if (error instanceof HistoryLost) throw error;
        this.#metrics.sourceErrors += 1;
        this.#log("error", "the change stream failed and starts again", { error: messageOf(error) });
      }
      this.#watching = false;
      if (this.#stop.signal.aborted) return;
      await sink.forget();
      await this.#client?.close();
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

  async commit(positions: ReadonlyMap<string, MongoPosition>): Promise<void> {
    for (const position of positions.values()) {
      await this.#tokens?.save(position.token);
      this.#committed = position;
    }
  }

  drain(): void {
    this.#stop.abort();
    this.resume();
  }

  async close(): Promise<void> {
    await this.#client?.close();
  }

  async #watch(sink: Sink<MongoPosition>): Promise<void> {
    const { database, collection, key, tokens } = this.#settings;
    // The driver may never find again a server that was killed (see `kit/clients/documents.ts`).
    const client = clientOf(this.#settings);
    this.#client = client;
    this.#tokens = tokenStore(client.db(database), tokens);
    const resumeAfter = await this.#tokens.load();
    this.#received = this.#committed = undefined;
    const changes = watch({
      collection: client.db(database).collection(collection),
      ...(resumeAfter !== undefined && { resumeAfter }),
      operations,
      signal: this.#stop.signal,
      position: (token) => this.#moved(token),
      retrying: (error) => this.#log("warn", "the change stream is interrupted", { error: messageOf(error) }),
    });
    this.#watching = true;
    for await (const change of changes) {
      if (this.#stop.signal.aborted) return;
      // Deleted since: there is nothing to tell of any more.
      if (!change.document) continue;
      this.#received = { token: change.token };
      sink.receive(eventOf(change, change.document, this.#received, { topic: `${database}.${collection}`, key }));
      await this.#paused?.promise;
    }
  }

  /** To be saved when all that was received is done. */
  async #moved(token: string): Promise<void> {
    if (this.#received === this.#committed) await this.#tokens?.save(token);
    else if (this.#received) this.#received.token = token;
  }
}

function clientOf({ hosts, replicaSet, username, password, authSource, ca }: SourceSettings<"mongo">): MongoClient {
  return new MongoClient(`mongodb://${hosts.join(",")}/`, {
    replicaSet,
    auth: { username, password },
    authSource,
    tls: true,
    ...(ca !== undefined && { ca }),
    serverSelectionTimeoutMS: 5_000,
    connectTimeoutMS: 5_000,
  });
}

function eventOf(
  { id, operation }: ChangeEvent,
  document: Readonly<Record<string, unknown>>,
  position: MongoPosition,
  { topic, key }: { readonly topic: string; readonly key: string },
): Event<MongoPosition> {
  const value = key === "_id" ? id : document[key];
  return {
    stream: topic,
    position,
    origin: { topic, partition: "", offset: id },
    key: value === undefined ? undefined : Buffer.from(String(value)),
    headers: new Map([["operation", Buffer.from(operation)]]),
    value: Buffer.from(JSON.stringify({ ...document, id })),
  };
}
