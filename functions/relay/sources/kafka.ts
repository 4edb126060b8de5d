/**
 * The source "kafka": a topic, as a member of a consumer group.
 *
 * With every change of the group (and after every error) it starts anew from the committed offsets, with a new stream:
 * one that lived on would mix up what it had asked for before the change with what it asks for after it.
 */
import { setTimeout as sleep } from "node:timers/promises";
import {
  Consumer,
  type Message,
  type MessagesStream,
  MessagesStreamFallbackModes,
  MessagesStreamModes,
} from "@platformatic/kafka";
import { kafkaOptions } from "../../kit/kafka.ts";
import { type Event, type Log, messageOf, type Sink, type Source } from "../event.ts";
import type { Metrics } from "../metrics.ts";
import type { SourceSettings } from "../settings.ts";

export interface KafkaPosition {
  readonly partition: number;
  readonly offset: bigint;
  readonly leaderEpoch: number;
}

type Group = Consumer<Buffer, Buffer, string, Buffer>;
type Stream = MessagesStream<Buffer, Buffer, string, Buffer>;

/** A member that is gone for so long has left. */
const sessionTimeout = 10_000;
const commitWithin = 200;
const restartAfter = 1_000;
/** What is fetched at once is held in memory before the relay has counted it. */
const maxBytes = 1024 * 1024;

export class KafkaSource implements Source<KafkaPosition> {
  readonly commitWithin = commitWithin;
  readonly #settings: SourceSettings<"kafka">;
  readonly #metrics: Metrics;
  readonly #log: Log;
  #group: Group | undefined;
  #stream: Stream | undefined;
  #paused = false;
  #draining = false;

  constructor(settings: SourceSettings<"kafka">, metrics: Metrics, log: Log) {
    this.#settings = settings;
    this.#metrics = metrics;
    this.#log = log;
  }

  get ready(): boolean {
    return this.#group?.isActive() ?? false;
  }

  async start(sink: Sink<KafkaPosition>): Promise<void> {
    while (!this.#draining) {
      await this.#receive(sink).catch((error: unknown) => {
        if (this.#draining) return;
        this.#metrics.sourceErrors += 1;
        this.#log("error", "the Kafka consumer failed and starts again", { error: messageOf(error) });
      });
      if (this.#draining) return;
      this.#stream?.removeAllListeners("data");
      this.#stream = undefined;
      await sink.forget();
      await this.#leave();
      await sleep(restartAfter);
    }
  }

  pause(): void {
    this.#paused = true;
    this.#stream?.pause();
  }

  resume(): void {
    this.#paused = false;
    if (!this.#draining) this.#stream?.resume();
  }

  async commit(positions: ReadonlyMap<string, KafkaPosition>): Promise<void> {
    const { topic } = this.#settings;
    const mine = new Set(this.#group?.assignments?.find((assignment) => assignment.topic === topic)?.partitions);
    const offsets = [...positions.values()]
      .filter(({ partition }) => mine.has(partition))
      .map(({ partition, offset, leaderEpoch }) => ({ topic, partition, offset: offset + 1n, leaderEpoch }));
    if (offsets.length > 0) await this.#group?.commit({ offsets });
  }

  drain(): void {
    this.#draining = true;
    this.#stream?.pause();
  }

  async close(): Promise<void> {
    await this.#leave();
  }

  /** Joins the group and receives, until something breaks. */
  async #receive(sink: Sink<KafkaPosition>): Promise<void> {
    const { kafka, group: groupId, topic } = this.#settings;
    const broken = Promise.withResolvers<never>();
    broken.promise.catch(() => undefined);
    const group: Group = new Consumer({
      ...kafkaOptions(kafka),
      clientId: groupId,
      groupId,
      autocommit: false,
      sessionTimeout,
      rebalanceTimeout: 3 * sessionTimeout,
      heartbeatInterval: sessionTimeout / 5,
      maxBytes,
      deserializers: {
        headerKey: (name) => name?.toString() ?? "",
        headerValue: (value) => value ?? Buffer.alloc(0),
      },
    });
    this.#group = group;
    group.on("error", broken.reject);
    group.on("consumer:heartbeat:stalled", () => broken.reject(new Error("the group's coordinator does not answer")));
    let started = false;
    let changes = Promise.resolve();
    group.on("consumer:group:join", ({ assignments, generationId }) => {
      const partitions = assignments?.find((assignment) => assignment.topic === topic)?.partitions;
      this.#log("info", "joined the group", { group: groupId, topic, partitions, generation: generationId });
      if (started) changes = changes.then(() => this.#restream(group, sink, broken.reject)).catch(broken.reject);
    });
    await this.#restream(group, sink, broken.reject);
    started = true;
    await broken.promise;
  }

  async #restream(group: Group, sink: Sink<KafkaPosition>, fail: (error: Error) => void): Promise<void> {
    const old = this.#stream;
    this.#stream = undefined;
    if (old) {
      old.removeAllListeners("data").pause();
      await sink.forget();
    }
    if (this.#draining) return;
    const stream: Stream = await group.consume({
      topics: [this.#settings.topic],
      autocommit: false,
      mode: MessagesStreamModes.COMMITTED,
      fallbackMode: MessagesStreamFallbackModes.EARLIEST,
    });
    this.#stream = stream;
    // Only now, as the group leaves a topic with its last stream.
    old?.destroy();
    stream.on("error", (error) => this.#stream === stream && fail(error));
    stream.on("data", (message) => sink.receive(eventOf(message)));
    if (this.#paused) stream.pause();
  }

  async #leave(): Promise<void> {
    const group = this.#group;
    this.#stream = undefined;
    this.#group = undefined;
    await Promise.race([group?.close(true).catch(() => undefined), sleep(sessionTimeout / 2)]);
  }
}

/** Copied out of what was fetched, so that one event does not keep all the others in memory. */
function eventOf({
  topic,
  partition,
  offset,
  leaderEpoch,
  key,
  value,
  headers,
}: Message<Buffer, Buffer, string, Buffer>): Event<KafkaPosition> {
  return {
    stream: String(partition),
    position: { partition, offset, leaderEpoch },
    origin: { topic, partition: String(partition), offset: String(offset) },
    key: (key as Buffer | undefined) && Buffer.from(key),
    headers: new Map([...headers].map(([name, bytes]) => [name, Buffer.from(bytes)])),
    value: Buffer.from(value ?? []),
  };
}
