import { beforeAll, describe, expect, test } from "vitest";
import { images } from "../../../components/core/versions.ts";
import { platformDefaults } from "../../../components/gateway/defaults.ts";
import { GatewayPlatform } from "../../../components/gateway/install.ts";
import { type Deployment, deploy } from "../../harness.ts";
import { documentedDefaults } from "../documented.ts";
import { known } from "../wiring.ts";

describe("GatewayPlatform", () => {
  let all: Deployment;
  let outputs: unknown;
  // biome-ignore lint/suspicious/noExplicitAny: recorded inputs
  const inputsOf = (type: string, name: string): any => all.of(type).find((it) => it.name === name)?.inputs;

  beforeAll(async () => {
    all = await deploy(async () => {
      const { namespace, className } = new GatewayPlatform("envoy-gateway");
      outputs = { namespace: await known(namespace), className: await known(className) };
    });
  });

  test("tells what architectures must know", () => {
    expect(outputs).toEqual({ namespace: "envoy-gateway", className: "fivefold" });
  });

  test("installs the chart of one version, with images of the names that the embedded node has", () => {
    const { chart, version, skipCrds, values } = inputsOf("kubernetes:helm.sh/v3:Release", "envoy-gateway");
    expect({ chart, version, skipCrds }).toEqual({ chart: platformDefaults.chart, version: "v1.9.1", skipCrds: true });
    expect(values.global.images.envoyGateway.image).toBe(images.envoyGateway);
    expect(values.global.images.envoyProxy.image).toBe(images.envoy);
    expect(values.config.envoyGateway.provider.kubernetes.deploy.type).toBe("GatewayNamespace");
  });

  test("has a class that its own controller serves, and no other", () => {
    const { spec } = inputsOf("kubernetes:gateway.networking.k8s.io/v1:GatewayClass", "envoy-gateway-class");
    const { values } = inputsOf("kubernetes:helm.sh/v3:Release", "envoy-gateway");
    expect(spec.controllerName).toBe(values.config.envoyGateway.gateway.controllerName);
    expect(spec.controllerName).not.toMatch(/^gateway\.envoyproxy\.io/);
  });

  test("takes chart and definitions from folders, or those of Gateway API that are there", async () => {
    const filesOf = (deployment: Deployment) => deployment.of("kubernetes:yaml/v2:ConfigGroup")[0]?.inputs.files;
    const folders = { chart: "/chart", crds: "/crds", gatewayApi: "/api" };
    const local = await deploy(() => void new GatewayPlatform("envoy-gateway", folders));
    const release = local.of("kubernetes:helm.sh/v3:Release")[0]?.inputs;
    expect(release).toMatchObject({ chart: "/chart" });
    expect(release).not.toHaveProperty("version");
    expect(filesOf(local)).toHaveLength(9);
    expect(filesOf(local)).toContain("/api/gateway.networking.k8s.io_httproutes.yaml");
    const installed = await deploy(() => void new GatewayPlatform("envoy-gateway", { gatewayApi: "installed" }));
    expect(filesOf(installed)).toHaveLength(5);
    expect(filesOf(installed)).toContain(`${platformDefaults.crds}/gateway.envoyproxy.io_securitypolicies.yaml`);
  });

  test("keeps the restricted standard, and denies all traffic but what the controller needs", () => {
    const { metadata } = inputsOf("kubernetes:core/v1:Namespace", "envoy-gateway");
    expect(metadata.labels["pod-security.kubernetes.io/enforce"]).toBe("restricted");
    const rules = all.of("kubernetes:networking.k8s.io/v1:NetworkPolicy").map(({ name }) => name);
    expect(rules.sort()).toEqual([
      "envoy-gateway-allow-api-server",
      "envoy-gateway-allow-dns",
      "envoy-gateway-allow-proxies",
      "envoy-gateway-default-deny",
    ]);
  });

  test("has the defaults that it documents", () => {
    expect(documentedDefaults("components/gateway/install.ts")).toEqual(platformDefaults);
  });
});
