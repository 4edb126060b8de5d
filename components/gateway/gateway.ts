import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import type { Consumer } from "../core/binding.ts";
import { Certificates } from "../core/certificates.ts";
import { KitError } from "../core/check.ts";
import { Component, type Transform } from "../core/component.ts";
import type { Reachable } from "../core/given.ts";
import { labels } from "../core/labels.ts";
import type { Namespace } from "../core/namespace.ts";
import { allow, allowOut } from "../core/network.ts";
import type { RequestFunction } from "../faas/function.ts";
import { planRoute, type Route } from "../faas/plan.ts";
import type { Backend, Front, RequestTrigger } from "../faas/provider.ts";
import {
  Client,
  type Clients,
  checkClients,
  type KeyedClients,
  keysPolicy,
  type TokensArgs,
  tokensPolicy,
} from "./clients.ts";
import { containerPort } from "./defaults.ts";
import { type GatewaySettings, planGateway, planGatewayRoute, type RouteSettings } from "./plan.ts";
import { type GatewayOutputs, gatewayPlatform } from "./platform.ts";
import {
  apiVersions,
  backendTraffic,
  clientTraffic,
  gatewayApi,
  gatewaySpec,
  type Kind,
  letAnyoneIn,
  letNobodyIn,
  proxySpec,
  ready,
  rewriteFilterSpec,
  routeSpec,
  routeTraffic,
  targetGateway,
  targetRoute,
} from "./resources.ts";
import { proxiesOf, proxyPods } from "./rules.ts";

export interface GatewayArgs extends GatewaySettings {
  readonly namespace: Namespace;
  /** A certificate of one's own, in PEM, and the authority that clients verify it by.
   *  @default - one signed by an authority that signs nothing else */
  readonly certificate?: {
    readonly certificate: pulumi.Input<string>;
    readonly key: pulumi.Input<string>;
    readonly ca: pulumi.Input<string>;
  };
  /** The controller that runs it.
   *  @default - that of the stack `platform`, see `gatewayPlatform()` */
  readonly platform?: GatewayOutputs;
  readonly transform?: {
    readonly gateway?: Transform<ObjectArgs>;
    readonly proxy?: Transform<ObjectArgs>;
    readonly route?: Transform<ObjectArgs>;
  };
}

export interface RouteOptions extends RouteSettings {
  /** Who may call: clients of this gateway, or `"anyone"`. Others are answered with 401. */
  readonly clients: Clients | "anyone";
}

/** A custom resource. */
export interface ObjectArgs {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace: pulumi.Input<string>; annotations?: Record<string, string> };
  spec: object;
}

/** Most that the proxies may take to become ready. */
const customTimeouts = { create: "5m", update: "5m", delete: "5m" };

/**
 * Where clients call functions: HTTPS, a key or a token for each client, limits, and nothing that no route names.
 *
 * What it refuses it answers itself, without a function: 401 for whom it does not know, 429 over the limit, 413 for too
 * much, 404 for what is no route. Functions learn from the header `x-client` who calls.
 */
export class Gateway extends Component implements Reachable {
  readonly nodes: { readonly gateway: k8s.apiextensions.CustomResource };
  /** Where clients in the cluster call it. */
  readonly url: pulumi.Output<string>;
  /** What clients verify it by, in PEM. */
  readonly ca: pulumi.Output<string>;
  readonly #namespace: Namespace;
  readonly #transform: NonNullable<GatewayArgs["transform"]>;
  readonly #front: Front;
  /** The proxies, as callers of functions. */
  readonly #proxies: Consumer;
  readonly #clients = new Map<string, Client>();
  readonly #backends = new Map<string, Backend>();
  readonly #rules = new Map<string, readonly pulumi.Resource[]>();
  readonly #routes: pulumi.Resource[] = [];

  /** @throws KitError naming every problem of the settings */
  constructor(name: string, args: GatewayArgs, opts?: pulumi.ComponentResourceOptions) {
    const { namespace: home, certificate, platform, transform = {}, ...settings } = args;
    const plan = planGateway(name, settings);
    super("fivefold:gateway:Gateway", name, opts);
    const namespace = home.metadataName;
    const host = pulumi.interpolate`${name}.${namespace}.svc`;
    const controller = platform ?? gatewayPlatform();
    this.#namespace = home;
    this.#transform = transform;
    this.#proxies = { name, namespace: home, parent: this, podLabels: proxiesOf(name) };
    const own = certificate ?? new Certificates(name, { hosts: ["localhost", host, ...plan.hosts] }, { parent: this });
    // Without a fixed name: another certificate is there before the listener lets go of this one.
    const tls = this.child(k8s.core.v1.Secret, "certificate", {
      metadata: { namespace, labels: labels("gateway", name) },
      type: "kubernetes.io/tls",
      stringData: { "tls.crt": own.certificate, "tls.key": own.key },
    });
    const rules = this.child(k8s.networking.v1.NetworkPolicy, "proxies", {
      metadata: { name: `${name}-proxies`, namespace },
      spec: proxyPods(name, containerPort, controller.namespace),
    });
    const targetRefs = targetGateway(name);
    const gateway = this.#object("", "Gateway", name, gatewaySpec(name, controller.className, tls.metadata.name), {
      ready: ready.gateway,
      change: transform.gateway,
      dependsOn: [
        rules,
        this.#object("proxies", "EnvoyProxy", name, proxySpec(plan), { change: transform.proxy }),
        this.#object("requests", "ClientTrafficPolicy", name, { targetRefs, ...clientTraffic(plan) }),
        this.#object("traffic", "BackendTrafficPolicy", name, { targetRefs, ...backendTraffic }),
        this.#object("nobody", "SecurityPolicy", name, { targetRefs, ...letNobodyIn }),
      ],
    });
    const secret = this.child(random.RandomPassword, "host", { length: 32, special: false, upper: false });
    this.#front = { name, host: secret.result };
    this.nodes = { gateway };
    this.url = pulumi.interpolate`https://${host}`;
    this.ca = pulumi.output(own.ca);
    this.registerOutputs({ url: this.url });
  }

  /**
   * Clients with a key each, which they send in the header `x-api-key`. A client that is named again has the same key.
   *
   * Each key lies in a Secret of its own, which is labelled `app.kubernetes.io/instance=<gateway>-key-<client>`.
   *
   * @throws KitError naming every problem
   */
  keys<const Name extends string>(...clients: readonly [Name, ...Name[]]): KeyedClients<Name> {
    checkClients(this.componentName, clients);
    const made = clients.map((client) => this.#client(client));
    const dependsOn = made.map(({ nodes }) => nodes.secret);
    const keys = Object.fromEntries(made.map(({ client, key }) => [client, key])) as KeyedClients<Name>["keys"];
    return { gateway: this.componentName, keys, policy: keysPolicy(made), dependsOn };
  }

  /**
   * Clients with a token (JWT) that someone else has signed for them, which they send as `Authorization: Bearer`.
   *
   * @throws KitError naming every problem
   */
  tokens(args: TokensArgs): Clients {
    const policy = tokensPolicy(this.componentName, args);
    const isRemote = typeof args.keys === "string";
    // Another set of keys may lie elsewhere, but on the same port.
    const dependsOn = isRemote ? this.#once("issuer", () => allowOut(this.#proxies, "issuer", 443)) : [];
    return { gateway: this.componentName, policy, dependsOn };
  }

  /**
   * Leads requests to a function, for example `"POST /payments/shop"` or `"GET /devices/:device"`.
   *
   * The function is called by this way alone: its provider opens no route that others know.
   *
   * @throws KitError naming every problem of the route
   */
  route(route: Route, fn: RequestFunction, options: RouteOptions): void {
    const { clients, ...settings } = options;
    const source = planRoute(route);
    const target = planRoute(settings.to === undefined ? route : `${source.method} ${settings.to}`);
    const plan = planGatewayRoute(this.componentName, source, settings, target);
    if (clients !== "anyone" && clients.gateway !== this.componentName) {
      throw new KitError(`Route "${route}" of Gateway "${this.componentName}"`, [
        `clients: they are those of the gateway "${clients.gateway}"`,
      ]);
    }
    const name = `${this.componentName}-${plan.name}`;
    const backend = this.#backend(fn, target);
    const dependsOn = [this.nodes.gateway, ...backend.dependsOn, ...this.#reach(backend)];
    if (plan.rewrite && "pattern" in plan.rewrite)
      dependsOn.push(this.#object(`${plan.name}-path`, "HTTPRouteFilter", name, rewriteFilterSpec(plan.rewrite)));
    const spec = routeSpec(this.componentName, plan, settings, backend, fn.timeoutSeconds);
    const change = this.#transform.route;
    const made = this.#object(plan.name, "HTTPRoute", name, spec, { ready: ready.route, dependsOn, change });
    // Until it has both, the route lets nobody in.
    const targetRefs = targetRoute(name);
    const traffic = { targetRefs, ...routeTraffic(plan, clients !== "anyone") };
    const limited = this.#object(`${plan.name}-traffic`, "BackendTrafficPolicy", name, traffic, {
      ready: ready.policy,
      dependsOn: [made],
    });
    const access = { targetRefs, ...(clients === "anyone" ? letAnyoneIn : clients.policy) };
    const open = this.#object(`${plan.name}-clients`, "SecurityPolicy", name, access, {
      ready: ready.policy,
      dependsOn: [limited, ...(clients === "anyone" ? [] : clients.dependsOn)],
    });
    this.#routes.push(open);
  }

  /** Lets a consumer in the cluster call the gateway, once its routes are there. */
  reach(consumer: Consumer): readonly pulumi.Resource[] {
    const { name, namespace, podLabels } = this.#proxies;
    const server = { name, namespace: namespace.metadataName, podLabels, port: containerPort };
    return [...allow(consumer, server), ...this.#routes];
  }

  #client(name: string): Client {
    const known =
      this.#clients.get(name) ?? new Client(this.componentName, name, this.#namespace.metadataName, { parent: this });
    this.#clients.set(name, known);
    return known;
  }

  /** Several routes may lead to one path of a function. */
  #backend(fn: RequestFunction, target: RequestTrigger): Backend {
    const key = `${fn.namespace.componentName}/${fn.contract.name} ${target.method} ${target.path}`;
    const known = this.#backends.get(key) ?? fn.serve(target, this.#front);
    this.#backends.set(key, known);
    return known;
  }

  /** Lets the proxies go to the pods, and the routes name the service, of functions. */
  #reach({ server, service }: Backend): readonly pulumi.Resource[] {
    const namespace = this.#namespace.metadataName;
    return this.#once(server.name, () => {
      const spec = {
        from: [{ group: gatewayApi, kind: "HTTPRoute", namespace }],
        to: [{ group: "", kind: "Service", name: service.name }],
      };
      const metadata = { name: `${this.#namespace.componentName}-${this.componentName}`, namespace: service.namespace };
      const args = { apiVersion: apiVersions.ReferenceGrant, kind: "ReferenceGrant", metadata, spec };
      const grant = this.child(k8s.apiextensions.CustomResource, `to-${server.name}`, args);
      return [...allow(this.#proxies, server), grant];
    });
  }

  #once(key: string, make: () => readonly pulumi.Resource[]): readonly pulumi.Resource[] {
    const known = this.#rules.get(key) ?? make();
    this.#rules.set(key, known);
    return known;
  }

  #object(suffix: string, kind: Kind, name: string, spec: object, more: ObjectOptions = {}) {
    const namespace = this.#namespace.metadataName;
    const metadata = { name, namespace, ...(more.ready && { annotations: more.ready }) };
    const args: ObjectArgs = { apiVersion: apiVersions[kind], kind, metadata, spec };
    const opts = { customTimeouts, ...(more.dependsOn && { dependsOn: [...more.dependsOn] }) };
    return this.child(k8s.apiextensions.CustomResource, suffix, args, more.change as never, opts);
  }
}

interface ObjectOptions {
  readonly ready?: Record<string, string>;
  readonly dependsOn?: readonly pulumi.Resource[];
  readonly change?: Transform<ObjectArgs> | undefined;
}
