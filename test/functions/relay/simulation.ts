/** A world for the relay's engine: held time, seeded chance, a source that remembers commits, and a target that fails as told. */
import { Delivery, type DeliveryOptions, type Limits } from "../../../functions/relay/delivery.ts";
import type {
  Clock,
  DeadLetter,
  Delivered,
  Event,
  Log,
  Sink,
  Source,
  Verdict,
} from "../../../functions/relay/event.ts";
import { Metrics } from "../../../functions/relay/metrics.ts";

export const limits: Limits = {
  retries: 5,
  backoff: { firstMilliseconds: 200, longestMilliseconds: 30_000 },
  batch: { events: 200, bytes: 512 * 1024 },
  inFlight: { events: 5000, bytes: 16 * 1024 * 1024, requests: 4 },
};

/** Mulberry32. */
export function chance(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

export class HeldClock implements Clock {
  #now = 0;
  #timers: { readonly at: number; readonly then: () => void }[] = [];
  readonly random: () => number;

  constructor(random: () => number = () => 0.999) {
    this.random = random;
  }

  now(): number {
    return this.#now;
  }

  /** Like Node's timers, a little early at times. */
  after(milliseconds: number, then: () => void): void {
    this.#timers.push({ at: this.#now + Math.floor(milliseconds), then });
  }

  sleep(milliseconds: number): Promise<void> {
    return new Promise((resolve) => this.after(milliseconds, resolve));
  }

  /** Lets so much time pass, or less if `until` holds. */
  async pass(milliseconds: number, until: () => boolean = () => false): Promise<void> {
    const end = this.#now + milliseconds;
    await settled();
    while (!until()) {
      this.#timers.sort((one, other) => one.at - other.at);
      const next = this.#timers[0];
      if (!next || next.at > end) break;
      this.#timers.shift();
      this.#now = Math.max(this.#now, next.at);
      next.then();
      await settled();
    }
    if (!until()) this.#now = end;
  }
}

const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

export interface Record {
  readonly partition: number;
  readonly offset: number;
  readonly key: string | undefined;
  readonly name: string;
  readonly size?: number;
}

/** Partitions of records, with commits that outlive the relay. */
export class Topic {
  readonly partitions: Record[][] = [];
  readonly committed: number[] = [];

  constructor(count: number) {
    for (let partition = 0; partition < count; partition += 1) {
      this.partitions.push([]);
      this.committed.push(0);
    }
  }

  add(partition: number, key: string | undefined, size?: number): Record {
    const records = this.partitions[partition]!;
    const offset = records.length;
    const record = { partition, offset, key, name: `${partition}/${offset}`, ...(size !== undefined && { size }) };
    records.push(record);
    return record;
  }

  get records(): Record[] {
    return this.partitions.flat();
  }
}

export function eventOf({ partition, offset, key, name, size }: Record): Event<number> {
  return {
    stream: String(partition),
    position: offset,
    origin: { topic: "t", partition: String(partition), offset: String(offset) },
    key: key === undefined ? undefined : Buffer.from(key),
    headers: new Map(),
    value: Buffer.from(name.padEnd(size ?? 0)),
  };
}

export const nameOf = ({ event }: Pick<Delivered, "event">) => event.value.toString().trim();

export class TopicSource implements Source<number> {
  readonly commitWithin = 200;
  readonly ready = true;
  readonly #topic: Topic;
  readonly #next: number[];
  #sink: Sink<number> | undefined;
  paused = false;
  commits = 0;
  /** Throws to make a commit fail. */
  beforeCommit: (positions: ReadonlyMap<string, number>) => void = () => undefined;

  constructor(topic: Topic) {
    this.#topic = topic;
    this.#next = [...topic.committed];
  }

  async start(sink: Sink<number>): Promise<void> {
    this.#sink = sink;
    this.read();
  }

  /** Hands over what is there, in turn, unless paused. */
  read(): void {
    const { partitions } = this.#topic;
    for (let more = true; more; ) {
      more = false;
      for (const [partition, records] of partitions.entries()) {
        const record = records[this.#next[partition]!];
        if (!record || this.paused || !this.#sink) continue;
        this.#next[partition]! += 1;
        more = true;
        this.#sink.receive(eventOf(record));
      }
    }
  }

  /** As after a rebalance: everything not committed comes again. */
  async rewind(): Promise<void> {
    const sink = this.#sink;
    this.#sink = undefined;
    await sink?.forget();
    for (const [partition, offset] of this.#topic.committed.entries()) this.#next[partition] = offset;
    this.#sink = sink;
    this.read();
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    setImmediate(() => this.read());
  }

  async commit(positions: ReadonlyMap<string, number>): Promise<void> {
    this.beforeCommit(positions);
    this.commits += 1;
    for (const [partition, offset] of positions) this.#topic.committed[Number(partition)] = offset + 1;
  }

  drain(): void {
    this.#sink = undefined;
  }

  async close(): Promise<void> {}
}

export interface World {
  readonly clock: HeldClock;
  readonly topic: Topic;
  readonly source: TopicSource;
  readonly delivery: Delivery<number>;
  readonly metrics: Metrics;
  readonly logged: string[];
  /** Names in the order in which they were done, and every request's names. */
  readonly done: string[];
  readonly requests: string[][];
  readonly letters: DeadLetter[];
}

export interface Behaviour {
  /** Throws to fail the request as a whole. */
  readonly request?: (deliveries: readonly Delivered[]) => Promise<void> | void;
  readonly verdict?: (delivered: Delivered) => Verdict;
  /** `null`: there are no dead letters. Throws to fail. */
  readonly letter?: ((letter: DeadLetter) => void) | null;
  readonly limits?: Partial<Limits>;
  readonly latency?: number;
}

export const done: Verdict = { status: "done" };
export const failed: Verdict = { status: "failed", reason: "failed", message: "no luck" };
export const unavailable: Verdict = { status: "unavailable", message: "no database" };
export const rejected: Verdict = { status: "rejected", reason: "bad-input", message: "does not fit" };

export function world(topic: Topic, behaviour: Behaviour = {}, clock = new HeldClock()): World {
  const { request, verdict = () => done, letter, latency = 5 } = behaviour;
  const source = new TopicSource(topic);
  const metrics = new Metrics();
  const logged: string[] = [];
  const finished: string[] = [];
  const requests: string[][] = [];
  const letters: DeadLetter[] = [];
  const log: Log = (_, message) => void logged.push(message);
  const options: DeliveryOptions<number> = {
    source,
    metrics,
    clock,
    log,
    limits: { ...limits, ...behaviour.limits },
    target: async (deliveries) => {
      requests.push(deliveries.map(nameOf));
      await clock.sleep(latency);
      await request?.(deliveries);
      return handle(deliveries, verdict, (delivered) => finished.push(nameOf(delivered)));
    },
    deadLetters:
      letter === null
        ? undefined
        : async (one) => {
            await clock.sleep(1);
            letter?.(one);
            letters.push(one);
          },
  };
  const delivery = new Delivery(options);
  return { clock, topic, source, delivery, metrics, logged, done: finished, requests, letters };
}

/** As functions do: behind an event that failed, those of its key are not tried. */
export function handle(
  deliveries: readonly Delivered[],
  verdict: (delivered: Delivered) => Verdict,
  succeed: (delivered: Delivered) => void,
): Verdict[] {
  const blocked = new Set<string>();
  return deliveries.map((delivered) => {
    const key = delivered.event.key?.toString();
    if (key !== undefined && blocked.has(key)) return failed;
    const one = verdict(delivered);
    if (one.status === "done") succeed(delivered);
    if ((one.status === "failed" || one.status === "unavailable") && key !== undefined) blocked.add(key);
    return one;
  });
}
