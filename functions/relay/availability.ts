/** Whether the target can take requests: while they fail, one at a time probes it, after a backoff. */
import { type Clock, type Log, messageOf, Unavailable } from "./event.ts";

export interface AvailabilityOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** In milliseconds. */
  readonly backoff: (tries: number) => number;
  /** Called when the next request may be sent. */
  readonly wake: () => void;
}

export class Availability {
  readonly #options: AvailabilityOptions;
  /** Requests failed since the last answer. */
  #failures = 0;
  #failedAt = 0;
  #probeAt = 0;

  constructor(options: AvailabilityOptions) {
    this.#options = options;
  }

  /** How many requests may be under way, of so many that the settings allow. */
  allows(requests: number): number {
    if (this.#options.clock.now() < this.#probeAt) return 0;
    return this.#failures > 0 ? 1 : requests;
  }

  answered(): void {
    if (this.#failures > 0) this.#options.log("info", "the target answers again");
    this.#failures = 0;
    this.#probeAt = 0;
  }

  /** Requests that were under way together count as one failure. */
  failed(error: unknown, startedAt: number): void {
    const { clock, log, backoff, wake } = this.#options;
    if (this.#failures === 0 || startedAt >= this.#failedAt) this.#failures += 1;
    this.#failedAt = clock.now();
    // One failure may be the doing of an event.
    const wait = this.#failures > 1 || error instanceof Unavailable ? backoff(this.#failures) : 0;
    this.#probeAt = clock.now() + wait;
    clock.after(wait, wake);
    const nextMilliseconds = Math.round(wait);
    log("warn", "a request to the target failed", {
      error: messageOf(error),
      failures: this.#failures,
      nextMilliseconds,
    });
  }
}
