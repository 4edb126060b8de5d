import { envoyGateway, gatewayApi } from "../core/versions.ts";

const github = "https://raw.githubusercontent.com";

/** What the platform of gateways is if nothing else is said. */
export const platformDefaults = {
  chart: envoyGateway.chart,
  crds: `${github}/envoyproxy/gateway/v${envoyGateway.version}/charts/gateway-helm/charts/crds/crds/generated`,
  gatewayApi: `${github}/kubernetes-sigs/gateway-api/v${gatewayApi.version}/config/crd/standard`,
} as const;
