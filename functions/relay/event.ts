/** What passes through the relay, and what its parts ask of each other. */

export interface Event<Position = unknown> {
  /** Events of one stream (a partition, a change stream, a connection) are committed in their order. */
  readonly stream: string;
  /** Where in its stream it is, in the source's own terms. */
  readonly position: Position;
  readonly origin: Origin;
  /** Events of one key are delivered in their order. Without a key an event waits for no other. */
  readonly key: Buffer | undefined;
  readonly headers: Map<string, Buffer>;
  readonly value: Buffer;
}

/** Where an event came from, for people. */
export interface Origin {
  readonly topic: string;
  readonly partition: string;
  readonly offset: string;
}

/** Why an event became a dead letter. */
export type Reason = "bad-input" | "too-large" | "failed" | "timeout" | "crashed";

/** What the target says of one event. Messages must not quote the event's values. */
export type Verdict =
  | { readonly status: "done" }
  /** No retry can help. */
  | { readonly status: "rejected"; readonly reason: Reason; readonly message: string }
  /** What the target needs cannot be reached: the event is not to blame. */
  | { readonly status: "unavailable"; readonly message: string }
  | { readonly status: "failed"; readonly reason: Reason; readonly message: string };

export interface Delivered {
  readonly event: Event;
  /** 1 for the first try. */
  readonly attempt: number;
}

/**
 * Delivers events and answers one verdict for each, in their order. Of no events at all, it tells whether it is there.
 *
 * @throws Unavailable where the target did not get the events; any other error where it is not known what became of them.
 */
export type Target = (deliveries: readonly Delivered[]) => Promise<readonly Verdict[]>;

/** The target gave no answer in time. */
export class TimedOut extends Error {
  override readonly name = "TimedOut";
}

/** Writes one dead letter. Resolves when it is safe. */
export type DeadLetters = (letter: DeadLetter) => Promise<void>;

export interface DeadLetter extends Delivered {
  readonly reason: Reason;
  readonly message: string;
}

export interface Sink<Position> {
  receive(event: Event<Position>): void;
  /**
   * Drops what is under way, because the source will bring it again (a rebalance, a lost connection).
   * Resolves when no request is under way any more and what was done is committed.
   */
  forget(): Promise<void>;
}

export interface Source<Position> {
  /** Longest time that a done event waits for its commit, so that one commit serves many. In milliseconds. */
  readonly commitWithin: number;
  /** Whether it is connected. */
  readonly ready: boolean;
  /** Starts receiving, and starts again after every failure. Rejects where that would hide a loss. */
  start(sink: Sink<Position>): Promise<void>;
  /** Back-pressure: no more events until `resume`, save for what has a bound of its own. */
  pause(): void;
  resume(): void;
  /** Everything up to and including this position of each stream is done. */
  commit(positions: ReadonlyMap<string, Position>): Promise<void>;
  /** Stops receiving; commits still work. */
  drain(): void;
  close(): Promise<void>;
}

/** Time and chance, so that tests can hold them. */
export interface Clock {
  now(): number;
  after(milliseconds: number, then: () => void): void;
  random(): number;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  after: (milliseconds, then) => void setTimeout(then, milliseconds),
  random: Math.random,
};

/** One line of JSON. Never holds payloads or secrets. */
export type Log = (
  level: "info" | "warn" | "error",
  message: string,
  fields?: Readonly<Record<string, unknown>>,
) => void;

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
