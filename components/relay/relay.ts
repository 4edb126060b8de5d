import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { FunctionAddress } from "../../functions/kit/batch.ts";
import type { Access, Records } from "../../functions/kit/ports.ts";
import { encodingOf, type Schema } from "../../functions/kit/schema.ts";
import type { RelaySettings } from "../../functions/relay/settings.ts";
import type { Bindable, Binding, Consumer, PortUse } from "../core/binding.ts";
import { bundle } from "../core/bundle.ts";
import { Component, type Transform } from "../core/component.ts";
import { componentLabel, labels, selector } from "../core/labels.ts";
import type { Namespace } from "../core/namespace.ts";
import { programMap } from "../core/program.ts";
import { mountSettings } from "../core/settings.ts";
import type { EventFunction } from "../faas/function.ts";
import { planDeployment, planRelay, planReplay, type RelayOptions, type SourceKind } from "./plan.ts";

/** Something that events come from. */
export interface Source {
  readonly kind: SourceKind;
  /** For the relay's name: the topic, the collection. */
  readonly name: string;
  /** Address, credential and network rules for the relay; the settings are `source` of `functions/relay/settings.ts`. */
  source(consumer: Consumer): Binding;
}

/** A topic to write to. `never`, because what is written was checked where it came from. */
type Sink = Bindable<Records<never>>;

/** A topic or stream for what cannot be delivered; `npm run replay` finds it by its name. */
export interface DeadLetters {
  readonly name: string;
  bind(consumer: Consumer, port: PortUse): Binding;
}

/** Where events go. */
export type Target =
  | {
      // biome-ignore lint/suspicious/noExplicitAny: the verb that makes the relay has checked the types
      readonly function: EventFunction<any, any>;
      /** For what the function answers. */
      readonly into?: (Sink & { readonly schema: Schema<unknown> }) | undefined;
    }
  | { readonly topic: Sink & { readonly name: string } };

/** How a function is triggered. */
export interface TriggerOptions<Out> extends RelayOptions {
  /** The topic for what the function answers.
   *  @default - what it answers is dropped */
  readonly into?: (Bindable<Records<Out>> & { readonly schema: Schema<unknown> }) | undefined;
}

export interface RelayArgs extends RelayOptions {
  readonly namespace: Namespace;
  readonly source: Source;
  readonly target: Target;
  /** For what cannot be delivered. Left out: it is tried for ever, and holds up its key. */
  readonly deadLetters?: DeadLetters | undefined;
  readonly transform?:
    | {
        readonly deployment?: Transform<k8s.apps.v1.DeploymentArgs>;
        readonly replay?: Transform<k8s.batch.v1.CronJobArgs>;
      }
    | undefined;
}

/**
 * Carries events from a source to a function or a topic: at least once, in order for each key, and lets go of an event
 * only when it is delivered or a dead letter.
 */
export class Relay extends Component {
  readonly nodes: {
    readonly deployment: k8s.apps.v1.Deployment;
    /** Where there are dead letters: the template of what sends them again. */
    readonly replay: k8s.batch.v1.CronJob | undefined;
  };

  /** @throws KitError naming every problem of the settings */
  constructor(name: string, args: RelayArgs, opts?: pulumi.ComponentResourceOptions) {
    const plan = planRelay(name, args);
    super("fivefold:relay:Relay", name, opts);
    const { namespace, source, deadLetters } = args;
    const consumer: Consumer = { name, namespace, parent: this, podLabels: selector("relay", name) };
    const from = source.source(consumer);
    const to = bindTarget(consumer, args.target);
    const dead = deadLetters && bindTopic(consumer, "dead-letters", deadLetters, "read-write");
    const relay = pulumi.all([from.settings, to.settings, dead?.settings]).apply(([from, to, dead]) => ({
      source: from as RelaySettings["source"],
      ...(to as Pick<RelaySettings, "target" | "into">),
      ...(dead && { deadLetters: dead as NonNullable<RelaySettings["deadLetters"]> }),
      retries: plan.retries,
    }));
    const meta = { labels: labels("relay", name), namespace: namespace.metadataName };
    const settings = mountSettings(consumer, { relay }, meta.labels);
    const programOf = (main: string) => programMap(consumer, bundle(new URL(main, import.meta.url)));
    const dependsOn = [from, to, dead].flatMap((binding) => [...(binding?.dependsOn ?? [])]);
    const program = programOf("../../functions/relay/main.ts");
    const deployment = this.child(
      k8s.apps.v1.Deployment,
      "",
      { metadata: { ...meta, name }, spec: planDeployment({ consumer, program, settings }, source.kind) },
      args.transform?.deployment,
      { dependsOn },
    );
    const replay =
      deadLetters &&
      this.child(
        k8s.batch.v1.CronJob,
        "replay",
        {
          metadata: {
            ...meta,
            name: `${name}-replay`,
            labels: { ...meta.labels, [componentLabel]: "replay" },
            annotations: { "fivefold/dead-letters": deadLetters.name },
          },
          spec: planReplay({ consumer, program: programOf("../../functions/relay/replay.main.ts"), settings }),
        },
        args.transform?.replay,
        { dependsOn },
      );
    this.nodes = { deployment, replay };
    this.registerOutputs({});
  }
}

function bindTarget(consumer: Consumer, target: Target): Binding {
  if ("topic" in target) {
    const { settings, dependsOn } = bindTopic(consumer, "target", target.topic);
    return {
      settings: pulumi.output(settings).apply((topic) => ({ target: { kind: "topic", ...topic } })),
      dependsOn,
    };
  }
  const called = target.function.bind(consumer);
  const into = target.into && bindTopic(consumer, "into", target.into);
  const encoding = target.into && encodingOf(target.into.schema);
  const timeoutMilliseconds = target.function.timeoutSeconds * 1000;
  return {
    settings: pulumi.all([called.settings, into?.settings]).apply(([address, topic]) => ({
      target: { kind: "function", address: address as FunctionAddress, timeoutMilliseconds },
      ...(topic && { into: { ...topic, encoding } }),
    })),
    dependsOn: [...called.dependsOn, ...(into?.dependsOn ?? [])],
  };
}

function bindTopic(
  consumer: Consumer,
  name: string,
  topic: Pick<DeadLetters, "bind">,
  access: Access = "write",
): Binding {
  return topic.bind(consumer, { name, kind: "records", access, encoding: "json" });
}

/** The relay of a trigger: it belongs to the function and lives beside it. */
export function trigger<Out>(
  source: Source,
  // biome-ignore lint/suspicious/noExplicitAny: the verb that makes the relay has checked the types
  fn: EventFunction<any, Out>,
  { into, ...options }: TriggerOptions<Out>,
  deadLetters: DeadLetters,
): void {
  const name = `${source.name.replaceAll(/[^a-z0-9]+/g, "-")}-to-${fn.contract.name}`;
  const target = { function: fn, into };
  new Relay(name, { namespace: fn.namespace, source, target, deadLetters, ...options }, { parent: fn });
}
