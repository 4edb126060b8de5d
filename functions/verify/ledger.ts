/** The ledger: accounts for every event of a run by what was observed of it, and says what does not add up. */

export interface Entry {
  readonly id: string;
  readonly key: string;
  /** Place of the first sending among those of the same key. */
  readonly order: number;
  readonly fate: "stored" | "dead-lettered" | "refused";
  /** Milliseconds after the start of the run; of the first sending. */
  readonly sentAt: number;
}

export interface Observation {
  /** Stores by name; each maps an id to how often it is there, and whether what is there is right. */
  readonly stores: ReadonlyMap<string, ReadonlyMap<string, { readonly times: number; readonly right: boolean }>>;
  /** Ids of dead letters with their reasons. */
  readonly deadLetters: ReadonlyMap<string, string>;
  /** Ids that were refused, with the answer. */
  readonly refused: ReadonlyMap<string, string>;
  /** Ids in the order of their first effect, by key. */
  readonly effects: ReadonlyMap<string, readonly string[]>;
  /** Ids of dead letters that were sent again: they take effect when they can. */
  readonly sentAgain: ReadonlySet<string>;
}

export interface Ledger {
  readonly sent: number;
  readonly stored: number;
  readonly deadLettered: number;
  readonly refused: number;
  /** One line for each event that is not where it must be, or is where it must not be. */
  readonly problems: readonly string[];
}

export function account(entries: readonly Entry[], seen: Observation, deadLetterReason: string): Ledger {
  const problems: string[] = [];
  const count = { stored: 0, "dead-lettered": 0, refused: 0 };
  const expected = new Map(entries.map((entry) => [entry.id, entry]));

  for (const { id, fate } of entries) {
    const before = problems.length;
    for (const [store, held] of seen.stores) {
      const there = held.get(id);
      if (fate === "stored") {
        if (!there) problems.push(`${id}: missing in the ${store}`);
        else if (there.times !== 1) problems.push(`${id}: ${there.times} times in the ${store}`);
        else if (!there.right) problems.push(`${id}: wrong content in the ${store}`);
      } else if (there) problems.push(`${id}: in the ${store}, but must be ${fate}`);
    }
    const reason = seen.deadLetters.get(id);
    if (fate === "dead-lettered") {
      if (reason === undefined) problems.push(`${id}: no dead letter`);
      else if (reason !== deadLetterReason)
        problems.push(`${id}: dead-lettered for "${reason}" instead of "${deadLetterReason}"`);
    } else if (reason !== undefined) problems.push(`${id}: dead-lettered ("${reason}"), but must be ${fate}`);
    const answer = seen.refused.get(id);
    if (fate === "refused" && answer === undefined) problems.push(`${id}: taken, but must be refused`);
    if (fate !== "refused" && answer !== undefined) problems.push(`${id}: refused (${answer}), but must be ${fate}`);
    if (problems.length === before) count[fate]++;
  }

  for (const [store, held] of seen.stores)
    for (const id of held.keys()) if (!expected.has(id)) problems.push(`${id}: in the ${store}, but was never sent`);
  for (const id of seen.deadLetters.keys())
    if (!expected.has(id)) problems.push(`${id}: a dead letter of something that was never sent`);

  problems.push(...misordered(entries, seen));
  return {
    sent: entries.length,
    stored: count.stored,
    deadLettered: count["dead-lettered"],
    refused: count.refused,
    problems,
  };
}

function misordered(entries: readonly Entry[], { effects, sentAgain }: Observation): string[] {
  const order = new Map(entries.map(({ id, order }) => [id, order]));
  return [...effects].flatMap(([key, ids]) => {
    let last = -1;
    for (const id of ids) {
      const place = order.get(id);
      if (place === undefined || sentAgain.has(id)) continue;
      if (place < last) return [`${key}: ${id} took effect after younger events`];
      last = place;
    }
    return [];
  });
}

export interface Speed {
  /** Events per second over the whole run. */
  readonly throughput: number;
  /** Events per second in the worst 10 seconds. */
  readonly worstWindow: number;
  /** From sending to the last store, in milliseconds. */
  readonly p50: number;
  readonly p99: number;
}

const windowSeconds = 10;

/**
 * Speed as the consumer of the data sees it: windows slide over the run, moved by the median latency.
 *
 * @param events when each stored event was sent and seen, in milliseconds after the start
 */
export function speed(events: readonly { readonly sentAt: number; readonly seenAt: number }[], seconds: number): Speed {
  const latencies = events.map(({ sentAt, seenAt }) => seenAt - sentAt).sort((a, b) => a - b);
  const at = (share: number) => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? 0;
  const p50 = at(0.5);
  const seen = events.map(({ seenAt }) => seenAt - p50).sort((a, b) => a - b);
  const size = Math.min(windowSeconds, seconds);
  let worst = Number.POSITIVE_INFINITY;
  for (let from = 0; from <= (seconds - size) * 1000; from += 500) {
    const inside = seen.filter((time) => time >= from && time < from + size * 1000).length;
    worst = Math.min(worst, inside / size);
  }
  return { throughput: events.length / seconds, worstWindow: worst, p50, p99: at(0.99) };
}
