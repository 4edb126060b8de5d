import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import type { Grid } from "../../functions/kit/ports.ts";
import type { Schema } from "../../functions/kit/schema.ts";
import type { Part, RedisSpecification } from "../../functions/setup/redis.ts";
import type { Bindable, Binding, Consumer, PortUse } from "../core/binding.ts";
import { userOf } from "../core/names.ts";
import type { Setup } from "../core/setup.ts";
import type { EventFunction } from "../faas/function.ts";
import { type DeadLetters, type TriggerOptions, trigger } from "../relay/relay.ts";
import type { MapPlan } from "./plan.ts";

/** What the maps of one server need of it. */
export interface RedisServer {
  readonly componentName: string;
  /** Of the primary. */
  readonly address: {
    readonly host: pulumi.Input<string>;
    readonly port: number;
    readonly ca?: pulumi.Input<string>;
  };
  /** Host names of all members: each keeps users of its own. */
  readonly members: readonly pulumi.Input<string>[];
  /** Whoever makes users, or the account that all consumers share. */
  readonly credentials: Credentials & { readonly setup?: Setup };
  readonly ready: readonly pulumi.Resource[];
  /** Network rules for one consumer. */
  reach(consumer: Consumer): readonly pulumi.Resource[];
}

export interface Credentials {
  readonly username: pulumi.Input<string>;
  readonly password: pulumi.Input<string>;
}

export interface WriteOptions<Value, Out> extends TriggerOptions<Out> {
  /** Only values that have these fields.
   *  @default - all */
  readonly when?: { readonly [Field in keyof Value & string]?: Value[Field] & string };
}

/** A map of a data grid: values under keys, and a stream with an entry for every write. */
export class GridMap<Value> implements Bindable<Grid<Value>> {
  declare readonly client?: () => Grid<Value>;
  readonly schema: Schema<Value>;
  readonly #server: RedisServer;
  readonly #plan: MapPlan;

  constructor(server: RedisServer, schema: Schema<Value>, plan: MapPlan) {
    this.schema = schema;
    this.#server = server;
    this.#plan = plan;
  }

  bind(consumer: Consumer, port: PortUse): Binding {
    const { name: map, ...times } = this.#plan;
    const part = port.access === "read" ? "values, to read" : "values";
    const { settings, dependsOn } = this.#connect(consumer, port.name, part);
    return { settings: pulumi.output(settings).apply((server) => ({ ...server, map, ...times })), dependsOn };
  }

  /** Calls the function with every value that is written. */
  triggers<Out>(fn: EventFunction<Value, Out>, options: WriteOptions<Value, NoInfer<Out>> = {}): void {
    const { when, ...rest } = options;
    const source = {
      kind: "redis" as const,
      name: this.#plan.name,
      source: (consumer: Consumer) => this.#source(consumer, when),
    };
    trigger(source, fn, rest, this.deadLetters());
  }

  /** The stream for values that a function cannot take. */
  deadLetters(): DeadLetters {
    const stream = `${this.#plan.name}.dead-letters`;
    return {
      name: stream,
      bind: (consumer, port) => {
        const { settings, dependsOn } = this.#connect(consumer, port.name, "dead letters");
        return { settings: pulumi.output(settings).apply((redis) => ({ redis, stream })), dependsOn };
      },
    };
  }

  #source(consumer: Consumer, when: Readonly<Record<string, string | undefined>> | undefined): Binding {
    const { settings, dependsOn } = this.#connect(consumer, `${this.#plan.name}-changes`, "stream");
    const stream = `${this.#plan.name}:changes`;
    const rest = { kind: "redis" as const, stream, group: consumer.name, ...(when && { when }) };
    return { settings: pulumi.output(settings).apply((server) => ({ ...server, ...rest })), dependsOn };
  }

  /** An account for one part of the map. */
  #connect(consumer: Consumer, use: string, part: Part): Binding {
    const { address, componentName, members, ready } = this.#server;
    const reach = this.#server.reach(consumer);
    const { setup, username, password } = this.#server.credentials;
    if (!setup) return { settings: { ...address, username, password }, dependsOn: [...reach, ...ready] };

    const name = userOf(consumer, use);
    const edge = `${consumer.name}-to-${componentName}-${use}`;
    const { parent } = consumer;
    const { result: own } = new random.RandomPassword(edge, { length: 32, special: false }, { parent });
    const { port, ca } = address;
    const specification: pulumi.Output<RedisSpecification> = pulumi.output({
      server: { hosts: [...members], port, ca, username, password },
      user: { name, password: own, map: this.#plan.name, part },
    });
    const job = setup.run(edge, specification, { parent, dependsOn: [...ready] });
    return { settings: { ...address, username: name, password: own }, dependsOn: [...reach, job] };
  }
}
