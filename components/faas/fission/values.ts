/** Settings of Fission's Helm chart. */
import type * as pulumi from "@pulumi/pulumi";
import { images } from "../../core/versions.ts";

/** @param secret the master key of Fission's internal authentication */
export function chartValues(namespace: string, secret: pulumi.Input<string>): Record<string, unknown> {
  const bundle = imageParts(images.fissionBundle);
  const fetcher = imageParts(images.fissionFetcher);
  const small = component("128Mi");
  return {
    repository: bundle.registry,
    image: bundle.repository,
    imageTag: bundle.tag,
    fetcher: {
      repository: fetcher.registry,
      image: fetcher.repository,
      imageTag: fetcher.tag,
      resource: { cpu: { requests: "10m" }, mem: { requests: "16Mi", limits: "64Mi" } },
    },
    routerServiceType: "ClusterIP",
    // Namespaces are added while Fission runs, each by a FissionTenant.
    tenancy: { mode: "dynamic" },
    tenantController: { ...small, seedExistingNamespaces: false },
    // The chart makes roles in this namespace; its own default would be the user's `default`.
    defaultNamespace: namespace,
    createNamespace: false,
    internalAuth: { enabled: true, secret },
    router: {
      ...component("256Mi"),
      // In dynamic tenancy Fission 1.27 watches no EndpointSlices of tenants, and with this on asks the executor at every call.
      endpointSliceCache: { mode: "off" },
    },
    // Functions go on running while the executor restarts.
    executor: { ...component("256Mi"), adoptExistingResources: true },
    buildermgr: small,
    storagesvc: small,
    timer: small,
    webhook: small,
    // Nothing here is triggered by Kubernetes objects.
    kubewatcher: { ...small, replicas: 0 },
    // Packages are inline, so the archive store stays empty.
    persistence: { enabled: false },
    // Messages go through the kit's relay.
    mqt_keda: { enabled: false },
    kafka: { enabled: false },
    canaryDeployment: { enabled: false },
    influxdb: { enabled: false },
    analytics: false,
    preUpgradeChecks: { enabled: false },
  };
}

function component(memory: string) {
  const user = 10001;
  return {
    resources: { requests: { cpu: "10m", memory: "48Mi" }, limits: { memory } },
    securityContext: {
      enabled: true,
      runAsNonRoot: true,
      runAsUser: user,
      runAsGroup: user,
      fsGroup: user,
      seccompProfile: { type: "RuntimeDefault" },
    },
  };
}

/** The parts of an image's name, which the chart wants apart. */
export function imageParts(image: string): { registry: string; repository: string; tag: string } {
  const [, registry, repository, tag] = /^([^/]+)\/(.+):([^:]+)$/.exec(image) ?? [];
  if (!registry || !repository || !tag) throw new Error(`No registry, repository and tag in the image "${image}"`);
  return { registry, repository, tag };
}
