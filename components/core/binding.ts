/** One edge of the wiring: address, credential and network permission of a consumer, made together. */
import type * as pulumi from "@pulumi/pulumi";
import type { Access, Kind } from "../../functions/kit/ports.ts";
import type { Encoding } from "../../functions/kit/schema.ts";
import type { Namespace } from "./namespace.ts";

/** A workload that uses other things: a function, a relay, the verifier. */
export interface Consumer {
  /** Unique in its namespace; users and secrets are named after it. */
  readonly name: string;
  readonly namespace: Namespace;
  /** Parent of the resources that a binding creates. */
  readonly parent: pulumi.Resource;
  /** Select its pods, for NetworkPolicies. */
  readonly podLabels: Readonly<Record<string, string>>;
}

export interface PortUse {
  /** The port's name in the function, for names of resources and messages. */
  readonly name: string;
  readonly kind: Kind;
  readonly access: Access;
  readonly encoding: Encoding;
}

export interface Binding {
  /** What `functions/kit/clients/<kind>.ts` needs to connect; becomes a file in a Secret mounted by the consumer. */
  readonly settings: pulumi.Input<object>;
  /** What must exist before the consumer starts: users, ACLs, network rules. */
  readonly dependsOn: readonly pulumi.Resource[];
}

/** Something that a port can be filled with. */
export interface Bindable<out Client> {
  /** Phantom: the client that a function gets. */
  readonly client?: () => Client;
  bind(consumer: Consumer, port: PortUse): Binding;
}
