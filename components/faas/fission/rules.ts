/** The traffic that Fission needs where everything else is denied. */
import type { types } from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";

/** Labels that the chart gives the router's pods. */
export const router = { application: "fission-router", svc: "router" } as const;

export const routerPorts = { public: 8888, internal: 8889 } as const;

/** Label that Fission gives the pods of functions. */
const functions = { executorType: "newdeploy" } as const;

/** Port of a function's runtime. */
const runtime = tcp(8888);

/** The API server is no pod: only its usual ports tell it. */
const apiServer = [tcp(443), tcp(6443)];

type Spec = types.input.networking.v1.NetworkPolicySpec;

/** In a namespace with functions: the router calls them, and their fetcher asks the API server for code and settings. */
export function functionPods(fissionNamespace: pulumi.Input<string>): Spec {
  return {
    podSelector: { matchLabels: functions },
    policyTypes: ["Ingress", "Egress"],
    ingress: [
      {
        from: [
          {
            namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": fissionNamespace } },
            podSelector: { matchLabels: router },
          },
        ],
        ports: [runtime],
      },
    ],
    egress: [{ ports: apiServer }],
  };
}

/** In Fission's own namespace, by name. */
export const controlPlane: Readonly<Record<string, Spec>> = {
  "allow-within": {
    podSelector: {},
    policyTypes: ["Ingress", "Egress"],
    ingress: [{ from: [{ podSelector: {} }] }],
    egress: [{ to: [{ podSelector: {} }] }, { ports: apiServer }],
  },
  "allow-webhook": {
    podSelector: { matchLabels: { svc: "webhook-service" } },
    policyTypes: ["Ingress"],
    // Called by the API server.
    ingress: [{ ports: [tcp(9443)] }],
  },
  "allow-router": {
    podSelector: { matchLabels: router },
    policyTypes: ["Ingress", "Egress"],
    // The public port; who may call the internal one is said where a function is wired.
    ingress: [{ ports: [tcp(routerPorts.public)] }],
    egress: [{ to: [{ namespaceSelector: {}, podSelector: { matchLabels: functions } }], ports: [runtime] }],
  },
};

function tcp(port: number) {
  return { protocol: "TCP", port };
}
