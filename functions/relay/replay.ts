/**
 * Sends dead letters again, to the target that their relay could not deliver them to.
 *
 * Each is sent at most once: it is claimed before, and marked as sent afterwards, in the topic itself. So a replay that
 * was interrupted goes on where it was; letters that it had claimed and of which nobody knows what became of them are
 * left to whoever runs it. What fails again becomes a new letter, which this run does not look at.
 */

import { Unavailable } from "../kit/errors.ts";
import type { TopicReader, TopicRecord } from "../kit/topic-reader.ts";
import { eventOf, type Letter, markRecord, parseDeadLetter, type State } from "./dead-letters.ts";
import { Delivery, type DeliveryOptions } from "./delivery.ts";
import type { Sink, Source, Target } from "./event.ts";
import type { Publisher } from "./kafka.ts";

export interface Choice {
  readonly reason?: string;
  readonly key?: string;
  /** ISO 8601, of the time at which the letter was written. */
  readonly since?: string;
  readonly until?: string;
  /** Also what an interrupted replay may have sent already. */
  readonly uncertain?: boolean;
  /** Also what has been sent again so often that it seems to go in circles. */
  readonly again?: boolean;
}

/** After so many replays a letter is sent again only if asked for. */
export const mostReplays = 3;

export interface Survey {
  readonly starts: readonly bigint[];
  readonly ends: readonly bigint[];
  /** Letters that were not sent again, in their order. */
  readonly open: readonly Letter[];
  /** Ids of those that are claimed. */
  readonly uncertain: ReadonlySet<string>;
}

/** What the topic holds now of one relay's letters. */
export async function survey(reader: TopicReader, trigger: string): Promise<Survey> {
  const [starts, ends] = [await reader.starts(), await reader.ends()];
  const letters: Letter[] = [];
  const states = new Map<string, State>();
  for await (const record of reader.read(starts, ends)) {
    const found = parseDeadLetter(record);
    if (found.kind === "mark") states.set(found.id, found.state);
    else if (found.trigger === trigger) letters.push(found);
  }
  const open = letters.filter(({ id }) => states.get(id) !== "sent");
  const uncertain = open.filter(({ id }) => states.get(id) === "claimed").map(({ id }) => id);
  return { starts, ends, open, uncertain: new Set(uncertain) };
}

export function choose({ open, uncertain }: Survey, choice: Choice): readonly Letter[] {
  return open.filter(
    ({ id, key, reason, time, replays }) =>
      (choice.reason === undefined || reason === choice.reason) &&
      (choice.key === undefined || key === choice.key) &&
      (choice.since === undefined || time >= choice.since) &&
      (choice.until === undefined || time < choice.until) &&
      (choice.uncertain || !uncertain.has(id)) &&
      (choice.again || replays < mostReplays),
  );
}

interface ReplayOptions extends Omit<DeliveryOptions<string>, "source"> {
  readonly reader: TopicReader;
  readonly publisher: Publisher;
  /** Of the dead letters. */
  readonly topic: string;
}

export interface Replay {
  /** Resolves when every letter is sent or has become a new letter. */
  readonly finished: Promise<void>;
  /** Letters that need no more sending. */
  sent(): number;
  /** Ends early; what nobody has got is released. */
  stop(): Promise<void>;
}

export function replay(letters: readonly Letter[], { starts, ends }: Survey, options: ReplayOptions): Replay {
  const { reader, publisher, topic } = options;
  const chosen = new Map(letters.map((letter) => [letter.id, letter]));
  const claims = new Claims((ids, state) => publisher.send(ids.map((id) => markRecord(topic, id, state))));
  const finished = Promise.withResolvers<void>();
  if (chosen.size === 0) finished.resolve();
  const source = new LetterSource(
    () => reader.read(starts, ends),
    chosen,
    async (ids) => {
      await claims.sent(ids);
      if (claims.done === chosen.size) finished.resolve();
    },
  );
  const delivery = new Delivery<string>({ ...options, source, target: claims.before(options.target) });
  source.start(delivery).catch(finished.reject);
  return {
    finished: finished.promise,
    sent: () => claims.done,
    stop: async () => {
      source.drain();
      await delivery.stop();
      await claims.release();
    },
  };
}

type WriteMarks = (ids: readonly string[], state: State) => Promise<void>;

class Claims {
  readonly #write: WriteMarks;
  /** Claimed and not sent, with whether the target may have got it. */
  readonly #claimed = new Map<string, "got" | "not got">();
  done = 0;

  constructor(write: WriteMarks) {
    this.#write = write;
  }

  /** Claims each letter before the target gets it for the first time. */
  before(target: Target): Target {
    return async (deliveries) => {
      const ids = deliveries.map(({ event }) => event.stream);
      const fresh = ids.filter((id) => !this.#claimed.has(id));
      if (fresh.length > 0) await this.#write(fresh, "claimed");
      for (const id of ids) this.#claimed.set(id, "got");
      try {
        const verdicts = await target(deliveries);
        for (const [at, id] of ids.entries()) if (verdicts[at]?.status !== "done") this.#claimed.set(id, "not got");
        return verdicts;
      } catch (error) {
        if (error instanceof Unavailable) for (const id of ids) this.#claimed.set(id, "not got");
        throw error;
      }
    };
  }

  async sent(ids: readonly string[]): Promise<void> {
    await this.#write(ids, "sent");
    for (const id of ids) this.#claimed.delete(id);
    this.done += ids.length;
  }

  async release(): Promise<void> {
    const ids = [...this.#claimed].filter(([, state]) => state === "not got").map(([id]) => id);
    if (ids.length > 0) await this.#write(ids, "released");
  }
}

class LetterSource implements Source<string> {
  readonly commitWithin = 200;
  readonly ready = true;
  readonly #records: () => AsyncIterable<TopicRecord>;
  readonly #chosen: ReadonlyMap<string, Letter>;
  readonly #sent: (ids: readonly string[]) => Promise<void>;
  #paused: PromiseWithResolvers<void> | undefined;
  #draining = false;

  constructor(
    records: () => AsyncIterable<TopicRecord>,
    chosen: ReadonlyMap<string, Letter>,
    sent: (ids: readonly string[]) => Promise<void>,
  ) {
    this.#records = records;
    this.#chosen = chosen;
    this.#sent = sent;
  }

  async start(sink: Sink<string>): Promise<void> {
    for await (const record of this.#records()) {
      await this.#paused?.promise;
      if (this.#draining) return;
      const letter = this.#chosen.get(`${record.partition}/${record.offset}`);
      if (letter) sink.receive(eventOf(record, letter));
    }
  }

  pause(): void {
    this.#paused ??= Promise.withResolvers();
  }

  resume(): void {
    this.#paused?.resolve();
    this.#paused = undefined;
  }

  commit(positions: ReadonlyMap<string, string>): Promise<void> {
    return this.#sent([...positions.keys()]);
  }

  drain(): void {
    this.#draining = true;
    this.resume();
  }

  async close(): Promise<void> {}
}
