/** Reads the dead letters that a run adds to a topic. */
import { Consumer, ListOffsetTimestamps, MessagesStreamModes, stringDeserializers } from "@platformatic/kafka";

export interface DeadLetter {
  readonly key: string | undefined;
  readonly value: string;
  readonly reason: string;
}

export interface DeadLetterSettings {
  readonly kafka: {
    readonly bootstrap: string[];
    readonly username: string;
    readonly password: string;
    readonly ca?: string;
    readonly tls?: boolean;
  };
  readonly topic: string;
  readonly group: string;
}

/** Remembers where the topic ends now; `read` answers what has come since. */
export async function markDeadLetters(settings: DeadLetterSettings): Promise<{ read(): Promise<DeadLetter[]> }> {
  const start = await withConsumer(settings, endOffsets);
  return {
    read: () =>
      withConsumer(settings, async (consumer, topic) => {
        const ends = await endOffsets(consumer, topic);
        const open = new Set(ends.flatMap((end, partition) => (end > (start[partition] ?? 0n) ? [partition] : [])));
        const letters: DeadLetter[] = [];
        if (open.size === 0) return letters;
        const stream = await consumer.consume({
          topics: [topic],
          mode: MessagesStreamModes.MANUAL,
          offsets: ends.map((_, partition) => ({ topic, partition, offset: start[partition] ?? 0n })),
          autocommit: false,
        });
        for await (const { key, value, headers, partition, offset } of stream) {
          letters.push({ key, value, reason: headers.get("dead-letter-reason") ?? "" });
          if (offset + 1n >= (ends[partition] ?? 0n)) open.delete(partition);
          if (open.size === 0) break;
        }
        await stream.close();
        return letters;
      }),
  };
}

type StringConsumer = Consumer<string, string, string, string>;

async function withConsumer<T>(
  { kafka, topic, group }: DeadLetterSettings,
  use: (consumer: StringConsumer, topic: string) => Promise<T>,
): Promise<T> {
  const { bootstrap, username, password, ca, tls = true } = kafka;
  const consumer: StringConsumer = new Consumer({
    clientId: group,
    groupId: group,
    bootstrapBrokers: bootstrap,
    deserializers: stringDeserializers,
    sasl: { mechanism: "SCRAM-SHA-512", username, password },
    ...(tls ? { tls: ca ? { ca } : {} } : {}),
  });
  try {
    return await use(consumer, topic);
  } finally {
    await consumer.close(true);
  }
}

async function endOffsets(consumer: StringConsumer, topic: string): Promise<bigint[]> {
  const offsets = await consumer.listOffsets({ topics: [topic], timestamp: ListOffsetTimestamps.LATEST });
  return offsets.get(topic) ?? [];
}
