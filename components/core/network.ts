import * as k8s from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";
import type { Consumer } from "./binding.ts";

/** Pods that answer, and the port they answer on. */
export interface Server {
  /** Short name of the server, for names of rules. */
  readonly name: string;
  readonly namespace: pulumi.Input<string>;
  readonly podLabels: Readonly<Record<string, string>>;
  readonly port: number;
}

/** Both halves of one permitted edge: the consumer may go out, the server lets it in. */
export function allow(consumer: Consumer, server: Server): pulumi.Resource[] {
  const name = `${consumer.name}-to-${server.name}`;
  const ports = [{ protocol: "TCP", port: server.port }];
  const from = consumer.namespace.metadataName;
  return [
    policy(`${name}-egress`, consumer.parent, from, consumer.podLabels, {
      policyTypes: ["Egress"],
      egress: [{ to: [peer(server.namespace, server.podLabels)], ports }],
    }),
    policy(`${name}-ingress`, consumer.parent, server.namespace, server.podLabels, {
      policyTypes: ["Ingress"],
      ingress: [{ from: [peer(from, consumer.podLabels)], ports }],
    }),
  ];
}

/** Lets a consumer out to an address that is no pod of this cluster. */
export function allowOut(consumer: Consumer, name: string, port: number): pulumi.Resource[] {
  return [
    policy(`${consumer.name}-to-${name}-egress`, consumer.parent, consumer.namespace.metadataName, consumer.podLabels, {
      policyTypes: ["Egress"],
      egress: [{ ports: [{ protocol: "TCP", port }] }],
    }),
  ];
}

function policy(
  name: string,
  parent: pulumi.Resource,
  namespace: pulumi.Input<string>,
  podLabels: Readonly<Record<string, string>>,
  rules: object,
) {
  return new k8s.networking.v1.NetworkPolicy(
    name,
    { metadata: { name, namespace }, spec: { podSelector: { matchLabels: podLabels }, ...rules } },
    { parent },
  );
}

function peer(namespace: pulumi.Input<string>, podLabels: Readonly<Record<string, string>>) {
  return {
    namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": namespace } },
    podSelector: { matchLabels: podLabels },
  };
}
