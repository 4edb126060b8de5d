import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import type { Access, Documents, Records } from "../../functions/kit/ports.ts";
import type { Schema } from "../../functions/kit/schema.ts";
import type { MongoSpecification } from "../../functions/setup/mongo.ts";
import type { Bindable, Binding, Consumer, PortUse } from "../core/binding.ts";
import { userOf } from "../core/names.ts";
import type { Setup } from "../core/setup.ts";
import type { EventFunction } from "../faas/function.ts";
import { type TriggerOptions, trigger } from "../relay/relay.ts";
import { checkCollection } from "./plan.ts";

/** What the collections of one server need of it. */
export interface MongoServer {
  readonly componentName: string;
  readonly address: {
    /** `host:port` of every member. */
    readonly hosts: readonly pulumi.Input<string>[];
    readonly replicaSet: string;
    readonly database: string;
    readonly authSource: string;
    readonly ca?: pulumi.Input<string>;
  };
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

export interface ChangeOptions<Document, Out> extends TriggerOptions<Out> {
  /** The field of the documents that decides which changes go one after another. */
  readonly key: keyof Document & string;
  /** The topic for changes that the function cannot handle. */
  readonly deadLetters: Bindable<Records<Document>> & { readonly name: string };
}

const roles = { read: "read", write: "readWrite", "read-write": "readWrite" } as const satisfies Record<Access, string>;

/** A collection of documents. */
export class Collection<Document> implements Bindable<Documents<Document>> {
  declare readonly client?: () => Documents<Document>;
  readonly collection: string;
  readonly schema: Schema<Document>;
  readonly #server: MongoServer;

  /** @throws KitError if MongoDB does not allow the name */
  constructor(server: MongoServer, collection: string, schema: Schema<Document>) {
    checkCollection(collection);
    this.collection = collection;
    this.schema = schema;
    this.#server = server;
  }

  bind(consumer: Consumer, port: PortUse): Binding {
    const { address, componentName, ready } = this.#server;
    const reach = this.#server.reach(consumer);
    const place = { ...address, collection: this.collection };
    const { setup, username, password } = this.#server.credentials;
    if (!setup) return { settings: { ...place, username, password }, dependsOn: [...reach, ...ready] };

    const name = userOf(consumer, port.name);
    const edge = `${consumer.name}-to-${componentName}-${port.name}`;
    const { parent } = consumer;
    const { result: own } = new random.RandomPassword(edge, { length: 32, special: false }, { parent });
    const { hosts, replicaSet, database, authSource, ca } = address;
    const specification: pulumi.Output<MongoSpecification> = pulumi.output({
      task: "user" as const,
      server: { hosts: [...hosts], replicaSet, authSource, ca, username, password },
      user: { name, password: own, roles: [{ role: roles[port.access], db: database }] },
    });
    const job = setup.run(edge, specification, { parent, dependsOn: [...ready] });
    return { settings: { ...place, username: name, password: own }, dependsOn: [...reach, job] };
  }

  /** Calls the function with every document that is inserted or changed. */
  triggers<Out>(fn: EventFunction<Document, Out>, options: ChangeOptions<Document, NoInfer<Out>>): void {
    const { key, deadLetters, ...rest } = options;
    const source = {
      kind: "mongo" as const,
      name: this.collection,
      source: (to: Consumer) => this.source(to, { key }),
    };
    trigger(source, fn, rest, deadLetters);
  }

  /**
   * The collection's changes as a source of a relay, which keeps its resume tokens in the same database.
   *
   * @param options.key the field of the documents that decides which changes go one after another
   */
  source(consumer: Consumer, options: { readonly key: keyof Document & string }): Binding {
    const { settings, dependsOn } = this.bind(consumer, {
      name: `${this.collection.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-")}-changes`,
      kind: "documents",
      access: "read-write",
      encoding: "json",
    });
    return {
      settings: pulumi
        .output(settings)
        .apply((known) => ({ kind: "mongo" as const, ...known, key: options.key, tokens: consumer.name })),
      dependsOn,
    };
  }
}
