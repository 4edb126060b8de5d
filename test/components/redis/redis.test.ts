import * as pulumi from "@pulumi/pulumi";
import { beforeAll, describe, expect, it } from "vitest";
import * as z from "zod";
import type { Binding } from "../../../components/core/binding.ts";
import { Namespace } from "../../../components/core/namespace.ts";
import { ExistingRedis, Redis } from "../../../components/redis/redis.ts";
import { type Deployment, deploy } from "../../harness.ts";
import { childrenOf, consumerIn, known, leaks, specificationOf, use } from "../wiring.ts";

const Payment = z.object({ id: z.string(), outcome: z.enum(["approved", "declined"]) });

describe("Redis", () => {
  const bindings: Binding[] = [];
  const program = (replicas = 0) => {
    const namespace = new Namespace("payments");
    const payments = new Redis("grid", { namespace, replicas }).map("payments", Payment, { keep: "1 day" });
    const consumer = consumerIn(namespace);
    bindings.length = 0;
    bindings.push(
      payments.bind(consumer, use("grid", "read-write")),
      payments.bind(consumer, use("grid", "read", "look")),
      payments.deadLetters().bind(consumer, use("records", "read-write", "dead-letters")),
    );
  };

  let deployment: Deployment;
  beforeAll(async () => {
    deployment = await deploy(() => program());
  });

  it("creates exactly these", () => {
    expect(childrenOf(deployment)).toEqual([
      "CertRequest grid-tls-request",
      "ConfigMap grid-setup-program",
      "Job writer-to-grid-dead-letters",
      "Job writer-to-grid-look",
      "Job writer-to-grid-store",
      "LocallySignedCert grid-tls-certificate",
      "Namespace payments",
      "NetworkPolicy grid-setup-to-grid-egress",
      "NetworkPolicy grid-setup-to-grid-ingress",
      "NetworkPolicy payments-allow-dns",
      "NetworkPolicy payments-default-deny",
      "NetworkPolicy writer-to-grid-egress",
      "NetworkPolicy writer-to-grid-ingress",
      "PodDisruptionBudget grid",
      "PrivateKey grid-tls-ca-key",
      "PrivateKey grid-tls-key",
      "RandomPassword grid-password",
      "RandomPassword writer-to-grid-dead-letters",
      "RandomPassword writer-to-grid-look",
      "RandomPassword writer-to-grid-store",
      "Secret grid-server",
      "Secret writer-to-grid-dead-letters",
      "Secret writer-to-grid-look",
      "Secret writer-to-grid-store",
      "SelfSignedCert grid-tls-ca",
      "Service grid",
      "StatefulSet grid",
    ]);
  });

  it("keeps passwords in Secrets", () => {
    expect(leaks(deployment, ["grid-password-result", "writer-to-grid-store-result"])).toEqual([]);
  });

  it("makes a user for each part of the map", () => {
    const userOf = (name: string) => (specificationOf(deployment, name) as { user: object }).user;
    expect(userOf("writer-to-grid-store")).toMatchObject({
      name: "payments.writer.store",
      map: "payments",
      part: "values",
    });
    expect(userOf("writer-to-grid-look")).toMatchObject({ name: "payments.writer.look", part: "values, to read" });
    expect(userOf("writer-to-grid-dead-letters")).toMatchObject({ part: "dead letters" });
  });

  it("tells the consumer where the map is and who it is", async () => {
    expect(await known(bindings[0]?.settings ?? {})).toMatchObject({
      host: "grid-0.grid.payments.svc",
      port: 6379,
      username: "payments.writer.store",
      password: "writer-to-grid-store-result",
      map: "payments",
      keepMilliseconds: 86_400_000,
      retentionMilliseconds: 7 * 86_400_000,
    });
  });

  it("tells a relay where dead letters go", async () => {
    expect(await known(bindings[2]?.settings ?? {})).toMatchObject({
      redis: { host: "grid-0.grid.payments.svc", username: "payments.writer.dead-letters" },
      stream: "payments.dead-letters",
    });
  });

  it("makes users on every member, and lets members reach each other", async () => {
    const three = await deploy(() => program(2));
    expect(childrenOf(three)).toContain("NetworkPolicy grid-to-grid-ingress");
    expect(specificationOf(three, "writer-to-grid-store")).toMatchObject({
      server: { hosts: [0, 1, 2].map((n) => `grid-${n}.grid.payments.svc`), port: 6379 },
    });
    const [request] = three.of("tls:index/certRequest:CertRequest");
    expect(request?.inputs.dnsNames).toEqual([0, 1, 2].map((n) => `grid-${n}.grid.payments.svc`));
    const [set] = three.of("kubernetes:apps/v1:StatefulSet");
    expect(set?.inputs.spec).toMatchObject({ replicas: 3 });
  });
});

describe("ExistingRedis", () => {
  it("shares one account", async () => {
    let binding: Binding | undefined;
    const deployment = await deploy(() => {
      const namespace = new Namespace("payments");
      const account = { username: "shared", password: pulumi.secret("s3cr3t") };
      const payments = new ExistingRedis("cloud", { host: "grid.example.org", account }).map("payments", Payment);
      binding = payments.bind(consumerIn(namespace), use("grid", "read"));
    });
    expect(childrenOf(deployment)).toEqual([
      "Namespace payments",
      "NetworkPolicy payments-allow-dns",
      "NetworkPolicy payments-default-deny",
      "NetworkPolicy writer-to-cloud-egress",
    ]);
    expect(await pulumi.isSecret(pulumi.output(binding?.settings))).toBe(true);
    expect(await known(binding?.settings ?? {})).toMatchObject({ host: "grid.example.org", username: "shared" });
  });

  it("lets an administrator make a user for each consumer", async () => {
    const deployment = await deploy(() => {
      const namespace = new Namespace("payments");
      const admin = { namespace, username: "root", password: pulumi.secret("s3cr3t-password") };
      const payments = new ExistingRedis("own", { host: "grid.example.org", admin }).map("payments", Payment);
      payments.bind(consumerIn(namespace), use("grid", "write"));
    });
    expect(leaks(deployment, ["s3cr3t-password"])).toEqual([]);
    expect(specificationOf(deployment, "writer-to-own-store")).toMatchObject({
      server: { hosts: ["grid.example.org"], username: "root", password: "s3cr3t-password" },
      user: { part: "values" },
    });
  });
});
