import * as kafka from "@pulumi/kafka";
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import type { Schema } from "../../functions/kit/schema.ts";
import { Certificates } from "../core/certificates.ts";
import { Component, type Transform } from "../core/component.ts";
import { labels, selector } from "../core/labels.ts";
import type { Namespace } from "../core/namespace.ts";
import { allow } from "../core/network.ts";
import { perConsumer } from "../core/per-consumer.ts";
import { configuration } from "./broker.ts";
import { administrator, ports } from "./defaults.ts";
import { type KafkaSettings, planKafka } from "./plan.ts";
import { statefulSet } from "./stateful-set.ts";
import { type Topic, type TopicArgs, Topics } from "./topic.ts";
import { tunnel } from "./tunnel.ts";

export interface KafkaArgs extends KafkaSettings {
  readonly namespace: Namespace;
  readonly transform?: {
    readonly statefulSet?: Transform<k8s.apps.v1.StatefulSetArgs>;
    readonly service?: Transform<k8s.core.v1.ServiceArgs>;
  };
}

/**
 * A Kafka of its own: brokers that are controllers too, reached over TLS with SCRAM-SHA-512 only.
 *
 * Nobody may do anything but the administrator and whoever the wiring lets.
 */
export class Kafka extends Component {
  readonly nodes: {
    readonly statefulSet: k8s.apps.v1.StatefulSet;
    readonly service: k8s.core.v1.Service;
    /** For further resources of `@pulumi/kafka` in this Kafka, as its administrator. */
    readonly provider: kafka.Provider;
  };
  readonly #topics: Topics;

  /** @throws KitError naming every problem of the settings */
  constructor(name: string, args: KafkaArgs, opts?: pulumi.ComponentResourceOptions) {
    const { namespace: home, transform, ...settings } = args;
    const plan = planKafka(name, pulumi.getStack(), settings);
    super("fivefold:kafka:Kafka", name, opts);
    const namespace = home.metadataName;
    const headless = `${name}-brokers`;
    const metadata = { namespace, labels: labels("kafka", name) };
    const pods = { name, namespace, podLabels: selector("kafka", name), port: ports.clients };

    const certificates = new Certificates(
      name,
      {
        hosts: [
          "localhost",
          pulumi.interpolate`${name}.${namespace}.svc`,
          pulumi.interpolate`*.${headless}.${namespace}.svc`,
        ],
      },
      { parent: this },
    );
    const clusterId = this.child(random.RandomId, "cluster-id", { byteLength: 16 }).b64Url;
    const password = this.child(random.RandomPassword, "admin", { length: 32, special: false }).result;
    // Secrets and ConfigMaps without fixed names: what changes gets a new name, and with it the brokers start anew.
    const keys = this.child(k8s.core.v1.Secret, "certificates", {
      metadata,
      stringData: {
        "server.pem": pulumi.interpolate`${certificates.key}${certificates.certificate}`,
        "ca.pem": certificates.ca,
      },
    });
    const admin = this.child(k8s.core.v1.Secret, "admin", { metadata, stringData: { password } });
    const files = this.child(k8s.core.v1.ConfigMap, "configuration", {
      metadata,
      data: configuration(name, plan.replication, plan.tunnelPort),
    });
    const service = this.child(
      k8s.core.v1.Service,
      "",
      {
        metadata: { ...metadata, name },
        spec: { selector: pods.podLabels, ports: [{ name: "clients", port: ports.clients }] },
      },
      transform?.service,
    );
    const among = this.#among(pods);
    const set = this.child(
      k8s.apps.v1.StatefulSet,
      "",
      statefulSet(name, plan, {
        namespace,
        service: headless,
        clusterId,
        configuration: files.metadata.name,
        certificates: keys.metadata.name,
        admin: admin.metadata.name,
      }),
      transform?.statefulSet,
      { dependsOn: among },
    );
    this.child(k8s.policy.v1.PodDisruptionBudget, "", {
      metadata: { ...metadata, name },
      spec: { maxUnavailable: 1, selector: { matchLabels: pods.podLabels } },
    });

    const provider = new kafka.Provider(
      name,
      {
        bootstrapServers: tunnel(name, namespace, plan),
        tlsEnabled: true,
        caCert: certificates.ca,
        saslMechanism: "scram-sha512",
        saslUsername: administrator,
        saslPassword: password,
      },
      { parent: this },
    );
    this.nodes = { statefulSet: set, service, provider };
    this.#topics = new Topics({
      ...plan,
      componentName: name,
      parent: this,
      bootstrap: [pulumi.interpolate`${name}.${namespace}.svc:${ports.clients}`],
      ca: certificates.ca,
      // Whoever deletes the brokers has deleted what is inside them.
      inside: { provider, dependsOn: [set], deletedWith: set },
      reach: perConsumer((consumer) => [...allow(consumer, pods), service]),
    });
    this.registerOutputs();
  }

  /** A topic whose records the schema describes. */
  topic<T>(name: string, schema: Schema<T>, args: TopicArgs = {}): Topic<T> {
    return this.#topics.make(name, schema, args);
  }

  /** The brokers' own names, and the rules by which they reach each other. */
  #among({
    name,
    namespace,
    podLabels,
  }: {
    name: string;
    namespace: pulumi.Output<string>;
    podLabels: Record<string, string>;
  }) {
    const metadata = { namespace, labels: labels("kafka", name), name: `${name}-brokers` };
    const internal = [ports.replication, ports.controller];
    const peers = [{ podSelector: { matchLabels: podLabels } }];
    const allowed = internal.map((port) => ({ protocol: "TCP", port }));
    return [
      this.child(k8s.core.v1.Service, "brokers", {
        metadata,
        spec: {
          clusterIP: "None",
          // Controllers find each other before any of them is ready.
          publishNotReadyAddresses: true,
          selector: podLabels,
          ports: [
            { name: "clients", port: ports.clients },
            { name: "replication", port: ports.replication },
            { name: "controller", port: ports.controller },
          ],
        },
      }),
      this.child(k8s.networking.v1.NetworkPolicy, "brokers", {
        metadata,
        spec: {
          podSelector: { matchLabels: podLabels },
          policyTypes: ["Ingress", "Egress"],
          ingress: [{ from: peers, ports: allowed }],
          egress: [{ to: peers, ports: allowed }],
        },
      }),
    ];
  }
}
