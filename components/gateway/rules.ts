/** Traffic between Envoy Gateway and its proxies where everything else is denied. */
import type { types } from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";

/** Labels that the chart gives the controller's pods. */
export const controller = { "control-plane": "envoy-gateway" } as const;

/** Labels that Envoy Gateway gives the pods of all its proxies. */
const proxies = { "app.kubernetes.io/managed-by": "envoy-gateway", "app.kubernetes.io/component": "proxy" } as const;

/** Labels that it gives the pods of one gateway. */
export const proxiesOf = (gateway: string) => ({
  ...proxies,
  "gateway.envoyproxy.io/owning-gateway-name": gateway,
});

/** Where proxies ask for their configuration. */
const configuration = tcp(18000);

/** The API server is no pod: only its usual ports tell it. */
const apiServer = [tcp(443), tcp(6443)];

type Spec = types.input.networking.v1.NetworkPolicySpec;

/** In the controller's own namespace, by name. */
export const controlPlane: Readonly<Record<string, Spec>> = {
  // The controller, and the chart's job that makes its certificates.
  "allow-api-server": { podSelector: {}, policyTypes: ["Egress"], egress: [{ ports: apiServer }] },
  "allow-proxies": {
    podSelector: { matchLabels: controller },
    policyTypes: ["Ingress"],
    ingress: [{ from: [{ namespaceSelector: {}, podSelector: { matchLabels: proxies } }], ports: [configuration] }],
  },
};

/** For the proxies of one gateway: everyone may call them, and they ask the controller for their configuration. */
export function proxyPods(gateway: string, port: number, controllerNamespace: pulumi.Input<string>): Spec {
  return {
    podSelector: { matchLabels: proxiesOf(gateway) },
    policyTypes: ["Ingress", "Egress"],
    ingress: [{ ports: [tcp(port)] }],
    egress: [
      {
        to: [
          {
            namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": controllerNamespace } },
            podSelector: { matchLabels: controller },
          },
        ],
        ports: [configuration],
      },
    ],
  };
}

function tcp(port: number) {
  return { protocol: "TCP", port };
}
