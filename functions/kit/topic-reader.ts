/** Reads what a topic holds, and takes nothing of it: from some offsets to others. */
import { Consumer, ListOffsetTimestamps, MessagesStreamModes } from "@platformatic/kafka";
import { type KafkaConnection, kafkaOptions } from "./kafka.ts";

export interface ReadableTopic {
  readonly kafka: KafkaConnection;
  readonly topic: string;
  /** A consumer group that nobody else is in: the client wants one even where it commits nothing. */
  readonly group: string;
}

export interface TopicRecord {
  readonly partition: number;
  readonly offset: bigint;
  readonly key: Buffer | undefined;
  readonly value: Buffer;
  readonly headers: ReadonlyMap<string, Buffer>;
}

/** One for each partition. */
export type Offsets = readonly bigint[];

export interface TopicReader {
  starts(): Promise<Offsets>;
  ends(): Promise<Offsets>;
  /** Where the records from this time on begin, in milliseconds since 1970. */
  since(milliseconds: number): Promise<Offsets>;
  /** The records before `to`, those of a partition in their order. */
  read(from: Offsets, to: Offsets): AsyncIterable<TopicRecord>;
  close(): Promise<void>;
}

export function topicReader({ kafka, topic, group }: ReadableTopic): TopicReader {
  const consumer = new Consumer<Buffer, Buffer, string, Buffer>({
    ...kafkaOptions(kafka),
    clientId: group,
    groupId: group,
    deserializers: {
      headerKey: (name) => name?.toString() ?? "",
      headerValue: (value) => value ?? Buffer.alloc(0),
    },
  });
  const offsets = async (timestamp: bigint): Promise<Offsets> =>
    (await consumer.listOffsets({ topics: [topic], timestamp })).get(topic) ?? [];
  const ends = () => offsets(ListOffsetTimestamps.LATEST);
  return {
    starts: () => offsets(ListOffsetTimestamps.EARLIEST),
    ends,
    async since(milliseconds) {
      const last = await ends();
      // Where nothing is as young, the broker answers -1.
      return (await offsets(BigInt(milliseconds))).map((offset, partition) =>
        offset < 0n ? (last[partition] ?? 0n) : offset,
      );
    },
    async *read(from, to) {
      const open = new Set(to.flatMap((end, partition) => (end > (from[partition] ?? 0n) ? [partition] : [])));
      if (open.size === 0) return;
      const stream = await consumer.consume({
        topics: [topic],
        mode: MessagesStreamModes.MANUAL,
        offsets: to.map((_, partition) => ({ topic, partition, offset: from[partition] ?? 0n })),
        autocommit: false,
      });
      try {
        for await (const { partition, offset, key, value, headers } of stream) {
          const end = to[partition] ?? 0n;
          if (offset < end) yield { partition, offset, key, value: value ?? Buffer.alloc(0), headers };
          if (offset + 1n >= end) open.delete(partition);
          if (open.size === 0) return;
        }
      } finally {
        await stream.close();
      }
    },
    close: () => consumer.close(true),
  };
}
