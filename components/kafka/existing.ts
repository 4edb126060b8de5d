import * as kafka from "@pulumi/kafka";
import type * as pulumi from "@pulumi/pulumi";
import type { Schema } from "../../functions/kit/schema.ts";
import { Component } from "../core/component.ts";
import { allowOut } from "../core/network.ts";
import { perConsumer } from "../core/per-consumer.ts";
import type { Duration } from "../core/units.ts";
import { planExistingKafka } from "./plan.ts";
import { type Credentials, type Topic, type TopicArgs, Topics } from "./topic.ts";

export interface ExistingKafkaArgs {
  /** Where it is reached from the cluster, and from where Pulumi runs if there is an `admin`: `host:port` of some brokers. */
  readonly bootstrap: readonly string[];
  /**
   * PEM of the authority that signed the brokers' certificates.
   *
   * @default - the public authorities
   */
  readonly ca?: pulumi.Input<string>;
  /**
   * An administrator who makes the topics, and a user with its permissions for each consumer unless there is an `account`.
   *
   * @default - the topics are there already
   */
  readonly admin?: Credentials;
  /**
   * An account that all consumers share, for servers whose users are made elsewhere, such as Amazon MSK.
   *
   * @default - a user for each consumer
   */
  readonly account?: Credentials;
  /**
   * Copies of each partition.
   *
   * @default 3
   */
  readonly replication?: number;
  /**
   * How long topics keep their records, unless a topic says otherwise.
   *
   * @default "7 days"
   */
  readonly retention?: Duration;
}

/** A Kafka that someone else runs (Strimzi, Redpanda, Amazon MSK, …). It must speak TLS and SCRAM-SHA-512. */
export class ExistingKafka extends Component {
  readonly nodes: { readonly provider: kafka.Provider | undefined };
  readonly #topics: Topics;

  /** @throws KitError naming every problem of the settings */
  constructor(name: string, args: ExistingKafkaArgs, opts?: pulumi.ComponentResourceOptions) {
    const plan = planExistingKafka(name, args);
    super("fivefold:kafka:ExistingKafka", name, opts);
    const { ca, admin, account } = args;
    const provider =
      admin &&
      new kafka.Provider(
        name,
        {
          bootstrapServers: [...args.bootstrap],
          tlsEnabled: true,
          ...(ca !== undefined && { caCert: ca }),
          saslMechanism: "scram-sha512",
          saslUsername: admin.username,
          saslPassword: admin.password,
        },
        { parent: this },
      );
    this.nodes = { provider };
    this.#topics = new Topics({
      ...plan,
      componentName: name,
      parent: this,
      bootstrap: [...args.bootstrap],
      ...(ca !== undefined && { ca }),
      ...(account && { account }),
      ...(provider && { inside: { provider } }),
      reach: perConsumer((consumer) => plan.ports.flatMap((port) => allowOut(consumer, `${name}-${port}`, port))),
    });
    this.registerOutputs();
  }

  /** A topic whose records the schema describes. */
  topic<T>(name: string, schema: Schema<T>, args: TopicArgs = {}): Topic<T> {
    return this.#topics.make(name, schema, args);
  }
}
