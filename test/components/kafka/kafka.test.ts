import * as pulumi from "@pulumi/pulumi";
import { describe, expect, it } from "vitest";
import * as z from "zod";
import type { Binding } from "../../../components/core/binding.ts";
import { Namespace } from "../../../components/core/namespace.ts";
import { ExistingKafka } from "../../../components/kafka/existing.ts";
import { Kafka, type KafkaArgs } from "../../../components/kafka/kafka.ts";
import { type Deployment, deploy } from "../../harness.ts";
import { problemsOf } from "../problems.ts";
import { childrenOf, consumerIn, leaks, secretOf, use } from "../wiring.ts";

const Reading = z.object({ device: z.string() });
const known = <T>(output: pulumi.Input<T>): Promise<T> =>
  new Promise((resolve) => pulumi.output(output).apply((value) => resolve(value as T)));
const isSecret = (output: pulumi.Input<object>) => pulumi.isSecret(pulumi.output(output));

const bus = (args: Partial<KafkaArgs> = {}) => {
  const namespace = new Namespace("iot");
  return { namespace, kafka: new Kafka("bus", { namespace, tunnelPort: 21_000, ...args }) };
};

let plain: Promise<Deployment> | undefined;
/** The Kafka of `bus()`, deployed once for all tests that change nothing of it. */
const deployed = () => (plain ??= deploy(() => bus()));

/** What one object has in its inputs. */
// biome-ignore lint/suspicious/noExplicitAny: recorded inputs have no types
const only = (deployment: Deployment, type: string, name: string): any =>
  deployment.of(type).find((each) => each.name === name)?.inputs;

const own = (deployment: Deployment) => childrenOf(deployment).filter((each) => !/ iot(-|$)/.test(each));

describe("Kafka", () => {
  it("creates exactly these", async () => {
    expect(own(await deployed())).toEqual([
      "CertRequest bus-request",
      "ConfigMap bus-configuration",
      "LocallySignedCert bus-certificate",
      "NetworkPolicy bus-brokers",
      "PodDisruptionBudget bus",
      "PrivateKey bus-ca-key",
      "PrivateKey bus-key",
      "RandomId bus-cluster-id",
      "RandomPassword bus-admin",
      "Secret bus-admin",
      "Secret bus-certificates",
      "SelfSignedCert bus-ca",
      "Service bus",
      "Service bus-brokers",
      "StatefulSet bus",
      "kafka bus",
    ]);
  });

  it("creates nothing where a setting is wrong", async () => {
    const deployment = await deploy(() => {
      expect(problemsOf(() => bus({ brokers: 0 }))).toHaveLength(1);
    });
    expect(own(deployment)).toEqual([]);
  });

  it("starts brokers on disks and memory of their own", async () => {
    const deployment = await deploy(() => bus({ brokers: 3, storage: "50 GiB", memory: "4 GiB" }));
    const { spec } = only(deployment, "kubernetes:apps/v1:StatefulSet", "bus");
    expect(spec).toMatchObject({
      serviceName: "bus-brokers",
      replicas: 3,
      podManagementPolicy: "Parallel",
      persistentVolumeClaimRetentionPolicy: { whenDeleted: "Delete", whenScaled: "Retain" },
    });
    expect(spec.volumeClaimTemplates[0].spec.resources).toEqual({ requests: { storage: "50Gi" } });
    const [container] = spec.template.spec.containers;
    expect(container.resources).toEqual({ requests: { cpu: "100m", memory: "4Gi" }, limits: { memory: "4Gi" } });
    expect(container.env).toContainEqual({ name: "KAFKA_HEAP_OPTS", value: "-Xms2048m -Xmx2048m -XX:+AlwaysPreTouch" });
    expect(container.env).toContainEqual({ name: "CONTROLLERS", value: "3" });
    expect(container.env).toContainEqual({ name: "SERVICE", value: "bus-brokers.$(NAMESPACE).svc" });
  });

  it("obeys the restricted Pod Security Standard", async () => {
    const deployment = await deployed();
    const pod = only(deployment, "kubernetes:apps/v1:StatefulSet", "bus").spec.template.spec;
    expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: 1000, fsGroup: 1000 });
    expect(pod).toMatchObject({ automountServiceAccountToken: false, enableServiceLinks: false });
    expect(pod.containers[0].securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    });
  });

  it("keeps passwords and keys in Secrets", async () => {
    const deployment = await deploy(() => {
      const { kafka, namespace } = bus();
      kafka.topic("raw", Reading).bind(consumerIn(namespace), use("records", "write"));
    });
    expect(secretOf(deployment, "bus-admin")).toEqual({ password: "bus-admin-result" });
    expect(secretOf(deployment, "bus-certificates")).toHaveProperty(["server.pem"]);
    expect(leaks(deployment, ["bus-admin-result", "writer-to-bus-store-result"])).toEqual([]);
  });

  it("lets brokers reach each other, and nobody else", async () => {
    const { spec } = only(await deployed(), "kubernetes:networking.k8s.io/v1:NetworkPolicy", "bus-brokers");
    const podSelector = { matchLabels: { "app.kubernetes.io/name": "kafka", "app.kubernetes.io/instance": "bus" } };
    const ports = [
      { protocol: "TCP", port: 9091 },
      { protocol: "TCP", port: 9093 },
    ];
    expect(spec).toEqual({
      podSelector,
      policyTypes: ["Ingress", "Egress"],
      ingress: [{ from: [{ podSelector }], ports }],
      egress: [{ to: [{ podSelector }], ports }],
    });
  });

  it("applies transforms", async () => {
    const deployment = await deploy(() =>
      bus({
        transform: {
          statefulSet: (set) => {
            Object.assign(set.spec?.template?.spec ?? {}, { nodeSelector: { disk: "ssd" } });
          },
        },
      }),
    );
    const { spec } = only(deployment, "kubernetes:apps/v1:StatefulSet", "bus");
    expect(spec.template.spec.nodeSelector).toEqual({ disk: "ssd" });
  });
});

describe("the configuration of brokers", () => {
  const files = (deployment: Deployment): Record<string, string> =>
    only(deployment, "kubernetes:core/v1:ConfigMap", "bus-configuration").data;
  const properties = (text: string | undefined) =>
    Object.fromEntries((text ?? "").split("\n").map((line) => [line.split("=")[0], line.slice(line.indexOf("=") + 1)]));

  it("lets in nobody without TLS and a password or certificate", async () => {
    const server = properties(files(await deployed())["server.properties"]);
    expect(server["listener.security.protocol.map"]?.split(",").sort()).toEqual([
      "CLIENTS:SASL_SSL",
      "CONTROLLER:SSL",
      "REPLICATION:SSL",
      "TUNNEL:SASL_SSL",
    ]);
    expect(server).toMatchObject({
      "sasl.enabled.mechanisms": "SCRAM-SHA-512",
      "listener.name.replication.ssl.client.auth": "required",
      "listener.name.controller.ssl.client.auth": "required",
      "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
      "allow.everyone.if.no.acl.found": "false",
      "super.users": "User:admin;User:CN=bus",
      "auto.create.topics.enable": "false",
    });
  });

  it("knows the administrator's and the brokers' names by the certificate and the user that there are", async () => {
    const deployment = await deployed();
    expect(only(deployment, "tls:index/certRequest:CertRequest", "bus-request")).toMatchObject({
      subject: { commonName: "bus" },
      dnsNames: ["localhost", "bus.iot.svc", "*.bus-brokers.iot.svc"],
    });
    expect(only(deployment, "pulumi:providers:kafka", "bus")).toMatchObject({
      saslUsername: "admin",
      saslMechanism: "scram-sha512",
      tlsEnabled: "true",
      bootstrapServers: '["localhost:21000"]',
    });
  });

  it.each([
    { brokers: 1, factor: "1", minInSync: "1" },
    { brokers: 3, factor: "3", minInSync: "2" },
  ])("copies Kafka's own topics on $brokers brokers too", async ({ brokers, factor, minInSync }) => {
    const server = properties(files(await deploy(() => bus({ brokers })))["server.properties"]);
    expect(server).toMatchObject({
      "default.replication.factor": factor,
      "min.insync.replicas": minInSync,
      "offsets.topic.replication.factor": factor,
      "transaction.state.log.replication.factor": factor,
      "transaction.state.log.min.isr": minInSync,
      "share.coordinator.state.topic.replication.factor": factor,
      "share.coordinator.state.topic.min.isr": minInSync,
    });
  });

  it("advertises one port of the tunnel for each broker", async () => {
    const { "start.sh": script } = files(await deploy(() => bus({ tunnelPort: 25_000 })));
    expect(script).toContain("TUNNEL://127.0.0.1:9094");
    expect(script).toContain("TUNNEL://localhost:$((25000 + ordinal))");
  });
});

describe("Topic", () => {
  const allowed = (deployment: Deployment) =>
    deployment
      .of("kafka:index/acl:Acl")
      .map(({ inputs }) =>
        [
          inputs.aclPrincipal,
          inputs.aclPermissionType,
          inputs.aclOperation,
          inputs.aclResourceType,
          inputs.aclResourceName,
        ].join(" "),
      )
      .sort();

  it("has the copies that there are brokers for", async () => {
    const deployment = await deploy(() => bus({ brokers: 3 }).kafka.topic("raw", Reading, { partitions: 6 }));
    expect(only(deployment, "kafka:index/topic:Topic", "bus-raw")).toEqual({
      name: "raw",
      partitions: 6,
      replicationFactor: 3,
      config: { "retention.ms": "604800000", "min.insync.replicas": "2" },
    });
  });

  it("gives a writer a user that may write, and nothing else", async () => {
    let binding: Binding | undefined;
    const deployment = await deploy(() => {
      const { namespace, kafka } = bus();
      binding = kafka.topic("raw", Reading).bind(consumerIn(namespace), use("records", "write", "out"));
    });
    expect(allowed(deployment)).toEqual(["User:iot.writer.out Allow Write Topic raw"]);
    expect(await known(binding?.settings ?? {})).toMatchObject({
      topic: "raw",
      kafka: {
        bootstrap: ["bus.iot.svc:9092"],
        username: "iot.writer.out",
        password: "writer-to-bus-out-result",
      },
    });
    expect(await isSecret(binding?.settings ?? {})).toBe(true);
    const { username, scramMechanism } = only(
      deployment,
      "kafka:index/userScramCredential:UserScramCredential",
      "writer-to-bus-out",
    );
    expect({ username, scramMechanism }).toEqual({ username: "iot.writer.out", scramMechanism: "SCRAM-SHA-512" });
  });

  it("gives a reader a user that may read as one group", async () => {
    let binding: Binding | undefined;
    const deployment = await deploy(() => {
      const { namespace, kafka } = bus();
      binding = kafka.topic("raw", Reading).source(consumerIn(namespace, "relay"));
    });
    expect(allowed(deployment)).toEqual([
      "User:iot.relay.source Allow Read Group iot.relay",
      "User:iot.relay.source Allow Read Topic raw",
    ]);
    expect(await known(binding?.settings ?? {})).toMatchObject({ kind: "kafka", topic: "raw", group: "iot.relay" });
  });

  it("opens the way from one consumer once, however many ports it has", async () => {
    const deployment = await deploy(() => {
      const { namespace, kafka } = bus();
      const raw = kafka.topic("raw", Reading);
      const consumer = consumerIn(namespace, "relay");
      raw.source(consumer);
      raw.deadLetters().bind(consumer, use("records", "write", "dead-letters"));
    });
    const rules = deployment.of("kubernetes:networking.k8s.io/v1:NetworkPolicy").map(({ name }) => name);
    expect(rules.filter((name) => name.startsWith("relay"))).toEqual(["relay-to-bus-egress", "relay-to-bus-ingress"]);
    expect(allowed(deployment)).toContain("User:iot.relay.dead-letters Allow Write Topic raw.dead-letters");
  });

  it("makes the topic of dead letters when it is asked for, and once", async () => {
    const without = await deploy(() => bus().kafka.topic("raw", Reading));
    expect(without.of("kafka:index/topic:Topic").map(({ name }) => name)).toEqual(["bus-raw"]);
    const deployment = await deploy(() => {
      const raw = bus().kafka.topic("raw", Reading);
      expect(raw.deadLetters()).toBe(raw.deadLetters());
    });
    expect(only(deployment, "kafka:index/topic:Topic", "bus-raw.dead-letters")).toMatchObject({
      name: "raw.dead-letters",
      partitions: 1,
      config: { "retention.ms": "2592000000" },
    });
  });

  it("has a name of its own", async () => {
    await deploy(() => {
      const { kafka } = bus();
      kafka.topic("raw", Reading);
      expect(problemsOf(() => kafka.topic("raw", Reading))).toEqual(["name: there is a topic of this name already"]);
    });
  });

  it("applies transforms", async () => {
    const deployment = await deploy(() =>
      bus().kafka.topic("raw", Reading, {
        transform: {
          topic: (topic) => {
            topic.config = { ...topic.config, "cleanup.policy": "compact" };
          },
        },
      }),
    );
    expect(only(deployment, "kafka:index/topic:Topic", "bus-raw").config["cleanup.policy"]).toBe("compact");
  });
});

describe("ExistingKafka", () => {
  const bootstrap = ["one.example:9096", "two.example:9096"];
  const admin = { username: "root", password: pulumi.secret("hidden") };
  const account = { username: "shared", password: pulumi.secret("shared-password") };

  it("makes topics and users directly", async () => {
    const deployment = await deploy(() => {
      const namespace = new Namespace("iot");
      const raw = new ExistingKafka("msk", { bootstrap, admin, ca: "PEM" }).topic("raw", Reading);
      raw.bind(consumerIn(namespace), use("records", "write"));
    });
    expect(own(deployment)).toEqual([
      "Acl writer-to-msk-store-topic-write",
      "NetworkPolicy writer-to-msk-9096-egress",
      "RandomPassword writer-to-msk-store",
      "Topic msk-raw",
      "UserScramCredential writer-to-msk-store",
      "kafka msk",
    ]);
    expect(only(deployment, "pulumi:providers:kafka", "msk")).toMatchObject({
      bootstrapServers: JSON.stringify(bootstrap),
      caCert: "PEM",
      saslUsername: "root",
    });
  });

  it("shares an account where it is given one", async () => {
    let binding: Binding | undefined;
    const deployment = await deploy(() => {
      const namespace = new Namespace("iot");
      binding = new ExistingKafka("msk", { bootstrap, account }).topic("raw", Reading).source(consumerIn(namespace));
    });
    expect(own(deployment)).toEqual(["NetworkPolicy writer-to-msk-9096-egress"]);
    expect(await known(binding?.settings ?? {})).toEqual({
      kind: "kafka",
      topic: "raw",
      group: "iot.writer",
      kafka: { bootstrap, username: "shared", password: "shared-password" },
    });
  });
});
