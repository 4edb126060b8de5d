import { describe, expect, test } from "vitest";
import type { Binding } from "../../../../components/core/binding.ts";
import { given } from "../../../../components/core/given.ts";
import { Namespace } from "../../../../components/core/namespace.ts";
import { deployments } from "../../../../components/faas/deployments/deployments.ts";
import { Faas } from "../../../../components/faas/faas.ts";
import { type Deployment, deploy } from "../../../harness.ts";
import { consumerIn, known, use } from "../../wiring.ts";
import { conforms } from "../conformance.ts";
import { secretValue } from "../fakes.ts";
import { echo, submit, tick } from "../fixtures/contracts.ts";

// biome-ignore lint/suspicious/noExplicitAny: recorded inputs
const specOf = (all: Deployment, fn: string): any =>
  all.of("kubernetes:apps/v1:Deployment").find(({ name }) => name === fn)?.inputs.spec;

conforms("Deployments", () => deployments(), {
  podLabels: (all, fn) => specOf(all, fn).template.metadata.labels,
  version: (all, fn) => [specOf(all, fn).template.metadata.annotations, specOf(all, fn).template.spec.volumes],
  secret: (all, fn) =>
    specOf(all, fn).template.spec.volumes.find(({ name }: { name: string }) => name === "ports").secret.secretName,
  containers: (all) => ["echo", "store"].flatMap((fn) => specOf(all, fn).template.spec.containers),
});

const faas = () => new Faas("services", { namespace: new Namespace("shop"), provider: deployments() });

describe("Deployments", () => {
  test("the token that callers show is the one that the server reads", async () => {
    const all = await deploy(() => void faas().fn(echo));
    const secret = all.of("kubernetes:core/v1:Secret").find(({ name }) => name === "echo-ports");
    const serve = Buffer.from(secretValue(secret?.inputs.data).serve ?? "", "base64").toString();
    expect(JSON.parse(serve)).toEqual({ token: "echo-token-result" });
    const [container] = specOf(all, "echo").template.spec.containers;
    expect(container.volumeMounts).toContainEqual({
      name: "ports",
      mountPath: "/secrets/shop/echo-ports",
      readOnly: true,
    });
  });

  test("one replica needs no disruption budget, more do", async () => {
    const one = await deploy(() => void faas().fn(echo));
    const three = await deploy(() => void faas().fn(echo, {}, { replicas: 3 }));
    expect(one.of("kubernetes:policy/v1:PodDisruptionBudget")).toEqual([]);
    expect(specOf(three, "echo").replicas).toBe(3);
    expect(three.of("kubernetes:policy/v1:PodDisruptionBudget").map(({ inputs }) => inputs.spec)).toEqual([
      { maxUnavailable: 1, selector: { matchLabels: specOf(three, "echo").selector.matchLabels } },
    ]);
  });

  test("the code lies in a ConfigMap whose name says its content", async () => {
    const all = await deploy(() => void faas().fn(echo));
    const [map] = all.of("kubernetes:core/v1:ConfigMap");
    const { name } = (map?.inputs.metadata ?? {}) as { name?: string };
    expect(name).toMatch(/^program-[0-9a-f]{8}$/);
    expect(specOf(all, "echo").template.spec.volumes).toContainEqual({ name: "program", configMap: { name } });
  });

  test("what it cannot do it refuses, naming itself and what was asked", async () => {
    await deploy(() => {
      const services = faas();
      const [submitFn, tickFn] = [services.fn(submit), services.fn(tick)];
      expect(() => services.http("GET /readings/:id", submitFn)).toThrow(
        'Function "submit"\n  - request "GET /readings/:id": Deployments know no variables in paths; use fission()',
      );
      expect(() => services.schedule("every 1 hour", tickFn)).toThrow(
        'Function "tick"\n  - time "0 */1 * * *": Deployments have no such trigger; use fission()',
      );
      expect(() => services.url("/readings")).toThrow(
        'Deployments\n  - path "/readings": no function was given to http for it',
      );
      expect(() => services.fn(echo, {}, { maxReplicas: 3 })).toThrow("maxReplicas: Deployments do not scale");
    });
  });

  test("a path is called at the Service of its function, and whoever is given its address may reach it", async () => {
    let binding: Binding | undefined;
    const all = await deploy(() => {
      const services = faas();
      services.http("POST /readings", services.fn(submit));
      const { url, ...rest } = services.url("/readings");
      const namespace = new Namespace("other");
      binding = given({ url, patience: 3 }, { url, ...rest }).bind(consumerIn(namespace), use("settings", "read"));
    });
    expect(await known(binding?.settings ?? {})).toEqual({
      url: expect.stringMatching(/^http:\/\/submit\.[a-z]+\.svc:8080\/readings$/),
      patience: 3,
    });
    const rules = all.of("kubernetes:networking.k8s.io/v1:NetworkPolicy").map(({ name }) => name);
    expect(rules).toEqual(expect.arrayContaining(["writer-to-submit-egress", "writer-to-submit-ingress"]));
  });
});
