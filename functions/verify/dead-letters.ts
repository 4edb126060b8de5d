/** Reads the dead letters of a run from a topic, and what became of them. */
import { type ReadableTopic, topicReader } from "../kit/topic-reader.ts";
import { parseDeadLetter } from "../relay/dead-letters.ts";

export interface DeadLetter {
  readonly value: string;
  readonly reason: string;
}

export interface DeadLetters {
  readonly open: readonly DeadLetter[];
  readonly sentAgain: readonly DeadLetter[];
}

/** @param since when the run began, in milliseconds since 1970 */
export async function readDeadLetters(topic: ReadableTopic, since: number): Promise<DeadLetters> {
  const reader = topicReader(topic);
  try {
    const letters = new Map<string, DeadLetter>();
    const sent = new Set<string>();
    for await (const record of reader.read(await reader.since(since), await reader.ends())) {
      const found = parseDeadLetter(record);
      if (found.kind === "letter") letters.set(found.id, { value: record.value.toString(), reason: found.reason });
      else if (found.state === "sent") sent.add(found.id);
    }
    const of = (again: boolean) => [...letters].filter(([id]) => sent.has(id) === again).map(([, letter]) => letter);
    return { open: of(false), sentAgain: of(true) };
  } finally {
    await reader.close();
  }
}
