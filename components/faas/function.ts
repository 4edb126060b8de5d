import * as pulumi from "@pulumi/pulumi";
import type { FunctionAddress } from "../../functions/kit/batch.ts";
import type { Contract, EventContract, Ports, RequestContract } from "../../functions/kit/contract.ts";
import type { Service } from "../../functions/kit/ports.ts";
import type { Bindable, Binding, Consumer } from "../core/binding.ts";
import { Component } from "../core/component.ts";
import { selector } from "../core/labels.ts";
import type { Namespace } from "../core/namespace.ts";
import { allow } from "../core/network.ts";
import type { PlannedFunction } from "./plan.ts";
import type {
  Backend,
  Deployed,
  FaasProvider,
  Front,
  FunctionPlan,
  Host,
  RequestTrigger,
  Trigger,
} from "./provider.ts";

interface FunctionArgs {
  readonly provider: FaasProvider;
  readonly host: Host;
  /** What the provider needs to be there first. */
  readonly installed: readonly pulumi.Resource[];
  readonly plan: PlannedFunction;
  // biome-ignore lint/suspicious/noExplicitAny: whatever client the contract asks for; `Faas.fn` has checked it
  readonly ports: Readonly<Record<string, Bindable<any>>>;
}

/** A deployed function. `Faas.fn` makes it. */
abstract class DeployedFunction extends Component {
  readonly nodes: { readonly function: pulumi.Resource };
  /** Where it runs. */
  readonly namespace: Namespace;
  /** How long one call may take, which can hold a batch of events. */
  readonly timeoutSeconds: number;
  protected readonly deployed: Deployed;
  readonly #provider: FaasProvider;
  readonly #host: Host;
  readonly #plan: FunctionPlan;

  constructor(contract: Contract, args: FunctionArgs, opts: pulumi.ComponentResourceOptions) {
    super("fivefold:faas:Function", contract.name, opts);
    const { name } = contract;
    const { provider, host } = args;
    const consumer: Consumer = { name, namespace: host.namespace, parent: this, podLabels: selector("function", name) };
    const bindings = bindPorts(contract.needs, args.ports, consumer);
    this.namespace = host.namespace;
    this.timeoutSeconds = args.plan.timeoutSeconds;
    this.#provider = provider;
    this.#host = host;
    this.#plan = {
      name,
      on: contract.on,
      consumer,
      bundle: args.plan.bundle,
      timeoutSeconds: args.plan.timeoutSeconds,
      scale: args.plan.scale,
      settings: mapValues(bindings, ({ settings }) => settings),
      dependsOn: [...args.installed, ...Object.values(bindings).flatMap(({ dependsOn }) => dependsOn)],
    };
    this.deployed = provider.deploy(host, this.#plan);
    this.nodes = { function: this.deployed.resource };
    this.registerOutputs({});
  }

  /** For `Faas.http` and `Faas.schedule`. */
  attach(trigger: Trigger): void {
    this.#provider.attach(this.#host, this.#plan, this.deployed, trigger);
  }

  /** For `Gateway.route`. */
  serve(trigger: RequestTrigger, front: Front): Backend {
    return this.#provider.serve(this.#host, this.#plan, this.deployed, trigger, front);
  }
}

/** A deployed function of events: something to trigger, or to fill another function's `service` port with. */
export class EventFunction<In, Out> extends DeployedFunction implements Bindable<Service<In, Out>> {
  // biome-ignore lint/suspicious/noExplicitAny: its ports are filled
  readonly contract: EventContract<any, any, any>;
  declare readonly client?: () => Service<In, Out>;

  // biome-ignore lint/suspicious/noExplicitAny: its ports are being filled
  constructor(contract: EventContract<any, any, any>, args: FunctionArgs, opts: pulumi.ComponentResourceOptions) {
    super(contract, args, opts);
    this.contract = contract;
  }

  /** Lets a consumer call this function. */
  bind(consumer: Consumer): Binding {
    const rules = allow(consumer, this.deployed.server(consumer));
    return {
      settings: pulumi.secret(pulumi.output<FunctionAddress>(this.deployed.address)),
      dependsOn: [this.deployed.resource, ...rules],
    };
  }
}

/** A deployed function of HTTP requests. */
export class RequestFunction extends DeployedFunction {
  // biome-ignore lint/suspicious/noExplicitAny: its ports are filled
  readonly contract: RequestContract<any, any, any>;

  // biome-ignore lint/suspicious/noExplicitAny: its ports are being filled
  constructor(contract: RequestContract<any, any, any>, args: FunctionArgs, opts: pulumi.ComponentResourceOptions) {
    super(contract, args, opts);
    this.contract = contract;
  }
}

function bindPorts(needs: Ports, ports: FunctionArgs["ports"], consumer: Consumer): Record<string, Binding> {
  return mapValues(needs, ({ kind, access, encoding }, name) =>
    // The compiler has seen to it that every port is filled.
    (ports[name] as Bindable<unknown>).bind(consumer, { name, kind, access, encoding }),
  );
}

function mapValues<A, B>(record: Readonly<Record<string, A>>, change: (value: A, key: string) => B): Record<string, B> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value, key)]));
}
