import * as pulumi from "@pulumi/pulumi";
import { describe, expect, test } from "vitest";
import * as z from "zod";
import type { Consumer, PortUse } from "../../../components/core/binding.ts";
import { Namespace } from "../../../components/core/namespace.ts";
import { deployments } from "../../../components/faas/deployments/deployments.ts";
import { Faas } from "../../../components/faas/faas.ts";
import { Relay, type RelayArgs, trigger } from "../../../components/relay/relay.ts";
import { text } from "../../../functions/kit/schema.ts";
import { parseSettings } from "../../../functions/relay/settings.ts";
import { type Deployment, deploy } from "../../harness.ts";
import { secretValue } from "../faas/fakes.ts";
import { echo } from "../faas/fixtures/contracts.ts";

const connection = { bootstrap: ["bus:9092"], username: "user", password: "secret" };

const topic = (name: string, schema: z.ZodType = z.object({})) => ({
  kind: "kafka" as const,
  name,
  schema,
  source: ({ name: consumer }: Consumer) => ({
    settings: { kind: "kafka", kafka: connection, topic: name, group: consumer },
    dependsOn: [],
  }),
  bind: (_: Consumer, port: PortUse) => ({
    settings: pulumi.secret({
      kafka: { ...connection, username: port.name },
      topic: name,
      ...(port.access === "read-write" && { group: port.name }),
    }),
    dependsOn: [],
  }),
});

const collection = {
  kind: "mongo" as const,
  name: "readings",
  source: () => ({
    settings: {
      kind: "mongo",
      hosts: ["store:27017"],
      replicaSet: "store",
      database: "shop",
      collection: "readings",
      username: "u",
      password: "p",
      authSource: "shop",
      key: "device",
      tokens: "x",
    },
    dependsOn: [],
  }),
};

const relayOf = (make: (namespace: Namespace) => Partial<RelayArgs>) =>
  deploy(() => {
    const namespace = new Namespace("shop");
    const target = { topic: topic("raw") };
    new Relay("edge", { namespace, source: topic("in"), target, ...make(namespace) });
  });

// biome-ignore lint/suspicious/noExplicitAny: recorded inputs
const deploymentOf = (all: Deployment, name: string): any =>
  all.of("kubernetes:apps/v1:Deployment").find((it) => it.name === name)?.inputs.spec;

const settingsOf = (all: Deployment, name: string) => {
  const secret = all.of("kubernetes:core/v1:Secret").find((it) => it.name === `${name}-ports`);
  return JSON.parse(Buffer.from(secretValue(secret?.inputs.data).relay ?? "", "base64").toString());
};

const echoOn = (namespace: Namespace) => new Faas("services", { namespace, provider: deployments() }).fn(echo);

describe("a relay", () => {
  test("from topic to topic has settings that its program accepts", async () => {
    const all = await relayOf(() => ({ deadLetters: topic("dead"), retries: 2 }));
    expect(settingsOf(all, "edge")).toEqual({
      source: { kind: "kafka", kafka: connection, topic: "in", group: "edge" },
      target: { kind: "topic", kafka: { ...connection, username: "target" }, topic: "raw" },
      deadLetters: { kafka: { ...connection, username: "dead-letters" }, topic: "dead", group: "dead-letters" },
      retries: 2,
    });
    expect(() => parseSettings(settingsOf(all, "edge"))).not.toThrow();
  });

  test("to a function calls it with its credential, for as long as a batch may take", async () => {
    const all = await relayOf((namespace) => ({
      target: { function: echoOn(namespace), into: topic("out", text(z.string())) },
    }));
    const settings = settingsOf(all, "edge");
    expect(settings.target).toEqual({
      kind: "function",
      address: { url: "http://echo.shop.svc:8080", auth: { kind: "bearer", token: "echo-token-result" } },
      timeoutMilliseconds: 60_000,
    });
    expect(settings.into).toEqual({ kafka: { ...connection, username: "into" }, topic: "out", encoding: "text" });
    expect(() => parseSettings(settings)).not.toThrow();
  });

  test("tries an event that fails five more times if nothing else is said", async () => {
    expect(settingsOf(await relayOf(() => ({})), "edge").retries).toBe(10);
  });

  test("may go out to the function, and the function lets it in", async () => {
    const all = await relayOf((namespace) => ({ target: { function: echoOn(namespace) } }));
    const rules = all
      .of("kubernetes:networking.k8s.io/v1:NetworkPolicy")
      .filter(({ name }) => name.startsWith("edge-"));
    expect(rules.map(({ name }) => name).sort()).toEqual(["edge-to-echo-egress", "edge-to-echo-ingress"]);
    expect(rules.find(({ name }) => name.endsWith("egress"))?.inputs.spec).toMatchObject({
      podSelector: { matchLabels: deploymentOf(all, "edge").selector.matchLabels },
    });
  });

  test("is replaced when its settings change, and only then", async () => {
    const of = async (retries: number) =>
      deploymentOf(await relayOf(() => ({ retries })), "edge").template.metadata.annotations["fivefold/settings"];
    expect(await of(1)).toBe(await of(1));
    expect(await of(1)).not.toBe(await of(2));
  });

  test("of a stream runs once at a time; one of Kafka shares its group with its successor", async () => {
    const kafka = await relayOf(() => ({}));
    const mongo = await relayOf(() => ({ source: collection }));
    expect(deploymentOf(kafka, "edge").strategy).toEqual({ type: "RollingUpdate" });
    expect(deploymentOf(mongo, "edge").strategy).toEqual({ type: "Recreate" });
    expect(() => parseSettings(settingsOf(mongo, "edge"))).not.toThrow();
  });

  test("has time to drain, probes, and no privileges", async () => {
    const { template, replicas } = deploymentOf(await relayOf(() => ({})), "edge");
    const [container] = template.spec.containers;
    expect(replicas).toBe(1);
    expect(template.spec.terminationGracePeriodSeconds).toBe(30);
    expect(template.spec.automountServiceAccountToken).toBe(false);
    expect(template.spec.securityContext.runAsNonRoot).toBe(true);
    expect(container.securityContext.readOnlyRootFilesystem).toBe(true);
    expect(container.resources).toEqual({ requests: { cpu: "50m", memory: "128Mi" }, limits: { memory: "256Mi" } });
    expect(container.readinessProbe.httpGet.path).toBe("/readyz");
    expect(container.livenessProbe.httpGet.path).toBe("/healthz");
    expect(container.env).toContainEqual({ name: "FIVEFOLD_NAME", value: "edge" });
  });

  test("has its dead letters sent again by Jobs of a suspended CronJob, with its own settings", async () => {
    const all = await relayOf(() => ({ deadLetters: topic("dead") }));
    const [cronJob] = all.of("kubernetes:batch/v1:CronJob");
    expect(cronJob?.name).toBe("edge-replay");
    expect(cronJob?.inputs.metadata).toMatchObject({
      name: "edge-replay",
      labels: { "app.kubernetes.io/component": "replay" },
      annotations: { "fivefold/dead-letters": "dead" },
    });
    // biome-ignore lint/suspicious/noExplicitAny: recorded inputs
    const { suspend, jobTemplate } = (cronJob as any).inputs.spec;
    expect(suspend).toBe(true);
    const { metadata, spec } = jobTemplate.spec.template;
    const deployment = deploymentOf(all, "edge");
    expect(metadata.labels).toMatchObject(deployment.selector.matchLabels);
    expect(spec.securityContext).toEqual(deployment.template.spec.securityContext);
    expect(spec.containers[0].volumeMounts).toEqual(deployment.template.spec.containers[0].volumeMounts);
    expect(spec.containers[0].env).toContainEqual({ name: "FIVEFOLD_NAME", value: "edge" });
  });

  test("without dead letters has nothing to send again", async () => {
    expect((await relayOf(() => ({}))).of("kubernetes:batch/v1:CronJob")).toEqual([]);
  });

  test("is named after its edge by the verb that makes it", async () => {
    const all = await deploy(() => {
      const fn = echoOn(new Namespace("shop"));
      trigger(topic("readings.v1"), fn, {}, topic("dead"));
    });
    expect(settingsOf(all, "readings-v1-to-echo")).toMatchObject({ deadLetters: { topic: "dead" } });
  });

  test.each([
    ["Edge", {}, 'name: write up to 40 lower-case letters, digits and dashes, starting with a letter, got "Edge"'],
    ["edge", { retries: -1 }, "retries: must be 0 or more, got -1"],
    ["edge", { retries: 0.5 }, "retries: must be 0 or more, got 0.5"],
  ])("%s with %j is refused", async (name, options, problem) => {
    const nothing = await deploy(() => {
      const namespace = new Namespace("shop");
      const make = () =>
        new Relay(name, { namespace, source: topic("in"), target: { topic: topic("raw") }, ...options });
      expect(make).toThrow(`Relay "${name}"\n  - ${problem}`);
    });
    expect(nothing.of("kubernetes:apps/v1:Deployment")).toEqual([]);
  });
});
