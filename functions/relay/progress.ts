/**
 * What of each stream is done, and the commits that follow from it: of the part before which nothing is undone, and
 * one commit for all that was done within some time.
 */
import { type Clock, type Event, type Log, messageOf, type Source } from "./event.ts";
import type { Metrics } from "./metrics.ts";

/** An event's place in its stream. */
export interface Mark<Position> {
  readonly stream: Stream<Position>;
  readonly position: Position;
  readonly receivedAt: number;
  readonly bytes: number;
  done: boolean;
}

interface Stream<Position> {
  /** Received, in order; nothing before `head` is of interest any more. */
  marks: Mark<Position>[];
  head: number;
  /** The last one done with nothing undone before it, unless committed. */
  committable: Mark<Position> | undefined;
}

export interface ProgressOptions<Position> {
  readonly source: Pick<Source<Position>, "commit" | "commitWithin">;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly log: Log;
}

export class Progress<Position> {
  readonly #options: ProgressOptions<Position>;
  readonly #streams = new Map<string, Stream<Position>>();
  #scheduled = false;
  #committing: Promise<void> = Promise.resolve();
  /** Events received and not done, and their bytes. */
  undone = 0;
  undoneBytes = 0;
  /** Events received and not to be committed yet. */
  tracked = 0;

  constructor(options: ProgressOptions<Position>) {
    this.#options = options;
  }

  add(event: Event<Position>): Mark<Position> {
    const stream = this.#streams.get(event.stream) ?? { marks: [], head: 0, committable: undefined };
    this.#streams.set(event.stream, stream);
    const bytes = event.value.length + (event.key?.length ?? 0);
    const mark = { stream, position: event.position, receivedAt: this.#options.clock.now(), bytes, done: false };
    stream.marks.push(mark);
    this.undone += 1;
    this.undoneBytes += bytes;
    this.tracked += 1;
    return mark;
  }

  finish(mark: Mark<Position>): void {
    const { clock, metrics } = this.#options;
    const { stream, receivedAt, bytes } = mark;
    mark.done = true;
    metrics.done += 1;
    metrics.latency.observe((clock.now() - receivedAt) / 1000);
    this.undone -= 1;
    this.undoneBytes -= bytes;
    while (stream.marks[stream.head]?.done) {
      stream.committable = stream.marks[stream.head];
      stream.head += 1;
      this.tracked -= 1;
    }
    if (stream.head > 1000 && stream.head * 2 > stream.marks.length) {
      stream.marks = stream.marks.slice(stream.head);
      stream.head = 0;
    }
    if (stream.committable) this.#schedule();
  }

  /** Commits now, after the commit that is under way if there is one. Never throws: what fails is tried again. */
  commit(): Promise<void> {
    this.#committing = this.#committing.then(async () => {
      const { source, metrics, log } = this.#options;
      const marks = [...this.#streams].flatMap(([name, { committable }]) =>
        committable ? [{ name, committable }] : [],
      );
      if (marks.length === 0) return;
      for (const { committable } of marks) committable.stream.committable = undefined;
      try {
        await source.commit(new Map(marks.map(({ name, committable }) => [name, committable.position])));
      } catch (error) {
        metrics.commitErrors += 1;
        log("error", "cannot commit", { error: messageOf(error) });
        for (const { committable } of marks) committable.stream.committable ??= committable;
        this.#schedule();
      }
    });
    return this.#committing;
  }

  clear(): void {
    this.#streams.clear();
    this.undone = this.undoneBytes = this.tracked = 0;
  }

  oldestSeconds(): number {
    const oldest = [...this.#streams.values()].flatMap(({ marks, head }) => marks[head]?.receivedAt ?? []);
    return oldest.length === 0 ? 0 : (this.#options.clock.now() - Math.min(...oldest)) / 1000;
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    const { clock, source } = this.#options;
    clock.after(source.commitWithin, () => {
      this.#scheduled = false;
      void this.commit();
    });
  }
}
