/** What a FaaS platform must do to run the kit's functions. One folder per provider; the suites in `test/` hold for all. */
import type * as pulumi from "@pulumi/pulumi";
import type { FunctionAddress } from "../../functions/kit/batch.ts";
import type { Consumer } from "../core/binding.ts";
import type { Bundle } from "../core/bundle.ts";
import type { Namespace } from "../core/namespace.ts";
import type { Server } from "../core/network.ts";

export type Method = "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";

/** What calls a function from outside the wiring of stores and topics. */
export type Trigger =
  | RequestTrigger
  /** `cron` has five fields. */
  | { readonly on: "time"; readonly name: string; readonly cron: string };

/** `:name` in the path stands for one segment. */
export interface RequestTrigger {
  readonly on: "request";
  readonly method: Method;
  readonly path: `/${string}`;
}

export interface FunctionPlan {
  readonly name: string;
  readonly on: "event" | "request";
  /** The function's parent, namespace and pod labels; its pods must carry these labels. */
  readonly consumer: Consumer;
  readonly bundle: Bundle;
  /** How long one request may take, which can hold a batch of events. */
  readonly timeoutSeconds: number;
  /** Least and most replicas. */
  readonly scale: Scale;
  /** Settings of the ports, for `mountSettings`. */
  readonly settings: Readonly<Record<string, pulumi.Input<object>>>;
  /** What must be there before the function starts. */
  readonly dependsOn: readonly pulumi.Resource[];
}

export interface Scale {
  readonly min: number;
  readonly max: number;
}

export interface Deployed {
  /** Where the function answers batches, and the credential for it. */
  readonly address: pulumi.Input<FunctionAddress>;
  /** The pods behind that address. */
  readonly server: (caller: Consumer) => Server;
  /** The function itself: what its triggers and callers depend on. */
  readonly resource: pulumi.Resource;
}

/** Where functions of requests are called, from within the cluster. */
export interface Entrance {
  readonly url: pulumi.Input<string>;
  readonly server: Server;
}

/** Where a gateway leads the requests for a function. */
export interface Backend {
  readonly service: {
    readonly name: string;
    readonly namespace: pulumi.Input<string>;
    readonly port: number;
  };
  /** What the header `Host` must say. */
  readonly host?: pulumi.Input<string>;
  /** The pods behind the service. */
  readonly server: Server;
  /** What must be there before the first request. */
  readonly dependsOn: readonly pulumi.Resource[];
}

/** A gateway, as the functions behind it know it. */
export interface Front {
  readonly name: string;
  /** A host name that nobody else can guess. */
  readonly host: pulumi.Input<string>;
}

export interface FaasProvider {
  /** For messages. */
  readonly name: string;
  /** Module of `functions/kit/adapters` that is wrapped around the handler. */
  readonly adapter: string;
  readonly limits: {
    /** Most bytes of the packed code. */
    readonly inlineBytes: number;
  };
  /** The code as this provider ships it, of which `limits` speaks. */
  pack(bundle: Bundle): Uint8Array;
  /** What all functions of one `Faas` share. Answers what they depend on. */
  install(host: Host): readonly pulumi.Resource[];
  deploy(host: Host, plan: FunctionPlan): Deployed;
  /**
   * Where the path of a `request` trigger is called.
   *
   * @throws KitError if this provider serves no requests
   */
  entrance(host: Host, path: string): Entrance;
  /** @throws KitError naming provider and trigger if it cannot be honoured */
  attach(host: Host, plan: FunctionPlan, deployed: Deployed, trigger: Trigger): void;
  /**
   * Lets a gateway call a function of requests, and nobody else.
   *
   * @throws KitError naming provider and trigger if it cannot be honoured
   */
  serve(host: Host, plan: FunctionPlan, deployed: Deployed, trigger: RequestTrigger, front: Front): Backend;
}

/** The `Faas` that functions belong to. */
export interface Host {
  readonly name: string;
  readonly namespace: Namespace;
  readonly resource: pulumi.Resource;
}
