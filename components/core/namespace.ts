import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { Component, type Transform } from "./component.ts";
import { labels } from "./labels.ts";

export interface NamespaceArgs {
  readonly transform?: { readonly namespace?: Transform<k8s.core.v1.NamespaceArgs> };
}

/**
 * A namespace that enforces the *restricted* Pod Security Standard and denies all traffic but DNS;
 * each edge of the wiring opens what it needs.
 */
export class Namespace extends Component {
  /** The Kubernetes name; resolves when the namespace and its rules exist. */
  readonly metadataName: pulumi.Output<string>;
  readonly nodes: { readonly namespace: k8s.core.v1.Namespace };

  constructor(name: string, args: NamespaceArgs = {}, opts?: pulumi.ComponentResourceOptions) {
    super("fivefold:core:Namespace", name, opts);
    const level = "restricted";
    const namespace = this.child(
      k8s.core.v1.Namespace,
      "",
      {
        metadata: {
          name,
          labels: {
            ...labels("namespace", name),
            "pod-security.kubernetes.io/enforce": level,
            "pod-security.kubernetes.io/audit": level,
            "pod-security.kubernetes.io/warn": level,
          },
        },
      },
      args.transform?.namespace,
    );
    const deny = this.child(k8s.networking.v1.NetworkPolicy, "default-deny", {
      metadata: { name: "default-deny", namespace: namespace.metadata.name },
      spec: { podSelector: {}, policyTypes: ["Ingress", "Egress"] },
    });
    const dns = this.child(k8s.networking.v1.NetworkPolicy, "allow-dns", {
      metadata: { name: "allow-dns", namespace: namespace.metadata.name },
      spec: {
        podSelector: {},
        policyTypes: ["Egress"],
        egress: [
          {
            ports: [
              { protocol: "UDP", port: 53 },
              { protocol: "TCP", port: 53 },
            ],
          },
        ],
      },
    });
    this.nodes = { namespace };
    this.metadataName = pulumi.all([namespace.metadata.name, deny.id, dns.id]).apply(([id]) => id);
    this.registerOutputs({ metadataName: this.metadataName });
  }
}
