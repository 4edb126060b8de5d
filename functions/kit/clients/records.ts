import { compatibilityPartitioner, findErrorBy, ProduceAcks, Producer, stringSerializers } from "@platformatic/kafka";
import { reasonOf, Unavailable } from "../errors.ts";
import { type KafkaConnection, kafkaOptions } from "../kafka.ts";
import type { Port, Records } from "../ports.ts";
import { coalesce } from "./coalesce.ts";

export interface RecordsSettings {
  readonly kafka: KafkaConnection;
  readonly topic: string;
}

type Sent = Parameters<Records<unknown>["send"]>[0];

/** Writes to a topic. Records of one process keep their order: one request at a time, and the broker drops what comes twice. */
export function connect(
  { kafka, topic }: RecordsSettings,
  { encoding }: Pick<Port<unknown>, "encoding">,
): Records<unknown> {
  const producer = new Producer({
    ...kafkaOptions(kafka),
    clientId: kafka.username,
    serializers: stringSerializers,
    // The one that Kafka's own clients use, so that a key has one partition whoever writes.
    partitioner: compatibilityPartitioner,
    acks: ProduceAcks.ALL,
    idempotent: true,
    autocreateTopics: false,
    connectTimeout: 5_000,
    requestTimeout: 5_000,
    timeout: 5_000,
    // The library would retry for ever; the caller's own retries have a limit.
    retries: 2,
    retryDelay: 250,
  });
  const write = (value: unknown) => (encoding === "text" ? String(value) : JSON.stringify(value));
  const send = coalesce<Sent, void>(
    async (records) => {
      const messages = records.map(({ key, value, headers }) => ({
        topic,
        key,
        value: write(value),
        ...(headers && { headers: { ...headers } }),
      }));
      await producer.send({ messages }).catch((error: Error) => {
        throw isAway(error) ? new Unavailable(`Kafka: ${reasonOf(error)}`, { cause: error }) : error;
      });
      return records.map(() => undefined);
    },
    { items: 1000, calls: 1 },
  );
  return { send };
}

/** No broker answers, or none leads the partition for now. */
function isAway(error: Error): boolean {
  return findErrorBy(error, "code", "PLT_KFK_NETWORK") !== null || findErrorBy(error, "canRetry", true) !== null;
}
