/** The relay's metrics in Prometheus' text format. Plain numbers, so that counting costs nothing. */

const latencyBounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const batchBounds = [1, 2, 5, 10, 20, 50, 100, 200, 500];

export class Histogram {
  readonly #bounds: readonly number[];
  readonly #counts: number[];
  #sum = 0;

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = new Array(bounds.length + 1).fill(0);
  }

  observe(value: number): void {
    const found = this.#bounds.findIndex((bound) => value <= bound);
    const at = found < 0 ? this.#bounds.length : found;
    this.#counts[at] = (this.#counts[at] ?? 0) + 1;
    this.#sum += value;
  }

  lines(name: string): string[] {
    let total = 0;
    const buckets = this.#counts.map((count, at) => {
      total += count;
      return `${name}_bucket{le="${this.#bounds[at] ?? "+Inf"}"} ${total}`;
    });
    return [...buckets, `${name}_sum ${this.#sum}`, `${name}_count ${total}`];
  }
}

export class Metrics {
  received = 0;
  done = 0;
  retried = 0;
  deadLettered = 0;
  deadLetterErrors = 0;
  requestErrors = 0;
  commitErrors = 0;
  sourceErrors = 0;
  readonly batch = new Histogram(batchBounds);
  /** Seconds from receipt to done. */
  readonly latency = new Histogram(latencyBounds);
  /** Read when asked for. */
  gauges: () => { events: number; bytes: number; oldestSeconds: number } = () => ({
    events: 0,
    bytes: 0,
    oldestSeconds: 0,
  });

  text(): string {
    const { events, bytes, oldestSeconds } = this.gauges();
    const one = (kind: "counter" | "gauge", name: string, help: string, value: number) => [
      `# HELP relay_${name} ${help}`,
      `# TYPE relay_${name} ${kind}`,
      `relay_${name} ${value}`,
    ];
    const histogram = (name: string, help: string, values: Histogram) => [
      `# HELP relay_${name} ${help}`,
      `# TYPE relay_${name} histogram`,
      ...values.lines(`relay_${name}`),
    ];
    return [
      one("counter", "events_received_total", "Events taken from the source.", this.received),
      one("counter", "events_done_total", "Events the target has done.", this.done),
      one("counter", "events_retried_total", "Events to be tried again after a failure of their own.", this.retried),
      one("counter", "events_dead_lettered_total", "Events written as dead letters.", this.deadLettered),
      one(
        "counter",
        "dead_letter_errors_total",
        "Dead letters that could not be written (tried again).",
        this.deadLetterErrors,
      ),
      one("counter", "request_errors_total", "Requests to the target that failed as a whole.", this.requestErrors),
      one("counter", "commit_errors_total", "Commits that failed (tried again).", this.commitErrors),
      one("counter", "source_errors_total", "Failures of the source (started again).", this.sourceErrors),
      one("gauge", "events_in_flight", "Events received and not done.", events),
      one("gauge", "bytes_in_flight", "Payload bytes of the events in flight.", bytes),
      one("gauge", "oldest_event_seconds", "How long the oldest event in flight has been here.", oldestSeconds),
      histogram("batch_events", "Events for each request to the target.", this.batch),
      histogram("event_seconds", "From receipt to done.", this.latency),
    ]
      .flat()
      .concat("")
      .join("\n");
  }
}
