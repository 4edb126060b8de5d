/** Reads the dead letters that a run adds to a topic. */
import { Consumer, ListOffsetTimestamps, MessagesStreamModes, stringDeserializers } from "@platformatic/kafka";
import { type KafkaConnection, kafkaOptions } from "../kit/kafka.ts";

export interface DeadLetter {
  readonly key: string | undefined;
  readonly value: string;
  readonly reason: string;
}

/** As the source of a relay: a topic to read, as a group of its own. */
export interface DeadLetterSettings {
  readonly kafka: KafkaConnection;
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
  const consumer: StringConsumer = new Consumer({
    ...kafkaOptions(kafka),
    clientId: group,
    groupId: group,
    deserializers: stringDeserializers,
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
