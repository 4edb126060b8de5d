import * as pulumi from "@pulumi/pulumi";
import type { Records } from "../../functions/kit/ports.ts";
import type { Bindable, Binding, Consumer } from "../core/binding.ts";
import type { Namespace } from "../core/namespace.ts";
import { Relay, type Source } from "../relay/relay.ts";
import { topics } from "./defaults.ts";

/** What the topics of one gateway need of it. */
export interface GatewayServer {
  readonly name: string;
  readonly namespace: Namespace;
  /** Parent of its relays. */
  readonly parent: pulumi.Resource;
  readonly url: pulumi.Output<string>;
  readonly ca: pulumi.Output<string>;
  /** A user of its own for one more reader.
   *  @throws KitError where there are no more */
  reader(): { readonly username: string; readonly password: pulumi.Output<string> };
  /** Network rules for one consumer. */
  reach(consumer: Consumer): readonly pulumi.Resource[];
}

/** What devices publish to one gateway. `MqttGateway.topic` makes it. */
export class MqttTopic implements Source {
  readonly kind = "mqtt";
  /** The gateway's. */
  readonly name: string;
  readonly filter: string;
  readonly #server: GatewayServer;

  constructor(server: GatewayServer, filter: string) {
    this.name = server.name;
    this.filter = filter;
    this.#server = server;
  }

  /** Carries every message into a topic, byte for byte, with the device as its key. */
  into(topic: Bindable<Records<string>> & { readonly name: string }): void {
    const { name, namespace, parent } = this.#server;
    const relay = `${name}-to-${topic.name.replaceAll(/[^a-z0-9]+/g, "-")}`;
    new Relay(relay, { namespace, source: this, target: { topic } }, { parent });
  }

  /** Lets a consumer read; the gateway keeps what it has not acknowledged, also while it is away. */
  source(consumer: Consumer): Binding {
    const { url, ca, reach } = this.#server;
    const { username, password } = this.#server.reader();
    const settings = pulumi.secret({
      kind: "mqtt" as const,
      url,
      username,
      password,
      ca,
      filter: this.filter,
      clientId: username,
      keyLevel: topics.keyLevel,
    });
    return { settings, dependsOn: reach(consumer) };
  }
}
