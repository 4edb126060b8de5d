import type * as pulumi from "@pulumi/pulumi";
import type { Contract, EventContract, In, Out, Ports, RequestContract } from "../../functions/kit/contract.ts";
import type { ClientOf } from "../../functions/kit/ports.ts";
import type { Bindable, Binding, Consumer } from "../core/binding.ts";
import { Component } from "../core/component.ts";
import type { Reachable } from "../core/given.ts";
import type { Namespace } from "../core/namespace.ts";
import { allow } from "../core/network.ts";
import { EventFunction, RequestFunction } from "./function.ts";
import { type FunctionOptions, planFunction, planRoute, planSchedule, type Route, type Schedule } from "./plan.ts";
import type { FaasProvider, Host } from "./provider.ts";

export interface FaasArgs {
  readonly namespace: Namespace;
  /** What runs the functions, for example `fission()` or `deployments()`. */
  readonly provider: FaasProvider;
}

/** What fills each port of a contract. */
export type PortsOf<C> = C extends { readonly needs: infer Needs extends Ports }
  ? { readonly [Name in keyof Needs]: Bindable<ClientOf<Needs[Name]>> }
  : never;

type PortArguments<C> = keyof PortsOf<C> extends never
  ? [ports?: Record<never, never>, options?: FunctionOptions]
  : [ports: PortsOf<C>, options?: FunctionOptions];

/** Functions that share a namespace and a provider. */
export class Faas extends Component {
  readonly #provider: FaasProvider;
  readonly #host: Host;
  readonly #installed: readonly pulumi.Resource[];

  constructor(name: string, args: FaasArgs, opts?: pulumi.ComponentResourceOptions) {
    super("fivefold:faas:Faas", name, opts);
    this.#provider = args.provider;
    this.#host = { name, namespace: args.namespace, resource: this };
    this.#installed = args.provider.install(this.#host);
    this.registerOutputs({});
  }

  /**
   * Deploys a function, with each of its ports filled.
   *
   * @throws KitError before anything of it is created, if its bundle does not build or is too large for the provider
   */
  // biome-ignore lint/suspicious/noExplicitAny: whatever the contract's types are
  fn<C extends EventContract<any, any, any>>(contract: C, ...rest: PortArguments<C>): EventFunction<In<C>, Out<C>>;
  // biome-ignore lint/suspicious/noExplicitAny: whatever the contract's types are
  fn<C extends RequestContract<any, any, any>>(contract: C, ...rest: PortArguments<C>): RequestFunction;
  fn(contract: Contract, ports = {}, options: FunctionOptions = {}): EventFunction<unknown, unknown> | RequestFunction {
    const plan = planFunction(contract, this.#provider, options);
    const args = { provider: this.#provider, host: this.#host, installed: this.#installed, plan, ports };
    const opts = { parent: this };
    return contract.on === "event"
      ? new EventFunction(contract, args, opts)
      : new RequestFunction(contract, args, opts);
  }

  /**
   * Calls the function for requests, for example `"POST /readings"` or `"GET /devices/:device"`.
   *
   * @throws KitError if the route is none or the provider serves no requests
   */
  http(route: Route, fn: RequestFunction): void {
    fn.attach(planRoute(route));
  }

  /**
   * Where a path that was given to `http` is called from within the cluster.
   *
   * @throws KitError if the provider serves no requests there
   */
  url(path: `/${string}`): Reachable & { verify(consumer: Consumer): Binding } {
    const { url, server } = this.#provider.entrance(this.#host, path);
    const reach = (consumer: Consumer) => allow(consumer, server);
    return { url, reach, verify: (consumer) => ({ settings: { url }, dependsOn: reach(consumer) }) };
  }

  /**
   * Calls the function by the clock: `"every 5 minutes"`, or five fields of cron (UTC). The input names the timer.
   *
   * A call that fails is not repeated before the next one is due.
   *
   * @throws KitError if the schedule is none or the provider has no clock
   */
  schedule(when: Schedule, fn: EventFunction<{ timer: string }, unknown>): void {
    fn.attach(planSchedule(when, fn.contract.name));
  }
}
