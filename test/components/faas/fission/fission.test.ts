import { beforeAll, describe, expect, test } from "vitest";
import { Namespace } from "../../../../components/core/namespace.ts";
import { Faas } from "../../../../components/faas/faas.ts";
import { fission } from "../../../../components/faas/fission/fission.ts";
import { type Deployment, deploy } from "../../../harness.ts";
import { conforms } from "../conformance.ts";
import { resolved } from "../fakes.ts";
import { echo, submit, tick } from "../fixtures/contracts.ts";

const platform = {
  namespace: "fission",
  routerUrl: "http://router.fission.svc",
  internalUrl: "http://router-internal.fission.svc:8889",
  internalKey: "a2V5",
};
const provider = () => fission({ platform });

// biome-ignore lint/suspicious/noExplicitAny: recorded inputs
const specOf = (all: Deployment, kind: string, name: string): any =>
  all.of(`kubernetes:fission.io/v1:${kind}`).find((it) => it.name === name)?.inputs.spec;
// biome-ignore lint/suspicious/noExplicitAny: recorded inputs
const metadataOf = (all: Deployment, kind: string, name: string): any =>
  all.of(`kubernetes:fission.io/v1:${kind}`).find((it) => it.name === name)?.inputs.metadata;

conforms("Fission", provider, {
  podLabels: (all, fn) => metadataOf(all, "Function", fn).labels,
  version: (all, fn) => specOf(all, "Function", fn).package.packageref.name,
  secret: (all, fn) => specOf(all, "Function", fn).secrets[0].name,
  containers: (all) => specOf(all, "Environment", "functions").runtime.podspec.containers,
});

describe("Fission", () => {
  let all: Deployment;
  let url: unknown;

  beforeAll(async () => {
    all = await deploy(async () => {
      const namespace = new Namespace("shop");
      const faas = new Faas("functions", { namespace, provider: provider() });
      new Faas("more", { namespace, provider: provider() });
      faas.fn(echo, {}, { maxReplicas: 4 });
      faas.http("POST /readings/:device", faas.fn(submit));
      faas.schedule("every 5 minutes", faas.fn(tick));
      const verifier = { name: "verify", namespace, parent: namespace, podLabels: { verifier: "yes" } };
      url = await resolved(faas.url("/readings").verify(verifier).settings);
    });
  });

  test("the namespace is served once, however many functions and Faas it has", () => {
    expect(all.of("kubernetes:fission.io/v1:FissionTenant").map(({ inputs }) => inputs.spec)).toEqual([
      { namespace: "shop" },
    ]);
  });

  test("the environment has all that Fission would take for zero", () => {
    const { runtime, ...spec } = specOf(all, "Environment", "functions");
    expect(spec).toEqual({
      version: 3,
      poolsize: 0,
      keeparchive: false,
      terminationGracePeriod: 10,
      resources: { requests: { cpu: "20m", memory: "96Mi" }, limits: { memory: "256Mi" } },
    });
    expect(runtime.podspec.containers.map(({ name }: { name: string }) => name)).toEqual(["functions", "fetcher"]);
    expect(runtime.podspec.containers[0].image).toBe(runtime.image);
  });

  test("a function always has a pod, and as many more as it may", () => {
    const spec = specOf(all, "Function", "echo");
    expect(spec.InvokeStrategy.ExecutionStrategy).toMatchObject({
      ExecutorType: "newdeploy",
      MinScale: 1,
      MaxScale: 4,
    });
    expect(spec.functionTimeout).toBe(60);
    expect(spec).not.toHaveProperty("secrets");
    expect(spec.package.functionName).toBe("index.handler");
    expect(specOf(all, "Function", "submit").functionTimeout).toBe(15);
  });

  test("the package is inline and its name says its content", () => {
    const { deployment } = specOf(all, "Package", "echo");
    expect(deployment.type).toBe("literal");
    expect(Buffer.from(deployment.literal, "base64").subarray(0, 2).toString()).toBe("PK");
    expect(metadataOf(all, "Package", "echo").name).toMatch(/^echo-[0-9a-f]{8}$/);
    expect(specOf(all, "Function", "echo").package.packageref).toEqual({
      name: metadataOf(all, "Package", "echo").name,
      namespace: "shop",
    });
  });

  test("a route lies under its namespace, because all namespaces share the router", () => {
    expect(specOf(all, "HTTPTrigger", "submit-post-readings-device")).toEqual({
      relativeurl: "/shop/readings/{device}",
      methods: ["POST"],
      functionref: { type: "name", name: "submit" },
    });
    expect(url).toEqual({ url: "http://router.fission.svc/shop/readings" });
  });

  test("a schedule becomes a time trigger", () => {
    expect(specOf(all, "TimeTrigger", "tick-clock")).toEqual({
      cron: "*/5 * * * *",
      functionref: { type: "name", name: "tick" },
    });
  });

  test("only the router reaches the pods of functions", () => {
    const rules = all.of("kubernetes:networking.k8s.io/v1:NetworkPolicy").find(({ name }) => name === "shop-functions");
    expect(rules?.inputs.spec).toMatchObject({
      podSelector: { matchLabels: { executorType: "newdeploy" } },
      ingress: [
        {
          from: [
            {
              namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "fission" } },
              podSelector: { matchLabels: { svc: "router" } },
            },
          ],
          ports: [{ port: 8888 }],
        },
      ],
    });
  });

  test.each(["POST /", "POST /readings/", "POST /a b", "POST /../x", "PUT  /x"])(
    'the route "%s" is refused',
    async (route) => {
      await deploy(() => {
        const faas = new Faas("functions", { namespace: new Namespace("shop"), provider: provider() });
        const fn = faas.fn(submit);
        expect(() => faas.http(route as never, fn)).toThrow(/Route .*\n {2}- path: write a path such as/);
      });
    },
  );

  test.each([
    ["every hour", "an interval must divide"],
    ["every 7 minutes", "an interval must divide"],
    ["every 30 seconds", "an interval must divide"],
    ["0 3 * *", "write five fields of cron"],
    ["0 3 * * monday!", "write five fields of cron"],
  ])('the schedule "%s" is refused', async (when, why) => {
    await deploy(() => {
      const faas = new Faas("functions", { namespace: new Namespace("shop"), provider: provider() });
      const fn = faas.fn(tick);
      expect(() => faas.schedule(when as never, fn)).toThrow(why);
    });
  });
});
