import * as pulumi from "@pulumi/pulumi";
import { beforeAll, describe, expect, it } from "vitest";
import * as z from "zod";
import type { Binding } from "../../../components/core/binding.ts";
import { Namespace } from "../../../components/core/namespace.ts";
import { ExistingMart, Mart } from "../../../components/mart/mart.ts";
import { type Deployment, deploy } from "../../harness.ts";
import { childrenOf, consumerIn, known, leaks, specificationOf, use } from "../wiring.ts";

const Row = z.object({ id: z.string(), celsius: z.number() });
const columns = { id: "text primary key", celsius: "double precision not null" };

describe("Mart", () => {
  let binding: Binding | undefined;
  const program = () => {
    const namespace = new Namespace("iot");
    const mart = new Mart("mart", { namespace });
    const table = mart.table("measurements", Row, { columns });
    const consumer = consumerIn(namespace);
    binding = table.bind(consumer, use("rows", "write"));
    table.bind(consumer, use("rows", "read-write", "again"));
  };

  let deployment: Deployment;
  beforeAll(async () => {
    deployment = await deploy(program);
  });

  it("creates exactly these", async () => {
    expect(childrenOf(deployment).filter((each) => !each.endsWith(" iot"))).toEqual([
      "CertRequest mart-tls-request",
      "ConfigMap mart-configuration",
      "ConfigMap mart-setup-program",
      "Job mart-measurements",
      "Job writer-to-mart-again",
      "Job writer-to-mart-store",
      "LocallySignedCert mart-tls-certificate",
      "NetworkPolicy iot-allow-dns",
      "NetworkPolicy iot-default-deny",
      "NetworkPolicy mart-setup-to-mart-egress",
      "NetworkPolicy mart-setup-to-mart-ingress",
      "NetworkPolicy writer-to-mart-egress",
      "NetworkPolicy writer-to-mart-ingress",
      "PrivateKey mart-tls-ca-key",
      "PrivateKey mart-tls-key",
      "RandomPassword mart-password",
      "RandomPassword writer-to-mart-again",
      "RandomPassword writer-to-mart-store",
      "Secret mart-measurements",
      "Secret mart-server",
      "Secret writer-to-mart-again",
      "Secret writer-to-mart-store",
      "SelfSignedCert mart-tls-ca",
      "Service mart",
      "StatefulSet mart",
    ]);
  });

  it("keeps passwords in Secrets", async () => {
    expect(leaks(deployment, ["mart-password-result", "writer-to-mart-store-result"])).toEqual([]);
    expect(JSON.stringify(deployment.of("kubernetes:core/v1:Secret"))).toContain("writer-to-mart-store-result");
  });

  it("tells the consumer where the table is and who it is", async () => {
    expect(await known(binding?.settings ?? {})).toMatchObject({
      host: "mart.iot.svc",
      port: 5432,
      database: "iot",
      table: "measurements",
      columns: ["id", "celsius"],
      username: "iot.writer.store",
      password: "writer-to-mart-store-result",
    });
    expect(binding?.dependsOn).toHaveLength(3);
  });

  it("tells the Jobs what to make", async () => {
    const server = { host: "mart.iot.svc", port: 5432, database: "iot", username: "fivefold" };
    expect(specificationOf(deployment, "mart-measurements")).toMatchObject({
      task: "table",
      server: { ...server, password: "mart-password-result" },
      table: { name: "measurements", columns: Object.entries(columns), views: [] },
    });
    expect(specificationOf(deployment, "writer-to-mart-again")).toMatchObject({
      task: "user",
      user: {
        name: "iot.writer.again",
        password: "writer-to-mart-again-result",
        table: "measurements",
        access: "read-write",
      },
    });
  });

  it("obeys the restricted Pod Security Standard", async () => {
    const [set] = deployment.of("kubernetes:apps/v1:StatefulSet");
    // biome-ignore lint/suspicious/noExplicitAny: recorded inputs have no types
    const pod = (set as any).inputs.spec.template.spec;
    expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: 999, fsGroup: 999 });
    expect(pod.automountServiceAccountToken).toBe(false);
    expect(pod.containers[0].securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    });
    expect(pod.containers[0].resources.limits).toEqual({ memory: "256Mi" });
  });

  it("lets in only passwords over TLS", async () => {
    const configuration = deployment
      .of("kubernetes:core/v1:ConfigMap")
      .find(({ name }) => name === "mart-configuration");
    const { "pg_hba.conf": rules } = (configuration?.inputs.data ?? {}) as Record<string, string>;
    expect(rules?.trim().split("\n")).toEqual([
      "hostssl all fivefold all scram-sha-256",
      'hostssl "iot" all all scram-sha-256',
    ]);
  });

  it("applies transforms", async () => {
    const deployment = await deploy(() => {
      new Mart("mart", {
        namespace: new Namespace("iot"),
        transform: {
          statefulSet: (set) => {
            Object.assign(set.spec?.template?.spec ?? {}, { nodeSelector: { disk: "ssd" } });
          },
        },
      });
    });
    const [set] = deployment.of("kubernetes:apps/v1:StatefulSet");
    expect(set?.inputs).toMatchObject({ spec: { template: { spec: { nodeSelector: { disk: "ssd" } } } } });
  });

  it("takes only columns of the row, all of them", () => {
    const check = (mart: Mart) => {
      // @ts-expect-error celsius is missing
      mart.table("a", Row, { columns: { id: "text primary key" } });
      // @ts-expect-error there is no fahrenheit
      mart.table("b", Row, { columns: { ...columns, fahrenheit: "double precision" } });
    };
    expect(check).toBeTypeOf("function");
  });
});

describe("ExistingMart", () => {
  it("shares one account", async () => {
    let binding: Binding | undefined;
    const deployment = await deploy(() => {
      const namespace = new Namespace("iot");
      const mart = new ExistingMart("rds", {
        host: "db.example.org",
        database: "sales",
        account: { username: "shared", password: pulumi.secret("s3cr3t-password") },
      });
      binding = mart.table("measurements", Row, { columns }).bind(consumerIn(namespace), use("rows", "write"));
    });
    expect(childrenOf(deployment)).toEqual([
      "Namespace iot",
      "NetworkPolicy iot-allow-dns",
      "NetworkPolicy iot-default-deny",
      "NetworkPolicy writer-to-rds-egress",
    ]);
    expect(await pulumi.isSecret(pulumi.output(binding?.settings))).toBe(true);
    expect(await known(binding?.settings ?? {})).toEqual({
      host: "db.example.org",
      port: 5432,
      database: "sales",
      table: "measurements",
      columns: ["id", "celsius"],
      username: "shared",
      password: "s3cr3t-password",
    });
  });

  it("lets an administrator make a role for each consumer", async () => {
    const deployment = await deploy(() => {
      const namespace = new Namespace("iot");
      const admin = { namespace, username: "root", password: pulumi.secret("s3cr3t-password") };
      const mart = new ExistingMart("rds", { host: "db.example.org", database: "sales", admin });
      mart.table("measurements", Row, { columns }).bind(consumerIn(namespace), use("rows", "read"));
    });
    expect(deployment.of("kubernetes:batch/v1:Job").map(({ name }) => name)).toEqual([
      "rds-measurements",
      "writer-to-rds-store",
    ]);
    expect(leaks(deployment, ["s3cr3t-password", "writer-to-rds-store-result"])).toEqual([]);
    expect(specificationOf(deployment, "writer-to-rds-store")).toMatchObject({
      server: { host: "db.example.org", username: "root", password: "s3cr3t-password" },
      user: { access: "read" },
    });
  });
});
