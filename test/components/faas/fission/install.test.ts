import { hkdfSync } from "node:crypto";
import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { images } from "../../../../components/core/versions.ts";
import { defaults } from "../../../../components/faas/fission/defaults.ts";
import { FissionPlatform, routerInternalKey } from "../../../../components/faas/fission/install.ts";
import { imageParts } from "../../../../components/faas/fission/values.ts";
import { type Deployment, deploy } from "../../../harness.ts";
import { resolved } from "../fakes.ts";

describe("FissionPlatform", () => {
  let all: Deployment;
  let outputs: Record<string, unknown>;
  // biome-ignore lint/suspicious/noExplicitAny: recorded inputs
  const inputsOf = (type: string, name: string): any => all.of(type).find((it) => it.name === name)?.inputs;

  beforeAll(async () => {
    all = await deploy(async () => {
      const { namespace, routerUrl, internalUrl, internalKey } = new FissionPlatform("fission");
      outputs = (await resolved({ namespace, routerUrl, internalUrl, internalKey })) as Record<string, unknown>;
    });
  });

  test("tells what architectures must know", () => {
    expect(outputs).toEqual({
      namespace: "fission",
      routerUrl: "http://router.fission.svc",
      internalUrl: "http://router-internal.fission.svc:8889",
      internalKey: routerInternalKey("fission-internal-auth-result"),
    });
  });

  test("installs the chart of one version, with images of the names that the embedded node has", () => {
    const { chart, version, repositoryOpts, values } = inputsOf("kubernetes:helm.sh/v3:Release", "fission");
    expect({ chart, version, repositoryOpts }).toEqual({
      chart: "fission-all",
      version: "1.27.0",
      repositoryOpts: { repo: "https://fission.github.io/fission-charts" },
    });
    expect(`${values.repository}/${values.image}:${values.imageTag}`).toBe(images.fissionBundle);
    expect(values.tenancy.mode).toBe("dynamic");
    expect(values.defaultNamespace).toBe("fission");
    expect(values.analytics).toBe(false);
  });

  test("has the nine definitions that the chart lacks", () => {
    const { files } = inputsOf("kubernetes:yaml/v2:ConfigGroup", "fission-crds");
    expect(files).toHaveLength(9);
    expect(files[0]).toBe(`${defaults.crds}/fission.io_canaryconfigs.yaml`);
  });

  test("takes chart and definitions from folders, which have their own version", async () => {
    const local = await deploy(() => void new FissionPlatform("fission", { chart: "/chart", crds: "/crds" }));
    const release = local.of("kubernetes:helm.sh/v3:Release")[0]?.inputs;
    expect(release).toMatchObject({ chart: "/chart" });
    expect(release).not.toHaveProperty("version");
    expect(release).not.toHaveProperty("repositoryOpts");
    expect(local.of("kubernetes:yaml/v2:ConfigGroup")[0]?.inputs.files).toContain("/crds/fission.io_packages.yaml");
  });

  test("denies all traffic in its namespace but what Fission needs", () => {
    const rules = all.of("kubernetes:networking.k8s.io/v1:NetworkPolicy").map(({ name }) => name);
    expect(rules.sort()).toEqual([
      "fission-allow-dns",
      "fission-allow-router",
      "fission-allow-webhook",
      "fission-allow-within",
      "fission-default-deny",
    ]);
    const { spec } = inputsOf("kubernetes:networking.k8s.io/v1:NetworkPolicy", "fission-allow-router");
    expect(spec.ingress).toEqual([{ ports: [{ protocol: "TCP", port: 8888 }] }]);
  });

  test("waits for the webhook with an account that may do nothing else", () => {
    const { rules } = inputsOf("kubernetes:rbac.authorization.k8s.io/v1:Role", "fission-check");
    expect(rules).toEqual([{ apiGroups: ["fission.io"], resources: ["environments"], verbs: ["create"] }]);
    const job = inputsOf("kubernetes:batch/v1:Job", "fission-check");
    expect(job.spec.template.spec.containers[0].securityContext.allowPrivilegeEscalation).toBe(false);
  });

  test("keeps the pods of functions restricted and lets its own be baseline", () => {
    const { metadata } = inputsOf("kubernetes:core/v1:Namespace", "fission");
    expect(metadata.labels).toMatchObject({
      "pod-security.kubernetes.io/enforce": "baseline",
      "pod-security.kubernetes.io/warn": "restricted",
    });
  });
});

test("the key of the router's internal listener is derived as Fission does", () => {
  const expected = hkdfSync("sha256", "master", new Uint8Array(), "fission-internal-v1:router-internal", 32);
  expect(routerInternalKey("master")).toBe(Buffer.from(expected).toString("base64"));
  expect(routerInternalKey("master")).not.toBe(routerInternalKey("another"));
});

test("an image is taken apart at its registry and its tag", () => {
  expect(imageParts("ghcr.io/fission/fission-bundle:v1")).toEqual({
    registry: "ghcr.io",
    repository: "fission/fission-bundle",
    tag: "v1",
  });
  expect(() => imageParts("fission-bundle")).toThrow('in the image "fission-bundle"');
});

test("the documented defaults are those of the code", () => {
  const file = new URL("../../../../components/faas/fission/install.ts", import.meta.url);
  const documented = [...readFileSync(file, "utf8").matchAll(/@default (".*")/g)].map(([, it]) => JSON.parse(it ?? ""));
  expect(documented).toEqual([defaults.chart, defaults.crds]);
});
