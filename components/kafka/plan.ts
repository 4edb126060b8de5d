import { createHash } from "node:crypto";
import { Check, defined } from "../core/check.ts";
import { isName, writeName } from "../core/names.ts";
import {
  type Duration,
  isDuration,
  isSize,
  type Size,
  toBytes,
  toMilliseconds,
  toQuantity,
  writeDuration,
  writeSize,
} from "../core/units.ts";
import { deadLetters, defaults, existingDefaults, topicDefaults } from "./defaults.ts";
import type { ExistingKafkaArgs } from "./existing.ts";

export interface KafkaSettings {
  /**
   * How many brokers. The number can grow later, but not shrink. Topics have three copies, or one for each broker if
   * there are fewer; what Kafka keeps for itself, such as consumers' offsets, keeps as many copies as it began with.
   *
   * @default 1
   */
  readonly brokers?: number;
  /**
   * Disk of each broker.
   *
   * @default "10 GiB"
   */
  readonly storage?: Size;
  /**
   * Memory of each broker; half of it is for the Java heap.
   *
   * @default "1 GiB"
   */
  readonly memory?: Size;
  /**
   * How long topics keep their records, unless a topic says otherwise.
   *
   * @default "7 days"
   */
  readonly retention?: Duration;
  /**
   * Port of this machine's loopback through which Pulumi reaches the first broker; each further broker has the next one.
   *
   * @default - derived from the names of stack and Kafka, between 20000 and 31999
   */
  readonly tunnelPort?: number;
}

export interface KafkaPlan {
  readonly brokers: number;
  /** How many of them are controllers too. */
  readonly controllers: number;
  readonly disk: string;
  readonly memory: string;
  readonly heapMebibytes: number;
  readonly retention: Duration;
  readonly tunnelPort: number;
  readonly replication: Replication;
}

/** Copies of each partition. */
export interface Replication {
  readonly factor: number;
  /** How many of them must have a record before its producer hears that it is safe. */
  readonly minInSync: number;
}

const smallestMemory = 512 * 2 ** 20;

/** @throws KitError naming every mistake in the settings */
export function planKafka(name: string, stack: string, settings: KafkaSettings): KafkaPlan {
  const want = { ...defaults, tunnelPort: derivedPort(stack, name), ...defined(settings) };
  const check = new Check(`Kafka ${JSON.stringify(name)}`);
  check.that(isName(name), "name", writeName(name));
  check.that(
    Number.isInteger(want.brokers) && want.brokers >= 1 && want.brokers <= 100,
    "brokers",
    `must be a whole number from 1 to 100, got ${want.brokers}`,
  );
  check.that(isSize(want.storage), "storage", writeSize(want.storage));
  check.that(isSize(want.memory), "memory", writeSize(want.memory));
  check.that(
    !isSize(want.memory) || toBytes(want.memory) >= smallestMemory,
    "memory",
    `a broker needs "512 MiB" or more, got ${JSON.stringify(want.memory)}`,
  );
  check.that(isDuration(want.retention), "retention", writeDuration(want.retention));
  check.that(
    Number.isInteger(want.tunnelPort) && want.tunnelPort >= 1024 && want.tunnelPort <= 65_436,
    "tunnelPort",
    `must be a whole number from 1024 to 65436, got ${want.tunnelPort}`,
  );
  check.done();
  return {
    brokers: want.brokers,
    controllers: want.brokers >= 3 ? 3 : 1,
    disk: toQuantity(want.storage),
    memory: toQuantity(want.memory),
    heapMebibytes: Math.floor(toBytes(want.memory) / 2 ** 21),
    retention: want.retention,
    tunnelPort: want.tunnelPort,
    replication: replicationOf(Math.min(3, want.brokers)),
  };
}

/** One copy may be away, unless it is the only one. */
function replicationOf(factor: number): Replication {
  return { factor, minInSync: Math.max(1, factor - 1) };
}

export interface ExistingKafkaPlan {
  /** Ports of the servers, each once. */
  readonly ports: readonly number[];
  readonly retention: Duration;
  readonly replication: Replication;
}

/** @throws KitError naming every mistake in the settings */
export function planExistingKafka(name: string, args: ExistingKafkaArgs): ExistingKafkaPlan {
  const want = { ...existingDefaults, retention: defaults.retention, ...defined(args) };
  const check = new Check(`ExistingKafka ${JSON.stringify(name)}`);
  check.that(isName(name), "name", writeName(name));
  check.that(want.bootstrap.length > 0, "bootstrap", "name at least one broker");
  for (const address of want.bootstrap) {
    const port = portOf(address);
    check.that(port >= 1 && port <= 65_535, "bootstrap", `write "host:port", got ${JSON.stringify(address)}`);
  }
  check.that(
    want.admin !== undefined || want.account !== undefined,
    "admin, account",
    "give an administrator who makes topics and users, an account that all consumers share, or both",
  );
  check.that(
    Number.isInteger(want.replication) && want.replication >= 1,
    "replication",
    `must be a whole number from 1, got ${want.replication}`,
  );
  check.that(isDuration(want.retention), "retention", writeDuration(want.retention));
  check.done();
  return {
    ports: [...new Set(want.bootstrap.map(portOf))],
    retention: want.retention,
    replication: replicationOf(want.replication),
  };
}

/** NaN where there is none. */
const portOf = (address: string): number => Number(/^[^\s:/]+:(\d+)$/.exec(address)?.[1]);

export interface TopicSettings {
  /**
   * How many partitions: as many consumers can share the work. The number can grow later, but then keys move to other
   * partitions.
   *
   * @default 3
   */
  readonly partitions?: number;
  /**
   * How long records are kept.
   *
   * @default - the Kafka's `retention`
   */
  readonly retention?: Duration;
}

export interface TopicPlan {
  readonly name: string;
  readonly partitions: number;
  readonly replicationFactor: number;
  readonly config: Record<string, string>;
}

/** What a topic is made from besides its own settings. */
export interface TopicHost {
  readonly retention: Duration;
  readonly replication: Replication;
  /** Names of the topics there are. */
  readonly taken: ReadonlySet<string>;
}

const longestName = 249 - deadLetters.suffix.length;

/** @throws KitError naming every mistake in the settings */
export function planTopic(kafka: string, name: string, settings: TopicSettings, host: TopicHost): TopicPlan {
  const want = { ...topicDefaults, retention: host.retention, ...defined(settings) };
  const check = new Check(`Topic ${JSON.stringify(name)} of Kafka ${JSON.stringify(kafka)}`);
  check.that(
    /^[a-zA-Z0-9][a-zA-Z0-9._-]*$/.test(name) && name.length <= longestName,
    "name",
    `write up to ${longestName} letters, digits, dots, dashes and underscores, got ${JSON.stringify(name)}`,
  );
  check.that(!host.taken.has(name), "name", "there is a topic of this name already");
  check.that(
    Number.isInteger(want.partitions) && want.partitions >= 1 && want.partitions <= 10_000,
    "partitions",
    `must be a whole number from 1 to 10000, got ${want.partitions}`,
  );
  check.that(isDuration(want.retention), "retention", writeDuration(want.retention));
  check.done();
  return {
    name,
    partitions: want.partitions,
    replicationFactor: host.replication.factor,
    config: {
      "retention.ms": String(toMilliseconds(want.retention)),
      "min.insync.replicas": String(host.replication.minInSync),
    },
  };
}

/** Ten ports for each Kafka, so that stacks deployed at the same time are not in each other's way. */
function derivedPort(stack: string, name: string): number {
  const hash = createHash("sha256").update(`${stack}/${name}`).digest().readUInt32BE();
  return 20_000 + (hash % 1_200) * 10;
}
