import * as k8s from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";
import type { Binding, Consumer, PortUse } from "../core/binding.ts";
import { bundle } from "../core/bundle.ts";
import { Component, type Transform } from "../core/component.ts";
import { labels, selector } from "../core/labels.ts";
import type { Namespace } from "../core/namespace.ts";
import { restrictedPodSpec } from "../core/pods.ts";
import { jobTemplate, programContainer, programMap, programVolume } from "../core/program.ts";
import { mountSettings, settingsVolume } from "../core/settings.ts";

export interface VerifierArgs {
  readonly namespace: Namespace;
  /** The program that plays the simulated users and accounts for every event; in `functions/<architecture>`. */
  readonly program: URL;
  /** What it looks at or sends to, by the names under which the program reads its settings. */
  readonly ports: Readonly<Record<string, Verified>>;
  readonly transform?: { readonly cronJob?: Transform<k8s.batch.v1.CronJobArgs> };
}

/** Something that the verifier can see or use. */
export interface Verified {
  /** Address, credential and network rules for the verifier. */
  verify(consumer: Consumer): Binding;
}

/**
 * What `npm run verify` runs in the cluster: a CronJob that is suspended for good, as the template of its Jobs, with
 * credentials that can only look, and send what a user could send.
 */
export class Verifier extends Component {
  readonly nodes: { readonly cronJob: k8s.batch.v1.CronJob };

  constructor(name: string, args: VerifierArgs, opts?: pulumi.ComponentResourceOptions) {
    super("fivefold:verifier:Verifier", name, opts);
    const { namespace } = args;
    const podLabels = selector("verifier", name);
    const consumer: Consumer = { name, namespace, parent: this, podLabels };
    const bindings = Object.entries(args.ports).map(
      ([port, verified]) => [port, verified.verify({ ...consumer, name: `${name}-${port}` })] as const,
    );
    const meta = { namespace: namespace.metadataName, labels: labels("verifier", name) };
    const settings = mountSettings(
      consumer,
      Object.fromEntries(bindings.map(([port, { settings }]) => [port, settings])),
      meta.labels,
    );
    const program = programMap(consumer, bundle(args.program));
    const { volume, mount } = settingsVolume(consumer, settings);
    const container = programContainer("verify");
    const cronJob = this.child(
      k8s.batch.v1.CronJob,
      "",
      {
        metadata: { ...meta, name },
        spec: jobTemplate(
          { ...meta.labels, ...podLabels },
          {
            ...restrictedPodSpec(1000),
            containers: [
              {
                ...container,
                // It holds what it sent, and then all that it finds of it: about 5 KiB for each event.
                resources: { requests: { cpu: "50m", memory: "256Mi" }, limits: { memory: "4Gi" } },
                env: [{ name: "NODE_OPTIONS", value: "--max-old-space-size=3584" }],
                volumeMounts: [...container.volumeMounts, mount],
              },
            ],
            volumes: [programVolume(program.metadata.name), volume],
          },
        ),
      },
      args.transform?.cronJob,
      { dependsOn: bindings.flatMap(([, { dependsOn }]) => [...dependsOn]) },
    );
    this.nodes = { cronJob };
    this.registerOutputs({});
  }
}

/** A store, for looking only. */
export function look(at: { bind(consumer: Consumer, port: PortUse): Binding }): Verified {
  return { verify: (consumer) => at.bind(consumer, { name: "look", kind: "rows", access: "read", encoding: "json" }) };
}

/** A topic, for reading on. */
export function follow(topic: { source(consumer: Consumer): Binding }): Verified {
  return { verify: (consumer) => topic.source(consumer) };
}
