import * as pulumi from "@pulumi/pulumi";
import { beforeAll, describe, expect, it } from "vitest";
import type { Binding } from "../../../components/core/binding.ts";
import { Namespace } from "../../../components/core/namespace.ts";
import { ExistingLake, Lake } from "../../../components/lake/lake.ts";
import { type Deployment, deploy } from "../../harness.ts";
import { childrenOf, consumerIn, known, leaks, secretOf, specificationOf, use } from "../wiring.ts";

describe("Lake", () => {
  let binding: Binding | undefined;
  const program = () => {
    const namespace = new Namespace("iot");
    const bucket = new Lake("lake", { namespace }).bucket("measurements");
    const consumer = consumerIn(namespace);
    binding = bucket.bind(consumer, use("objects", "write"));
    bucket.bind(consumer, use("objects", "read", "again"));
  };

  let deployment: Deployment;
  beforeAll(async () => {
    deployment = await deploy(program);
  });

  it("creates exactly these", async () => {
    expect(childrenOf(deployment)).toEqual(
      [
        "CertRequest lake-tls-request",
        "ConfigMap lake-setup-program",
        "Job lake-measurements",
        "Job writer-to-lake-again",
        "Job writer-to-lake-store",
        "LocallySignedCert lake-tls-certificate",
        "Namespace iot",
        "NetworkPolicy iot-allow-dns",
        "NetworkPolicy iot-default-deny",
        "NetworkPolicy lake-setup-to-lake-egress",
        "NetworkPolicy lake-setup-to-lake-ingress",
        "NetworkPolicy writer-to-lake-egress",
        "NetworkPolicy writer-to-lake-ingress",
        "PrivateKey lake-tls-ca-key",
        "PrivateKey lake-tls-key",
        "RandomPassword lake-administrator",
        "RandomPassword writer-to-lake-again",
        "RandomPassword writer-to-lake-store",
        "RandomString lake-administrator",
        "RandomString writer-to-lake-again",
        "RandomString writer-to-lake-store",
        "SelfSignedCert lake-tls-ca",
        "Secret lake-measurements",
        "Secret lake-server",
        "Secret writer-to-lake-again",
        "Secret writer-to-lake-store",
        "Service lake",
        "StatefulSet lake",
      ].sort(),
    );
  });

  it("opens the port of S3 and no other", async () => {
    const rules = deployment
      .of("kubernetes:networking.k8s.io/v1:NetworkPolicy")
      .filter(({ name }) => name.includes("-to-lake-"));
    expect(rules).toHaveLength(4);
    for (const { inputs } of rules) expect(JSON.stringify(inputs).match(/"port":\d+/g)).toEqual(['"port":8333']);
    const [set] = deployment.of("kubernetes:apps/v1:StatefulSet");
    const args = argsOf(set?.inputs);
    expect(args).toContain("-ip.bind=127.0.0.1");
    expect(args.filter((arg) => arg.includes("0.0.0.0"))).toEqual(["-s3.ip.bind=0.0.0.0"]);
    expect(args).toContain("-master.telemetry=false");
  });

  it("gives the keys of the administrator to the server and the Jobs alone", async () => {
    expect(leaks(deployment, ["lake-administrator-result", "writer-to-lake-store-result"])).toEqual([]);
    const { "administrator.json": text } = secretOf(deployment, "lake-server");
    const keys = { accessKey: "lake-administrator-result", secretKey: "lake-administrator-result" };
    expect(JSON.parse(text ?? "")).toEqual({
      identities: [{ name: "administrator", credentials: [keys], actions: ["Admin"] }],
    });
    expect(JSON.stringify(await known(binding?.settings ?? {}))).not.toContain("administrator");
  });

  it("tells the consumer where the bucket is and with which keys", async () => {
    expect(await known(binding?.settings ?? {})).toMatchObject({
      endpoint: "https://lake.iot.svc:8333",
      region: "us-east-1",
      bucket: "measurements",
      accessKeyId: "writer-to-lake-store-result",
      secretAccessKey: "writer-to-lake-store-result",
    });
  });

  it("tells the Jobs what to make", async () => {
    expect(specificationOf(deployment, "lake-measurements")).toMatchObject({ task: "bucket", bucket: "measurements" });
    expect(specificationOf(deployment, "writer-to-lake-again")).toMatchObject({
      task: "user",
      server: { endpoint: "https://lake.iot.svc:8333", accessKeyId: "lake-administrator-result" },
      user: { name: "iot.writer.again", bucket: "measurements", access: "read" },
    });
  });
});

describe("ExistingLake", () => {
  it("shares its keys", async () => {
    let binding: Binding | undefined;
    const deployment = await deploy(() => {
      const namespace = new Namespace("iot");
      const lake = new ExistingLake("s3", {
        endpoint: "https://s3.example.org:9000",
        region: "here",
        accessKeyId: "id",
        secretAccessKey: pulumi.secret("s3cr3t"),
      });
      binding = lake.bucket("measurements").bind(consumerIn(namespace), use("objects", "write"));
    });
    expect(childrenOf(deployment)).toEqual([
      "Namespace iot",
      "NetworkPolicy iot-allow-dns",
      "NetworkPolicy iot-default-deny",
      "NetworkPolicy writer-to-s3-egress",
    ]);
    expect(await pulumi.isSecret(pulumi.output(binding?.settings))).toBe(true);
    expect(await known(binding?.settings ?? {})).toEqual({
      endpoint: "https://s3.example.org:9000",
      region: "here",
      bucket: "measurements",
      accessKeyId: "id",
      secretAccessKey: "s3cr3t",
    });
  });
});

// biome-ignore lint/suspicious/noExplicitAny: recorded inputs have no types
const argsOf = (inputs: any): string[] => inputs.spec.template.spec.containers[0].args;
