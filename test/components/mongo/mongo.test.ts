import * as pulumi from "@pulumi/pulumi";
import { beforeAll, describe, expect, it } from "vitest";
import * as z from "zod";
import type { Binding } from "../../../components/core/binding.ts";
import { Namespace } from "../../../components/core/namespace.ts";
import { ExistingMongo, Mongo } from "../../../components/mongo/mongo.ts";
import { type Deployment, deploy } from "../../harness.ts";
import { childrenOf, consumerIn, known, leaks, specificationOf, use } from "../wiring.ts";

const Reading = z.object({ id: z.string(), device: z.string() });

describe("Mongo", () => {
  const bindings: Binding[] = [];
  const program = (members = 1) => {
    const namespace = new Namespace("iot");
    const readings = new Mongo("store", { namespace, members }).collection("readings", Reading);
    const consumer = consumerIn(namespace);
    bindings.length = 0;
    bindings.push(
      readings.bind(consumer, use("documents", "read")),
      readings.bind(consumer, use("documents", "read-write", "again")),
      readings.source(consumerIn(namespace, "relay"), { key: "device" }),
    );
  };

  let deployment: Deployment;
  beforeAll(async () => {
    deployment = await deploy(() => program());
  });

  it("creates exactly these", async () => {
    expect(childrenOf(deployment)).toEqual([
      "CertRequest store-tls-request",
      "ConfigMap store-setup-program",
      "Job relay-to-store-readings-changes",
      "Job store-replica-set",
      "Job writer-to-store-again",
      "Job writer-to-store-store",
      "LocallySignedCert store-tls-certificate",
      "Namespace iot",
      "NetworkPolicy iot-allow-dns",
      "NetworkPolicy iot-default-deny",
      "NetworkPolicy relay-to-store-egress",
      "NetworkPolicy relay-to-store-ingress",
      "NetworkPolicy store-setup-to-store-egress",
      "NetworkPolicy store-setup-to-store-ingress",
      "NetworkPolicy writer-to-store-egress",
      "NetworkPolicy writer-to-store-ingress",
      "PodDisruptionBudget store",
      "PrivateKey store-tls-ca-key",
      "PrivateKey store-tls-key",
      "RandomPassword relay-to-store-readings-changes",
      "RandomPassword store-key",
      "RandomPassword store-password",
      "RandomPassword writer-to-store-again",
      "RandomPassword writer-to-store-store",
      "Secret relay-to-store-readings-changes",
      "Secret store-replica-set",
      "Secret store-server",
      "Secret writer-to-store-again",
      "Secret writer-to-store-store",
      "SelfSignedCert store-tls-ca",
      "Service store",
      "StatefulSet store",
    ]);
  });

  it("keeps passwords and the key of the members in Secrets", async () => {
    const secrets = ["store-password-result", "store-key-result", "writer-to-store-store-result"];
    expect(leaks(deployment, secrets)).toEqual([]);
  });

  it("gives each consumer the role that its port needs", async () => {
    const rolesOf = (name: string) => specificationOf(deployment, name) as { user: { name: string; roles: unknown } };
    expect(rolesOf("writer-to-store-store").user).toMatchObject({
      name: "iot.writer.store",
      roles: [{ role: "read", db: "iot" }],
    });
    expect(rolesOf("writer-to-store-again").user.roles).toEqual([{ role: "readWrite", db: "iot" }]);
    expect(rolesOf("relay-to-store-readings-changes").user.roles).toEqual([{ role: "readWrite", db: "iot" }]);
  });

  it("tells the consumer where the collection is and who it is", async () => {
    expect(await known(bindings[0]?.settings ?? {})).toMatchObject({
      hosts: ["store-0.store.iot.svc:27017"],
      replicaSet: "rs0",
      authSource: "admin",
      database: "iot",
      collection: "readings",
      username: "iot.writer.store",
      password: "writer-to-store-store-result",
    });
  });

  it("tells the relay which field is the key and where its tokens are", async () => {
    expect(await known(bindings[2]?.settings ?? {})).toMatchObject({
      kind: "mongo",
      collection: "readings",
      username: "iot.relay.readings-changes",
      key: "device",
      tokens: "relay",
    });
  });

  it("lets members reach each other, and every one has its name", async () => {
    const three = await deploy(() => program(3));
    expect(childrenOf(three)).toContain("NetworkPolicy store-to-store-ingress");
    expect(specificationOf(three, "store-replica-set")).toMatchObject({
      task: "replica-set",
      server: { hosts: [0, 1, 2].map((n) => `store-${n}.store.iot.svc:27017`), replicaSet: "rs0" },
    });
    const [request] = three.of("tls:index/certRequest:CertRequest");
    expect(request?.inputs.dnsNames).toEqual([0, 1, 2].map((n) => `store-${n}.store.iot.svc`));
  });

  it("takes as key only a field of the documents", () => {
    const check = (mongo: Mongo, consumer: ReturnType<typeof consumerIn>) => {
      // @ts-expect-error there is no such field
      mongo.collection("readings", Reading).source(consumer, { key: "site" });
    };
    expect(check).toBeTypeOf("function");
  });
});

describe("ExistingMongo", () => {
  const place = { hosts: ["a.example.org:27017", "b.example.org:27018"], replicaSet: "rs", database: "iot" };

  it("shares one account", async () => {
    let binding: Binding | undefined;
    const deployment = await deploy(() => {
      const namespace = new Namespace("iot");
      const account = { username: "shared", password: pulumi.secret("s3cr3t") };
      const readings = new ExistingMongo("atlas", { ...place, account }).collection("readings", Reading);
      binding = readings.bind(consumerIn(namespace), use("documents", "read"));
    });
    expect(childrenOf(deployment)).toEqual([
      "Namespace iot",
      "NetworkPolicy iot-allow-dns",
      "NetworkPolicy iot-default-deny",
      "NetworkPolicy writer-to-atlas-27017-egress",
      "NetworkPolicy writer-to-atlas-27018-egress",
    ]);
    expect(await pulumi.isSecret(pulumi.output(binding?.settings))).toBe(true);
    expect(await known(binding?.settings ?? {})).toEqual({
      ...place,
      authSource: "admin",
      collection: "readings",
      username: "shared",
      password: "s3cr3t",
    });
  });

  it("lets an administrator make a user for each consumer", async () => {
    const deployment = await deploy(() => {
      const namespace = new Namespace("iot");
      const admin = { namespace, username: "root", password: pulumi.secret("s3cr3t-password") };
      const readings = new ExistingMongo("own", { ...place, admin }).collection("readings", Reading);
      readings.bind(consumerIn(namespace), use("documents", "write"));
    });
    expect(deployment.of("kubernetes:batch/v1:Job").map(({ name }) => name)).toEqual(["writer-to-own-store"]);
    expect(leaks(deployment, ["s3cr3t-password"])).toEqual([]);
    expect(specificationOf(deployment, "writer-to-own-store")).toMatchObject({
      task: "user",
      server: { hosts: place.hosts, username: "root", password: "s3cr3t-password" },
    });
  });
});
