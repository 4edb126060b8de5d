/**
 * What a cluster has once, for all architectures: Fission.
 *
 *   architectures' functions ─▶ Fission (router, executor, timer, webhook)
 */
import * as pulumi from "@pulumi/pulumi";
import { FissionPlatform } from "../../components/index.ts";

const config = new pulumi.Config();
// The embedded node has chart and definitions on its disk and says where.
const chart = config.get("chart") ?? process.env.FIVEFOLD_FISSION_CHART;
const crds = config.get("crds") ?? process.env.FIVEFOLD_FISSION_CRDS;

const { namespace, routerUrl, internalUrl, internalKey } = new FissionPlatform("fission", {
  ...(chart && { chart }),
  ...(crds && { crds }),
});

/** Read by `platform()` in the architectures' stacks. */
export const fission = { namespace, routerUrl, internalUrl, internalKey };
