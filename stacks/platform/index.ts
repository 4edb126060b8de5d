/**
 * What a cluster has once, for all architectures: Fission and Envoy Gateway.
 *
 *   architectures' functions ─▶ Fission (router, executor, timer, webhook)
 *   architectures' gateways ─▶ Envoy Gateway (a proxy for each)
 */
import * as pulumi from "@pulumi/pulumi";
import { FissionPlatform, GatewayPlatform } from "../../components/index.ts";

const config = new pulumi.Config();
/** The embedded node has charts and definitions on its disk and says where. */
const place = (setting: string, variable: string) => config.get(setting) ?? process.env[variable];
const chart = place("chart", "FIVEFOLD_FISSION_CHART");
const crds = place("crds", "FIVEFOLD_FISSION_CRDS");
const gatewayChart = place("gatewayChart", "FIVEFOLD_GATEWAY_CHART");
const gatewayCrds = place("gatewayCrds", "FIVEFOLD_GATEWAY_CRDS");
const gatewayApi = place("gatewayApi", "FIVEFOLD_GATEWAY_API_CRDS");

const { namespace, routerUrl, internalUrl, internalKey } = new FissionPlatform("fission", {
  ...(chart && { chart }),
  ...(crds && { crds }),
});

const gateways = new GatewayPlatform("envoy-gateway", {
  ...(gatewayChart && { chart: gatewayChart }),
  ...(gatewayCrds && { crds: gatewayCrds }),
  ...(gatewayApi && { gatewayApi }),
});

/** Read by `platform()` and `gatewayPlatform()` in the architectures' stacks. */
export const fission = { namespace, routerUrl, internalUrl, internalKey };
export const gateway = { namespace: gateways.namespace, className: gateways.className };
