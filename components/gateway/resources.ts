/** The objects of Gateway API and Envoy Gateway that a gateway is made of, as far as the kit uses their fields. */
import type { types } from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";
import { restrictedContainer } from "../core/pods.ts";
import { toBytes } from "../core/units.ts";
import { images } from "../core/versions.ts";
import { waitFor } from "../core/wait-for.ts";
import type { Backend } from "../faas/provider.ts";
import { clientHeader, port, routeDefaults } from "./defaults.ts";
import type { GatewayPlan, HeaderChanges, RoutePlan, RouteSettings } from "./plan.ts";

export const gatewayApi = "gateway.networking.k8s.io";
const envoy = "gateway.envoyproxy.io";

export const apiVersions = {
  Gateway: `${gatewayApi}/v1`,
  HTTPRoute: `${gatewayApi}/v1`,
  ReferenceGrant: `${gatewayApi}/v1beta1`,
  EnvoyProxy: `${envoy}/v1alpha1`,
  HTTPRouteFilter: `${envoy}/v1alpha1`,
  ClientTrafficPolicy: `${envoy}/v1alpha1`,
  BackendTrafficPolicy: `${envoy}/v1alpha1`,
  SecurityPolicy: `${envoy}/v1alpha1`,
} as const;
export type Kind = keyof typeof apiVersions;

const ofType = (type: string) => `.conditions[?(@.type=="${type}")].status`;

/** When an object is what it should be. */
export const ready = {
  gateway: waitFor(`.status${ofType("Programmed")}`),
  route: waitFor(`.status.parents[0]${ofType("ResolvedRefs")}`),
  policy: waitFor(`.status.ancestors[*]${ofType("Accepted")}`),
};

export const targetGateway = (name: string) => [{ group: gatewayApi, kind: "Gateway", name }];
export const targetRoute = (name: string) => [{ group: gatewayApi, kind: "HTTPRoute", name }];

export function gatewaySpec(name: string, className: pulumi.Input<string>, certificate: pulumi.Input<string>) {
  return {
    gatewayClassName: className,
    infrastructure: { parametersRef: { group: envoy, kind: "EnvoyProxy", name } },
    listeners: [
      {
        name: "https",
        protocol: "HTTPS",
        port,
        tls: { mode: "Terminate", certificateRefs: [{ name: certificate }] },
        allowedRoutes: { namespaces: { from: "Same" } },
      },
    ],
  };
}

/** The user of Envoy's image. */
const user = 65532;

const securityContext: types.input.core.v1.SecurityContext = {
  ...restrictedContainer,
  runAsNonRoot: true,
  runAsUser: user,
  runAsGroup: user,
  seccompProfile: { type: "RuntimeDefault" },
};

/** A line for each request: neither what it carries nor its path, which may say whom it is about. */
const accessLog = {
  at: "%START_TIME%",
  route: "%ROUTE_NAME%",
  client: `%REQ(${clientHeader})%`,
  status: "%RESPONSE_CODE%",
  why: "%RESPONSE_CODE_DETAILS%",
  milliseconds: "%DURATION%",
  trace: "%REQ(traceparent)%",
};

/** How the proxies run. */
export function proxySpec({ serviceType, replicas, memory }: GatewayPlan) {
  // Two seconds more than others need to learn that a proxy ends.
  const shutdown = { drainTimeout: "30s", minDrainDuration: "5s" };
  const quick = { startupProbe: { periodSeconds: 1, failureThreshold: 120 } };
  const patch = {
    spec: {
      template: {
        spec: {
          enableServiceLinks: false,
          containers: [
            { name: "envoy", ...quick },
            {
              name: "shutdown-manager",
              ...quick,
              securityContext,
              resources: { requests: { cpu: "5m", memory: "24Mi" }, limits: { memory: "96Mi" } },
              volumeMounts: [{ name: "tmp", mountPath: "/tmp" }],
            },
          ],
          volumes: [{ name: "tmp", emptyDir: { sizeLimit: "1Mi" } }],
        },
      },
    },
  };
  return {
    concurrency: 2,
    shutdown,
    telemetry: {
      accessLog: {
        settings: [
          { format: { type: "JSON", json: accessLog }, sinks: [{ type: "File", file: { path: "/dev/stdout" } }] },
        ],
      },
    },
    provider: {
      type: "Kubernetes",
      kubernetes: {
        envoyService: {
          type: serviceType,
          ...(serviceType === "LoadBalancer" && { externalTrafficPolicy: "Cluster" }),
        },
        envoyDeployment: {
          replicas,
          container: {
            image: images.envoy,
            securityContext,
            resources: { requests: { cpu: "20m", memory: "64Mi" }, limits: { memory } },
          },
          patch: { type: "StrategicMerge", value: patch },
        },
        ...(replicas > 1 && { envoyPDB: { maxUnavailable: 1 } }),
      },
    },
  };
}

/** What holds for every request before anything else. */
export const clientTraffic = ({ http2 }: GatewayPlan) => ({
  tls: { alpnProtocols: [...(http2 ? ["h2"] : []), "http/1.1"] },
  headers: {
    // Only the gateway says who calls, and only Fission what it found out.
    earlyRequestHeaders: { remove: [clientHeader], removeOnMatch: [{ type: "Prefix", value: "x-fission-" }] },
  },
  timeout: { http: { requestReceivedTimeout: "30s" } },
});

/** For everything that no route has a policy for. */
export const letNobodyIn = { authorization: { defaultAction: "Deny" } };
export const letAnyoneIn = { authorization: { defaultAction: "Allow" } };

export function routeSpec(
  gateway: string,
  plan: RoutePlan,
  { headers, answer }: RouteSettings,
  { service, host }: Backend,
  timeoutSeconds: number,
) {
  const { rewrite } = plan;
  const fullPath = rewrite && "fullPath" in rewrite ? rewrite.fullPath : undefined;
  const urlRewrite = {
    ...(host !== undefined && { hostname: host }),
    ...(fullPath !== undefined && { path: { type: "ReplaceFullPath", replaceFullPath: fullPath } }),
  };
  const filters = [
    ...(Object.keys(urlRewrite).length > 0 ? [{ type: "URLRewrite", urlRewrite }] : []),
    ...(rewrite && "pattern" in rewrite
      ? [
          {
            type: "ExtensionRef",
            extensionRef: { group: envoy, kind: "HTTPRouteFilter", name: `${gateway}-${plan.name}` },
          },
        ]
      : []),
    ...(headers ? [{ type: "RequestHeaderModifier", requestHeaderModifier: changes(headers) }] : []),
    ...(answer ? [{ type: "ResponseHeaderModifier", responseHeaderModifier: changes(answer) }] : []),
  ];
  return {
    parentRefs: [{ name: gateway }],
    rules: [
      {
        matches: [plan.match],
        ...(filters.length > 0 && { filters }),
        backendRefs: [{ name: service.name, namespace: service.namespace, port: service.port }],
        // Fission gives up before, and the function before Fission, so that the answer says who was slow.
        timeouts: { request: `${timeoutSeconds + 5}s` },
      },
    ],
  };
}

const changes = ({ set, remove }: HeaderChanges) => ({
  ...(set && { set: Object.entries(set).map(([name, value]) => ({ name, value })) }),
  ...(remove && { remove: [...remove] }),
});

export function rewriteFilterSpec(rewrite: { pattern: string; substitution: string }) {
  return { urlRewrite: { path: { type: "ReplaceRegexMatch", replaceRegexMatch: rewrite } } };
}

/**
 * What holds for all routes. What changes how functions are reached must stand here and not in the policy of a route: a
 * proxy that learns of a route first and of that change after it takes no requests for the route for 15 seconds.
 */
export const backendTraffic = {
  requestBuffer: { limit: String(toBytes(routeDefaults.body)) },
  // Servers of Node and Go keep idle connections longer, so none is closed while it is used again.
  timeout: { http: { connectionIdleTimeout: "20s" } },
};

/** @param named whether each client has a name, by which its requests are counted */
export function routeTraffic({ limit, body }: RoutePlan, named: boolean) {
  const clientSelectors = [{ headers: [{ name: clientHeader, type: "Distinct" }] }];
  return {
    mergeType: "StrategicMerge",
    requestBuffer: { limit: body },
    // What has no name is counted together.
    ...(limit && { rateLimit: { local: { rules: [...(named ? [{ clientSelectors, limit }] : []), { limit }] } } }),
  };
}
