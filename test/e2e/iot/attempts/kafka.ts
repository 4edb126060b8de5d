import { Admin, type BaseOptions, Consumer, ProduceAcks, Producer, stringSerializers } from "@platformatic/kafka";
import { administrator } from "../../../../components/kafka/defaults.ts";
import { type KafkaConnection, kafkaOptions } from "../../../../functions/kit/kafka.ts";
import { readSettings } from "../../../../functions/kit/settings.ts";
import { type TopicReader, topicReader } from "../../../../functions/kit/topic-reader.ts";
import type { RelaySettings, SourceSettings, TargetSettings } from "../../../../functions/relay/settings.ts";
import { type Attempts, addressOf, say } from "./attempt.ts";
import { csv, forged, victim } from "./readings.ts";

/** May write `raw`. */
const { kafka: writer } = readSettings<RelaySettings>("gateway-to-raw", "relay").target as TargetSettings<"topic">;
/** May read `raw`, as one consumer group. */
const source = readSettings<RelaySettings>("raw-to-normalize", "relay").source as SourceSettings<"kafka">;
const { kafka: reader, group } = source;
const deadLetters = "raw.dead-letters";

/** As the administrator, in a group of its own: reading as a relay would take from the relay. */
export const asAdministrator = (password: string, topic: string): TopicReader =>
  topicReader({ kafka: { ...reader, username: administrator, password }, topic, group: "refusals" });

interface Client {
  close(): Promise<void>;
}

const options = (kafka: KafkaConnection) => ({ ...kafkaOptions(kafka), clientId: "refusals", retries: 0 });

async function using<C extends Client>(client: C, use: (client: C) => Promise<unknown>): Promise<void> {
  try {
    await use(client);
  } finally {
    await client.close();
  }
}

const write = (kafka: KafkaConnection, topic: string) =>
  using(new Producer({ ...options(kafka), serializers: stringSerializers }), (producer) =>
    producer.send({
      acks: ProduceAcks.ALL,
      idempotent: false,
      messages: [{ topic, key: victim, value: csv(forged) }],
    }),
  );

/** Without a consumer group, whose members' partitions it would take. */
const read = (kafka: KafkaConnection, topic: string) =>
  using(new Consumer({ ...options(kafka), groupId: "refusals" }), async (consumer) => {
    const { id, partitions } = (await consumer.metadata({ topics: [topic] })).topics.get(topic)!;
    const from = { currentLeaderEpoch: -1, lastFetchedEpoch: -1, fetchOffset: 0n, partitionMaxBytes: 1024 };
    await consumer.fetch({
      node: partitions[0]!.leader,
      topics: [{ topicId: id, partitions: [{ partition: 0, ...from }] }],
      maxWaitTime: 1_000,
    });
  });

const administer = (kafka: KafkaConnection, use: (admin: Admin) => Promise<unknown>, more: Partial<BaseOptions> = {}) =>
  using(new Admin({ ...options(kafka), ...more }), use);

const topics = (admin: Admin) => admin.listTopics();

const bootstrap = addressOf(reader.bootstrap[0] ?? "");
/** The brokers' own ports, for each other only. */
const broker = (port: number) => ({ host: bootstrap.host.replace(/^([^.]+)/, "$1-0.$1-brokers"), port });

/** ApiVersions 0, which a broker answers before anybody says who he is. */
const hello = Buffer.from("0000000a0012000000000001ffff", "hex");

export const kafkaAttempts: Attempts = {
  "Kafka: an unknown user": () => administer({ ...reader, username: "nobody" }, topics),
  "Kafka: a wrong password": () => administer({ ...reader, password: "wrong" }, topics),
  "Kafka: another user's password": () => administer({ ...reader, password: writer.password }, topics),
  "Kafka: a password in the clear, over TLS": () =>
    administer(reader, topics, {
      sasl: { mechanism: "PLAIN", username: reader.username, password: reader.password },
    }),
  "Kafka: plain text": () => say(hello, bootstrap),
  "Kafka: over TLS, without credentials": () => {
    const { sasl: _, ...anonymous } = options(reader);
    return using(new Admin(anonymous), topics);
  },
  "Kafka: the brokers' port, without a certificate": () => say(hello, broker(9091), reader.ca),
  "Kafka: the controllers' port, without a certificate": () => say(hello, broker(9093), reader.ca),
  "Kafka: who may only write reads": () => read(writer, "raw"),
  "Kafka: who may only read writes": () => write(reader, "raw"),
  "Kafka: writes another topic": () => write(writer, deadLetters),
  "Kafka: reads another topic": () => read(reader, deadLetters),
  "Kafka: looks at another's consumer group": () =>
    using(new Consumer({ ...options(writer), groupId: group }), (consumer) => consumer.findGroupCoordinator()),
  "Kafka: makes a topic": () =>
    administer(writer, (admin) => admin.createTopics({ topics: ["refused"], partitions: 1, replicas: 1 })),
  "Kafka: lists the access rules": () => {
    const any = { resourceType: 1, resourcePatternType: 1, operation: 1, permissionType: 1 } as const;
    const filter = { ...any, resourceName: null, principal: null, host: null };
    return administer(reader, (admin) => admin.describeAcls({ filter }));
  },
};
