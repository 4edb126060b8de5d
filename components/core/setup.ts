/** Jobs that bring a server to what the stack says: its replica set, users, buckets, tables. */
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { Consumer } from "./binding.ts";
import { bundle } from "./bundle.ts";
import { Component } from "./component.ts";
import { labels, selector } from "./labels.ts";
import type { Namespace } from "./namespace.ts";
import { restrictedContainer, restrictedPodSpec } from "./pods.ts";
import { images } from "./versions.ts";

export interface SetupArgs {
  readonly namespace: Namespace;
  /** A program in `functions/setup`. It must be idempotent: Kubernetes may run it more than once. */
  readonly program: URL;
}

/** The set-up program of one server. */
export class Setup extends Component {
  /** The Jobs as a consumer of the server, for its network rules. */
  readonly consumer: Consumer;
  readonly #program: k8s.core.v1.ConfigMap;

  constructor(name: string, args: SetupArgs, opts?: pulumi.ComponentResourceOptions) {
    super("fivefold:core:Setup", name, opts);
    this.consumer = { name, namespace: args.namespace, parent: this, podLabels: selector("setup", name) };
    // Without a fixed name Pulumi replaces what it cannot change: a new program or specification makes a new Job.
    this.#program = this.child(k8s.core.v1.ConfigMap, "program", {
      metadata: { namespace: args.namespace.metadataName, labels: labels("setup", name) },
      data: { "program.cjs": bundle(args.program).code },
    });
    this.registerOutputs();
  }

  /**
   * Runs the program with a specification; the Job is done when the server is as specified.
   *
   * @param name of the Job, unique in the stack
   */
  run(name: string, specification: pulumi.Input<object>, opts: pulumi.CustomResourceOptions = {}): k8s.batch.v1.Job {
    const { namespace, podLabels } = this.consumer;
    const options = { parent: this, ...opts };
    const metadata = { namespace: namespace.metadataName, labels: { ...labels("setup", this.componentName) } };
    const secret = new k8s.core.v1.Secret(
      name,
      { metadata, stringData: { "specification.json": pulumi.jsonStringify(specification) } },
      options,
    );
    return new k8s.batch.v1.Job(
      name,
      {
        metadata,
        spec: {
          // The program itself waits for a server that starts. A policy that fails the Job at once would be no gain:
          // Pulumi takes note of no other failure than too many tries.
          backoffLimit: 2,
          template: {
            metadata: { labels: { ...metadata.labels, ...podLabels } },
            spec: {
              restartPolicy: "Never",
              ...restrictedPodSpec(1000),
              containers: [
                {
                  name: "setup",
                  image: images.node,
                  command: ["node", "/program/program.cjs", "/specification/specification.json"],
                  securityContext: restrictedContainer,
                  // What the program says last is then part of Pulumi's error.
                  terminationMessagePolicy: "FallbackToLogsOnError",
                  resources: { requests: { cpu: "10m", memory: "96Mi" }, limits: { memory: "192Mi" } },
                  volumeMounts: [
                    { name: "program", mountPath: "/program", readOnly: true },
                    { name: "specification", mountPath: "/specification", readOnly: true },
                  ],
                },
              ],
              volumes: [
                { name: "program", configMap: { name: this.#program.metadata.name } },
                { name: "specification", secret: { secretName: secret.metadata.name } },
              ],
            },
          },
        },
      },
      options,
    );
  }
}
