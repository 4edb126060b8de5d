/**
 * The relay's engine: takes events from a source and delivers them to a target, at least once.
 *
 * - Order: events of one key go one after another, in batches with events of other keys.
 * - Done: an event is done when the target says so or when its dead letter is written. Only what has nothing undone
 *   before it in its stream is committed. A dead letter that cannot be written is tried for ever.
 * - A failed event is tried again after a backoff with full jitter and holds up its own key only. After `retries`, or
 *   at once where it is rejected, it becomes a dead letter. Without dead letters it is tried for ever.
 * - A request that fails as a whole blames none of its events. If the target could not be reached, they wait until it
 *   can; otherwise they are tried again in requests of half the size, down to one. Failing alone counts as a try only
 *   if the target has answered an empty request right before: so an event that crashes the target is found, while a
 *   target that is down turns nothing into a dead letter. Neither does an event of which the target says that it cannot
 *   reach what it needs.
 */
import { randomUUID } from "node:crypto";
import { Unavailable } from "../kit/errors.ts";
import { Availability, longestProbeMilliseconds } from "./availability.ts";
import type { Clock, DeadLetters, Event, Log, Reason, Sink, Source, Target, Verdict } from "./event.ts";
import { messageOf, TimedOut } from "./event.ts";
import type { Metrics } from "./metrics.ts";
import { type Mark, Progress } from "./progress.ts";
import { Rate } from "./rate.ts";

export interface Limits {
  /** Tries after the first one. */
  readonly retries: number;
  readonly backoff: { readonly firstMilliseconds: number; readonly longestMilliseconds: number };
  /** The most that one request holds. */
  readonly batch: { readonly events: number; readonly bytes: number };
  /** The most that is received and not done. */
  readonly inFlight: { readonly events: number; readonly bytes: number; readonly requests: number };
}

export interface DeliveryOptions<Position> {
  readonly source: Source<Position>;
  readonly target: Target;
  readonly deadLetters: DeadLetters | undefined;
  readonly limits: Limits;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly log: Log;
}

/**
 * Waiting this long for company makes batches of events that arrive together. While a request is under way there is
 * time: its end sends what has gathered. Where many come, a longer wait spares most of the requests.
 */
const lingerMilliseconds = { idle: 2, busy: 15, many: 100 };
/** Events in a second, from which on the longer wait is worth it. */
const manyEvents = 150;
/** Done events behind an undone one of their stream are small but not nothing, and come again after a crash. */
const trackedForEachUndone = 10;

interface Item<Position> {
  readonly event: Event<Position>;
  readonly mark: Mark<Position>;
  /** Tries that count. */
  attempts: number;
  /** The largest request it may be part of. */
  company: number;
  /** How often a request failed in which it was alone. */
  alone: number;
  /** How often the target could not reach what it needs. */
  unavailable: number;
}

/** The events of one key. Its first `sent` ones are under way. */
interface Lane<Position> {
  readonly key: string | undefined;
  readonly epoch: number;
  queue: Item<Position>[];
  sent: number;
  /** Under way, or waiting to be tried again. */
  held: boolean;
}

type Fate = Verdict | { readonly status: "again" };

export class Delivery<Position> implements Sink<Position> {
  readonly #options: DeliveryOptions<Position>;
  readonly #progress: Progress<Position>;
  readonly #availability: Availability;
  readonly #arrivals: Rate;
  readonly #lanes = new Map<string, Lane<Position>>();
  /** Lanes with something to send, in turn. */
  readonly #ready = new Set<Lane<Position>>();
  readonly #underWay = new Set<Promise<void>>();
  readonly #sleepers = new Set<() => void>();
  /** Ends when what is under way no longer matters. */
  #epoch = 0;
  #stopped = false;
  #paused = false;
  #lingering = false;
  /** What is ready has waited long enough. */
  #due = false;
  #requests = 0;
  /** Events of lanes that are ready. */
  #waiting = 0;

  constructor(options: DeliveryOptions<Position>) {
    this.#options = options;
    const backoff = (tries: number) => this.#backoff(tries);
    this.#progress = new Progress(options);
    this.#availability = new Availability({ ...options, backoff, wake: () => this.#sendNow() });
    this.#arrivals = new Rate(options.clock);
    options.metrics.gauges = () => ({
      events: this.#progress.undone,
      bytes: this.#progress.undoneBytes,
      oldestSeconds: this.#progress.oldestSeconds(),
    });
  }

  receive(event: Event<Position>): void {
    if (this.#stopped) return;
    const { limits, metrics } = this.#options;
    if (!event.headers.has("traceparent")) event.headers.set("traceparent", newTraceparent());
    const mark = this.#progress.add(event);
    const lane = this.#lane(event.key?.toString("latin1"));
    lane.queue.push({ event, mark, attempts: 0, company: limits.batch.events, alone: 0, unavailable: 0 });
    if (!lane.held) {
      this.#ready.add(lane);
      this.#waiting += 1;
    }
    metrics.received += 1;
    this.#arrivals.count();
    this.#balance();
    this.#send();
  }

  async forget(): Promise<void> {
    this.#lanes.clear();
    this.#ready.clear();
    await this.#settled();
    this.#progress.clear();
    this.#waiting = 0;
    this.#balance();
  }

  /** Waits for the requests that are under way, and commits. What is not done comes again. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#settled();
  }

  async #settled(): Promise<void> {
    this.#epoch += 1;
    for (const wake of this.#sleepers) wake();
    await Promise.all(this.#underWay);
    await this.#progress.commit();
  }

  /** Sends what has waited long enough or fills a batch; the rest waits for company. */
  #send(): void {
    const { batch, inFlight } = this.#options.limits;
    while (!this.#stopped && this.#ready.size > 0 && this.#requests < this.#availability.allows(inFlight.requests)) {
      if (!this.#due && this.#waiting < batch.events) {
        this.#linger();
        break;
      }
      this.#track(this.#request(this.#nextBatch()));
    }
    if (this.#ready.size === 0) this.#due = false;
  }

  #sendNow(): void {
    this.#due = true;
    this.#send();
  }

  #linger(): void {
    if (this.#lingering) return;
    this.#lingering = true;
    const { idle, busy, many } = lingerMilliseconds;
    const short = this.#requests === 0 ? idle : busy;
    this.#options.clock.after(this.#isBusy() ? many : short, () => {
      this.#lingering = false;
      this.#sendNow();
    });
  }

  #isBusy(): boolean {
    return this.#arrivals.perSecond() >= manyEvents;
  }

  #nextBatch(): Lane<Position>[] {
    const { batch } = this.#options.limits;
    // Every key gets its share: a function takes the events of one key one after another, other keys beside them.
    const share = Math.max(1, Math.floor(batch.events / this.#ready.size));
    const lanes: Lane<Position>[] = [];
    let most = batch.events;
    let count = 0;
    let bytes = 0;
    for (const lane of this.#ready) {
      for (const { company, mark } of lane.queue) {
        if (lane.sent === share) break;
        if (count > 0 && (count >= Math.min(most, company) || bytes + mark.bytes > batch.bytes)) break;
        most = Math.min(most, company);
        count += 1;
        bytes += mark.bytes;
        lane.sent += 1;
      }
      if (lane.sent > 0) lanes.push(lane);
      if (count >= most || bytes >= batch.bytes) break;
    }
    for (const lane of lanes) {
      lane.held = true;
      this.#ready.delete(lane);
      this.#waiting -= lane.queue.length;
    }
    return lanes;
  }

  async #request(lanes: readonly Lane<Position>[]): Promise<void> {
    const { target, metrics, clock } = this.#options;
    const items = lanes.flatMap(({ queue, sent }) => queue.slice(0, sent));
    metrics.batch.observe(items.length);
    const startedAt = clock.now();
    this.#requests += 1;
    let blame = false;
    let fates: Fate[];
    try {
      if (items.length === 1 && items.some(({ alone }) => alone > 0)) {
        await target([]);
        this.#availability.answered();
        blame = true;
      }
      fates = [...(await target(items.map(({ event, attempts }) => ({ event, attempt: attempts + 1 }))))];
      const away = awayFor(fates);
      if (away) this.#availability.failed(away, startedAt);
      else this.#availability.answered();
    } catch (error) {
      metrics.requestErrors += 1;
      this.#availability.failed(error, startedAt);
      fates = items.map((item) => this.#fateAfter(error, item, items.length, blame));
    }
    this.#requests -= 1;
    for (const lane of lanes) this.#settle(lane, fates.splice(0, lane.sent));
    this.#balance();
    if (this.#isBusy()) this.#send();
    else this.#sendNow();
  }

  #fateAfter(error: unknown, item: Item<Position>, company: number, blame: boolean): Fate {
    if (error instanceof Unavailable) return { status: "again" };
    item.company = Math.max(1, Math.min(item.company, company >> 1));
    if (company === 1) item.alone += 1;
    if (!blame) return { status: "again" };
    return { status: "failed", reason: error instanceof TimedOut ? "timeout" : "crashed", message: messageOf(error) };
  }

  #settle(lane: Lane<Position>, fates: readonly Fate[]): void {
    const { limits, deadLetters, clock, metrics } = this.#options;
    const again: Item<Position>[] = [];
    const letters: Promise<void>[] = [];
    const items = lane.queue.splice(0, lane.sent);
    lane.sent = 0;
    let blocked = false;
    for (const [at, fate] of fates.entries()) {
      const item = items[at] as Item<Position>;
      if (fate.status === "done") this.#progress.finish(item.mark);
      // Behind one of its key that failed, it was not tried.
      else if (fate.status === "again" || (fate.status === "failed" && blocked)) again.push(item);
      else if (fate.status === "unavailable") {
        blocked = true;
        item.unavailable += 1;
        again.push(item);
      } else {
        blocked ||= fate.status === "failed";
        item.attempts += 1;
        item.unavailable = 0;
        if (deadLetters && (fate.status === "rejected" || item.attempts > limits.retries)) {
          letters.push(this.#bury(deadLetters, item, fate, lane.epoch));
        } else {
          metrics.retried += 1;
          again.push(item);
        }
      }
    }
    if (lane.epoch !== this.#epoch) return;
    lane.queue = [...again, ...lane.queue];
    const wait = again[0] ? this.#waitFor(again[0]) : 0;
    const release = () => this.#release(lane);
    const releaseLater = () => (wait > 0 ? clock.after(wait, release) : release());
    if (letters.length > 0) this.#track(Promise.all(letters).then(releaseLater));
    else releaseLater();
  }

  #waitFor({ attempts, alone, unavailable }: Item<Position>): number {
    const tries = attempts + alone;
    const failed = tries > 0 ? this.#backoff(tries) : 0;
    // Soon after what was away is back, all goes on.
    return unavailable > 0 ? Math.min(failed + this.#backoff(unavailable), longestProbeMilliseconds) : failed;
  }

  #release(lane: Lane<Position>): void {
    if (lane.epoch !== this.#epoch) return;
    lane.held = false;
    if (lane.queue.length > 0) {
      this.#ready.add(lane);
      this.#waiting += lane.queue.length;
      this.#send();
    } else if (lane.key !== undefined) this.#lanes.delete(lane.key);
  }

  async #bury(
    deadLetters: DeadLetters,
    { event, mark, attempts }: Item<Position>,
    { reason, message }: { readonly reason: Reason; readonly message: string },
    epoch: number,
  ): Promise<void> {
    const { log, metrics } = this.#options;
    for (let tries = 1; epoch === this.#epoch; tries += 1) {
      try {
        await deadLetters({ event, attempt: attempts, reason, message });
        metrics.deadLettered += 1;
        log("warn", "dead letter", { ...event.origin, attempt: attempts, reason });
        this.#progress.finish(mark);
        return this.#balance();
      } catch (error) {
        metrics.deadLetterErrors += 1;
        const problem = "cannot write a dead letter, and commits nothing behind it until it can";
        log("error", problem, { ...event.origin, error: messageOf(error) });
        await this.#sleep(this.#backoff(tries));
      }
    }
  }

  /** Pauses the source at the bounds, and resumes it below them. */
  #balance(): void {
    const { source, limits } = this.#options;
    const { undone, undoneBytes, tracked } = this.#progress;
    const { events, bytes } = limits.inFlight;
    const full = undone >= events || undoneBytes >= bytes || tracked >= events * trackedForEachUndone;
    if (full === this.#paused) return;
    this.#paused = full;
    if (full) source.pause();
    else source.resume();
  }

  /** Until the time is up or the epoch is over. */
  async #sleep(milliseconds: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#sleepers.add(resolve);
    this.#options.clock.after(milliseconds, resolve);
    await promise;
    this.#sleepers.delete(resolve);
  }

  #backoff(tries: number): number {
    const { firstMilliseconds, longestMilliseconds } = this.#options.limits.backoff;
    return this.#options.clock.random() * Math.min(longestMilliseconds, firstMilliseconds * 2 ** (tries - 1));
  }

  #lane(key: string | undefined): Lane<Position> {
    const known = key === undefined ? undefined : this.#lanes.get(key);
    if (known) return known;
    const lane = { key, epoch: this.#epoch, queue: [], sent: 0, held: false };
    if (key !== undefined) this.#lanes.set(key, lane);
    return lane;
  }

  #track(work: Promise<void>): void {
    this.#underWay.add(work);
    void work.finally(() => this.#underWay.delete(work));
  }
}

/** UUIDs, because Node makes their random bytes in advance. */
function newTraceparent(): Buffer {
  const hex = () => randomUUID().replaceAll("-", "");
  return Buffer.from(`00-${hex()}-${hex().slice(0, 16)}-01`);
}

/** If the target could do nothing at all, for want of what it needs: why. */
function awayFor(fates: readonly Fate[]): Unavailable | undefined {
  const away = fates.find(({ status }) => status === "unavailable");
  const idle = fates.every(({ status }) => status === "unavailable" || status === "failed");
  return idle && away?.status === "unavailable" ? new Unavailable(away.message) : undefined;
}
