import * as k8s from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";
import { defined } from "../core/check.ts";
import { Component, type Transform } from "../core/component.ts";
import { labels } from "../core/labels.ts";
import { Namespace } from "../core/namespace.ts";
import { envoyGateway, images } from "../core/versions.ts";
import { waitFor } from "../core/wait-for.ts";
import { platformDefaults } from "./defaults.ts";
import type { GatewayOutputs } from "./platform.ts";
import { controlPlane } from "./rules.ts";

export interface GatewayPlatformArgs {
  /** Envoy Gateway's Helm chart: its name in a registry, or a folder.
   *  @default "oci://docker.io/envoyproxy/gateway-helm" */
  readonly chart?: string;
  /** Folder or URL under which Envoy Gateway's CustomResourceDefinitions lie.
   *  @default "https://raw.githubusercontent.com/envoyproxy/gateway/v1.9.1/charts/gateway-helm/charts/crds/crds/generated" */
  readonly crds?: string;
  /** Folder or URL under which those of Gateway API lie; `"installed"` where the cluster brings them.
   *  @default "https://raw.githubusercontent.com/kubernetes-sigs/gateway-api/v1.6.1/config/crd/standard" */
  readonly gatewayApi?: string;
  readonly transform?: { readonly release?: Transform<k8s.helm.v3.ReleaseArgs> };
}

const namespaceName = "envoy-gateway";
const className = "fivefold";

/** The kinds of which gateways are made. The controller does without the others. */
const kinds = {
  gatewayApi: ["gatewayclasses", "gateways", "httproutes", "referencegrants"],
  crds: ["backendtrafficpolicies", "clienttrafficpolicies", "envoyproxies", "httproutefilters", "securitypolicies"],
};

/** What runs the architectures' gateways, once for a cluster: Gateway API and Envoy Gateway. */
export class GatewayPlatform extends Component implements GatewayOutputs {
  readonly namespace: pulumi.Output<string>;
  readonly className: pulumi.Output<string>;
  readonly nodes: { readonly release: k8s.helm.v3.Release };

  constructor(name: string, args: GatewayPlatformArgs = {}, opts?: pulumi.ComponentResourceOptions) {
    super("fivefold:gateway:GatewayPlatform", name, opts);
    const want = { ...platformDefaults, ...defined(args) };
    const namespace = new Namespace(namespaceName, {}, { parent: this });
    const rules = Object.entries(controlPlane).map(([rule, spec]) =>
      this.child(k8s.networking.v1.NetworkPolicy, rule, {
        metadata: { name: rule, namespace: namespace.metadataName },
        spec,
      }),
    );
    const crds = this.child(k8s.yaml.v2.ConfigGroup, "crds", {
      files: [
        ...(want.gatewayApi === "installed"
          ? []
          : kinds.gatewayApi.map((plural) => `${want.gatewayApi}/gateway.networking.k8s.io_${plural}.yaml`)),
        ...kinds.crds.map((plural) => `${want.crds}/gateway.envoyproxy.io_${plural}.yaml`),
      ],
    });
    const release = this.child(
      k8s.helm.v3.Release,
      "",
      {
        name: "envoy-gateway",
        namespace: namespace.metadataName,
        chart: want.chart,
        // A folder has its own version.
        ...(want.chart === platformDefaults.chart && { version: `v${envoyGateway.version}` }),
        skipCrds: true,
        values: chartValues,
        timeout: 600,
      },
      args.transform?.release,
      { dependsOn: [crds, ...rules] },
    );
    // The controller accepts it as soon as it serves.
    const gatewayClass = this.child(
      k8s.apiextensions.CustomResource,
      "class",
      {
        apiVersion: "gateway.networking.k8s.io/v1",
        kind: "GatewayClass",
        metadata: {
          name: className,
          labels: labels("gateway-class", className),
          annotations: waitFor('.status.conditions[?(@.type=="Accepted")].status'),
        },
        spec: { controllerName },
      },
      undefined,
      { dependsOn: [release] },
    );
    const ready = (value: string) => gatewayClass.id.apply(() => value);
    this.namespace = ready(namespaceName);
    this.className = ready(className);
    this.nodes = { release };
    this.registerOutputs({ namespace: this.namespace, className: this.className });
  }
}

const controllerName = "fivefold.dev/envoy-gateway";

const resources = { requests: { cpu: "10m", memory: "64Mi" }, limits: { memory: "256Mi" } };

const chartValues = {
  crds: { enabled: false },
  // Of use only where a cluster has zones, and a webhook that every pod would wait for.
  topologyInjector: { enabled: false },
  global: {
    images: {
      envoyGateway: { image: images.envoyGateway, pullPolicy: "IfNotPresent" },
      envoyProxy: { image: images.envoy },
    },
  },
  deployment: { envoyGateway: { resources } },
  certgen: { job: { resources } },
  config: {
    envoyGateway: {
      // So that it leaves alone the gateways of another Envoy Gateway in the cluster.
      gateway: { controllerName },
      // Proxies run beside what they lead to, under the rules of that namespace.
      provider: { type: "Kubernetes", kubernetes: { deploy: { type: "GatewayNamespace" } } },
    },
  },
};
