import type { Clock } from "./event.ts";

/** How many there were lately in a second; what lies longer back counts less and less. */
export class Rate {
  readonly #clock: Clock;
  #count = 0;
  #at = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  count(): void {
    this.#count = this.perSecond() + 1;
  }

  perSecond(): number {
    const now = this.#clock.now();
    this.#count *= Math.exp((this.#at - now) / 1000);
    this.#at = now;
    return this.#count;
  }
}
