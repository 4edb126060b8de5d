/** Whether the target can take requests: while they fail, one at a time probes it, after a backoff. */
import { Unavailable } from "../kit/errors.ts";
import { type Clock, type Log, messageOf } from "./event.ts";

/** A probe costs little, and what waits for it is everything. */
export const longestProbeMilliseconds = 5_000;

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
  /** The wait that is on, if any. */
  #wait: object | undefined;

  constructor(options: AvailabilityOptions) {
    this.#options = options;
  }

  /** How many requests may be under way, of so many that the settings allow. */
  allows(requests: number): number {
    if (this.#wait) return 0;
    return this.#failures > 0 ? 1 : requests;
  }

  answered(): void {
    if (this.#failures > 0) this.#options.log("info", "the target answers again");
    this.#failures = 0;
    this.#wait = undefined;
  }

  /** Requests that were under way together count as one failure. */
  failed(error: unknown, startedAt: number): void {
    const { clock, log, backoff, wake } = this.#options;
    if (this.#failures === 0 || startedAt >= this.#failedAt) this.#failures += 1;
    this.#failedAt = clock.now();
    // One failure may be the doing of an event.
    const down = this.#failures > 1 || error instanceof Unavailable;
    const milliseconds = down ? Math.min(backoff(this.#failures), longestProbeMilliseconds) : 0;
    const wait = {};
    this.#wait = wait;
    clock.after(milliseconds, () => {
      if (this.#wait !== wait) return;
      this.#wait = undefined;
      wake();
    });
    const nextMilliseconds = Math.round(milliseconds);
    log("warn", "a request to the target failed", {
      error: messageOf(error),
      failures: this.#failures,
      nextMilliseconds,
    });
  }
}
