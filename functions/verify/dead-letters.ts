/** Reads the dead letters of a run from a topic or stream, and what became of them. */
import type { TopicReader } from "../kit/topic-reader.ts";
import { parseDeadLetter } from "../relay/dead-letters.ts";

export interface DeadLetter {
  readonly key: string | undefined;
  readonly value: string;
  readonly reason: string;
}

export interface DeadLetters {
  readonly open: readonly DeadLetter[];
  readonly sentAgain: readonly DeadLetter[];
}

/**
 * @param reader is closed afterwards
 * @param since when the run began, in milliseconds since 1970
 */
export async function readDeadLetters(reader: TopicReader, since: number): Promise<DeadLetters> {
  try {
    const letters = new Map<string, DeadLetter>();
    const sent = new Set<string>();
    for await (const record of reader.read(await reader.since(since), await reader.ends())) {
      const found = parseDeadLetter(record);
      if (found.kind === "letter") {
        const { id, key, reason } = found;
        letters.set(id, { key, value: record.value.toString(), reason });
      }
      if (found.kind === "mark" && found.state === "sent") sent.add(found.id);
    }
    const of = (again: boolean) => [...letters].filter(([id]) => sent.has(id) === again).map(([, letter]) => letter);
    return { open: of(false), sentAgain: of(true) };
  } finally {
    await reader.close();
  }
}
