import * as kafka from "@pulumi/kafka";
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import type { KafkaConnection } from "../../functions/kit/kafka.ts";
import type { Records } from "../../functions/kit/ports.ts";
import type { Schema } from "../../functions/kit/schema.ts";
import type { Bindable, Binding, Consumer, PortUse } from "../core/binding.ts";
import { Component, type Transform } from "../core/component.ts";
import { userOf } from "../core/names.ts";
import type { Duration } from "../core/units.ts";
import type { EventFunction } from "../faas/function.ts";
import { type Source, type TriggerOptions, trigger } from "../relay/relay.ts";
import { deadLetters } from "./defaults.ts";
import { planTopic, type Replication, type TopicSettings } from "./plan.ts";

export interface TopicArgs extends TopicSettings {
  readonly transform?: { readonly topic?: Transform<kafka.TopicArgs> };
}

/** What the topics of one Kafka need of it, whoever runs it. */
export interface KafkaServer {
  readonly componentName: string;
  /** Parent of its topics. */
  readonly parent: pulumi.Resource;
  /** Where consumers connect to: `host:port`. */
  readonly bootstrap: pulumi.Input<string>[];
  /** @default - the public authorities */
  readonly ca?: pulumi.Input<string>;
  readonly retention: Duration;
  readonly replication: Replication;
  /** Options of what is made inside the server. Left out: everything is there already. */
  readonly inside?: pulumi.CustomResourceOptions;
  /** An account that all consumers share, in place of one for each. */
  readonly account?: Credentials;
  /** Network rules for one consumer. */
  reach(consumer: Consumer): readonly pulumi.Resource[];
}

export interface Credentials {
  readonly username: pulumi.Input<string>;
  readonly password: pulumi.Input<string>;
}

/** The topics of one Kafka, by name. */
export class Topics {
  readonly #server: KafkaServer;
  readonly #taken = new Set<string>();

  constructor(server: KafkaServer) {
    this.#server = server;
  }

  make<T>(name: string, schema: Schema<T>, args: TopicArgs = {}): Topic<T> {
    const topic = new Topic(this.#server, this, name, schema, args, this.#taken);
    this.#taken.add(name);
    return topic;
  }
}

type Permission = readonly [type: "Topic" | "Group", name: string, operation: "Read" | "Write"];

/** A topic whose records the schema describes. `Kafka.topic` makes it. */
export class Topic<T> extends Component implements Bindable<Records<T>>, Source {
  declare readonly client?: () => Records<T>;
  readonly kind = "kafka";
  readonly name: string;
  readonly schema: Schema<T>;
  readonly nodes: { readonly topic: kafka.Topic | undefined };
  readonly #server: KafkaServer;
  readonly #topics: Topics;
  #deadLetters: Topic<T> | undefined;

  constructor(
    server: KafkaServer,
    topics: Topics,
    name: string,
    schema: Schema<T>,
    args: TopicArgs,
    taken: ReadonlySet<string>,
  ) {
    const { transform, ...settings } = args;
    const plan = planTopic(server.componentName, name, settings, { ...server, taken });
    super("fivefold:kafka:Topic", `${server.componentName}-${name}`, { parent: server.parent });
    this.name = name;
    this.schema = schema;
    this.#server = server;
    this.#topics = topics;
    this.nodes = {
      topic: server.inside && this.child(kafka.Topic, "", plan, transform?.topic, server.inside),
    };
    this.registerOutputs();
  }

  /** Where events go that could not be handled: the topic `<name>.dead-letters`, made when it is first asked for. */
  deadLetters(): Topic<T> {
    const { suffix, partitions, retention } = deadLetters;
    this.#deadLetters ??= this.#topics.make(`${this.name}${suffix}`, this.schema, { partitions, retention });
    return this.#deadLetters;
  }

  /** Calls the function with every record; what it cannot handle goes to `deadLetters()`. */
  triggers<Out>(fn: EventFunction<T, Out>, options: TriggerOptions<NoInfer<Out>> = {}): void {
    trigger(this, fn, options, this.deadLetters());
  }

  /** Lets a consumer write records, and with the access "read-write" read them, as a consumer group of the port's own. */
  bind(consumer: Consumer, port: PortUse): Binding {
    const group = port.access === "read-write" ? userOf(consumer, port.name) : undefined;
    const { connection, dependsOn } = this.#grant(consumer, port.name, [
      ["Topic", this.name, "Write"],
      ...(group === undefined ? [] : this.#reading(group)),
    ]);
    const place = { topic: this.name, ...(group !== undefined && { group }) };
    return { settings: connection.apply((connected) => ({ kafka: connected, ...place })), dependsOn };
  }

  /** Lets a consumer read records as the one consumer group of its name. */
  source(consumer: Consumer): Binding {
    const group = `${consumer.namespace.componentName}.${consumer.name}`;
    const { connection, dependsOn } = this.#grant(consumer, "source", this.#reading(group));
    return {
      settings: connection.apply((connected) => ({ kind: "kafka", kafka: connected, topic: this.name, group })),
      dependsOn,
    };
  }

  #reading(group: string): Permission[] {
    return [
      ["Topic", this.name, "Read"],
      ["Group", group, "Read"],
    ];
  }

  /** One user for one port of a consumer, with what it may do. */
  #grant(consumer: Consumer, port: string, permissions: readonly Permission[]) {
    const { inside, account, reach } = this.#server;
    const ready = [...reach(consumer), ...(this.nodes.topic ? [this.nodes.topic] : [])];
    if (account || !inside) return { connection: this.#connection(account), dependsOn: ready };

    const { parent } = consumer;
    const edge = `${consumer.name}-to-${this.#server.componentName}-${port}`;
    const username = userOf(consumer, port);
    const { result: password } = new random.RandomPassword(edge, { length: 32, special: false }, { parent });
    const options = { ...inside, parent };
    const user = new kafka.UserScramCredential(edge, { username, password, scramMechanism: "SCRAM-SHA-512" }, options);
    const rules = permissions.map(
      ([type, name, operation]) =>
        new kafka.Acl(
          `${edge}-${type}-${operation}`.toLowerCase(),
          {
            aclPrincipal: `User:${username}`,
            aclHost: "*",
            aclOperation: operation,
            aclPermissionType: "Allow",
            aclResourceType: type,
            aclResourceName: name,
          },
          options,
        ),
    );
    return { connection: this.#connection({ username, password }), dependsOn: [...ready, user, ...rules] };
  }

  #connection(account: Credentials | undefined): pulumi.Output<KafkaConnection> {
    const { bootstrap, ca } = this.#server;
    return pulumi.secret({ bootstrap, ...account, ...(ca !== undefined && { ca }) }) as pulumi.Output<KafkaConnection>;
  }
}
