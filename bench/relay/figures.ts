/** What the bench finds out, and what it wants to find. */
import { keyOf } from "./event.ts";

/** The kit's relay, or Fission's own trigger for Kafka. */
export type Trigger = "relay" | "fission";

/** What became of a set of events. */
export interface Account {
  readonly lost: number;
  /** Deliveries of events that had been delivered before. */
  readonly repeated: number;
  /** Events first delivered after a later one of their key. */
  readonly outOfOrder: number;
}

export interface Round extends Account {
  readonly delivered: number;
  readonly eventsPerSecond: number;
}

export interface Kill extends Account {
  readonly events: number;
  /** How many had been delivered when nothing came any more. */
  readonly deliveredBefore: number;
  readonly secondsUntilNext: number;
}

/** In milliseconds. */
export interface Times {
  readonly samples: number;
  readonly p50: number;
  readonly p99: number;
}

export interface Figures {
  readonly recordBytes: number;
  readonly rounds: Readonly<Record<Trigger, readonly Round[]>>;
  readonly kills: Readonly<Record<Trigger, Kill>>;
  readonly firstCalls: Times;
  readonly nextCalls: Times;
  readonly latency: Latency;
}

export interface Latency {
  readonly eventsPerSecond: number;
  /** From Kafka's acknowledgement to the function, through the relay. */
  readonly relay: Times;
  /** From the call to the function, through Fission's router. */
  readonly direct: Times;
  /** How late the machine woke up who waited for the next event: what of all this is its noise. */
  readonly timersLate: Times;
}

export const bars = { ratio: 10, firstCallP50: 150, nextCallP99: 20, addedP99: 20 } as const;

/** How many times as many events per second the relay delivers from one partition. */
export function ratio({ rounds }: Figures): number {
  return rateOf(rounds.relay) / rateOf(rounds.fission);
}

/** By how much events come later through the relay than called directly. */
export function added({ latency: { relay, direct } }: Figures): Omit<Times, "samples"> {
  return { p50: relay.p50 - direct.p50, p99: relay.p99 - direct.p99 };
}

export function rateOf(rounds: readonly Round[]): number {
  return quantile(
    rounds.map(({ eventsPerSecond }) => eventsPerSecond),
    0.5,
  );
}

/** Every bar that is missed, in words. */
export function misses(figures: Figures): string[] {
  const { rounds, kills, firstCalls, nextCalls } = figures;
  const all = [...rounds.relay, kills.relay];
  const ahead = ratio(figures);
  const most = (what: string, measured: number, bar: number) =>
    measured <= bar ? [] : [`${what}: ${measured.toFixed(1)} ms, at most ${bar} ms wanted`];
  return [
    ...(ahead >= bars.ratio
      ? []
      : [`events per second against Fission's own trigger: ${ahead.toFixed(1)} times, ${bars.ratio} wanted`]),
    ...(all.every(({ outOfOrder }) => outOfOrder === 0) ? [] : ["the relay did not keep the order of each key"]),
    ...(kills.relay.lost === 0 ? [] : [`the relay lost ${kills.relay.lost} events when it was killed`]),
    ...most("first call of a function, p50", firstCalls.p50, bars.firstCallP50),
    ...most("next calls of a function, p99", nextCalls.p99, bars.nextCallP99),
    ...most("the relay's added latency, p99", added(figures).p99, bars.addedP99),
  ];
}

/** Compares what was delivered, in its order, with the events from one id up to another. */
export function account(delivered: readonly number[], from: number, to: number): Account {
  const seen = new Set<number>();
  const latest = new Map<string, number>();
  let repeated = 0;
  let outOfOrder = 0;
  for (const id of delivered) {
    if (seen.has(id)) {
      repeated += 1;
      continue;
    }
    seen.add(id);
    const key = keyOf(id);
    const before = latest.get(key) ?? -1;
    if (id < before) outOfOrder += 1;
    else latest.set(key, id);
  }
  let lost = 0;
  for (let id = from; id < to; id += 1) if (!seen.has(id)) lost += 1;
  return { lost, repeated, outOfOrder };
}

/** Events in a second between the first and the last one that was delivered within so many milliseconds. */
export function eventsPerSecond(times: readonly number[], milliseconds: number): number {
  const first = times[0] ?? 0;
  const within = times.filter((time) => time <= first + milliseconds);
  const last = within.at(-1) ?? first;
  return last > first ? ((within.length - 1) * 1000) / (last - first) : 0;
}

/** Where the delivery stood still for the longest time. */
export function longestPause(times: readonly number[]): { readonly before: number; readonly milliseconds: number } {
  let longest = { before: 0, milliseconds: 0 };
  for (const [at, time] of times.entries()) {
    const milliseconds = time - (times[at - 1] ?? time);
    if (milliseconds > longest.milliseconds) longest = { before: at, milliseconds };
  }
  return longest;
}

export function times(milliseconds: readonly number[]): Times {
  return { samples: milliseconds.length, p50: quantile(milliseconds, 0.5), p99: quantile(milliseconds, 0.99) };
}

/** The least value that this share of the values does not exceed. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}
