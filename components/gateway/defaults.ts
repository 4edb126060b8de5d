import { envoyGateway, gatewayApi } from "../core/versions.ts";

const github = "https://raw.githubusercontent.com";

/** What the platform of gateways is if nothing else is said. */
export const platformDefaults = {
  chart: envoyGateway.chart,
  crds: `${github}/envoyproxy/gateway/v${envoyGateway.version}/charts/gateway-helm/charts/crds/crds/generated`,
  gatewayApi: `${github}/kubernetes-sigs/gateway-api/v${gatewayApi.version}/config/crd/standard`,
} as const;

/** What a gateway is if nothing else is said. */
export const gatewayDefaults = { exposure: "cluster", http2: false, replicas: 1, memory: "256 MiB" } as const;

/** What a route is if nothing else is said. */
export const routeDefaults = { body: "1 MiB" } as const;

/** HTTPS. */
export const port = 443;

/** On which a proxy listens for it: Envoy Gateway adds so much to ports that only root may open. */
export const containerPort = 10_000 + port;

/** Tells a function who calls; clients cannot send it themselves. */
export const clientHeader = "x-client";

/** In which clients send their key. */
export const keyHeader = "x-api-key";

/** More than this no function takes. */
export const largestBody = "1 MiB";
