/** What nobody may do in the architecture, tried inside the cluster with credentials that are right for something else. */
import { beforeAll, describe, expect, it } from "vitest";
import { bundle, gzip } from "../../../components/core/bundle.ts";
import { kubectl } from "../cluster.ts";

/** How each attempt is refused: the server's own code, or how it ended the connection. */
const refused: Readonly<Record<string, string | number>> = {
  "MQTT: an unknown device": 135,
  "MQTT: a wrong password": 135,
  "MQTT: another device's password": 135,
  "MQTT: the relay's name with a device's password": 135,
  "MQTT: takes over the session of a relay": "has one of its own",
  "MQTT: no name and no password": 135,
  "MQTT: publishes under another device's name": 135,
  "MQTT: publishes below its own topic": 135,
  // It is looked at only when it is to be published: what is stored tells.
  "MQTT: leaves a will under another device's name": "allowed",
  "MQTT: plain text": "hung up",
  "MQTT: over TLS, without a name": "answered 20020005",
  "Kafka: an unknown user": "SASL_AUTHENTICATION_FAILED",
  "Kafka: a wrong password": "SASL_AUTHENTICATION_FAILED",
  "Kafka: another user's password": "SASL_AUTHENTICATION_FAILED",
  "Kafka: a password in the clear, over TLS": "UNSUPPORTED_SASL_MECHANISM",
  "Kafka: plain text": "TLS alert, hung up",
  "Kafka: over TLS, without credentials": "PLT_KFK_NETWORK",
  "Kafka: the brokers' port, without a certificate": "ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED",
  "Kafka: the controllers' port, without a certificate": "ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED",
  "Kafka: who may only write reads": "TOPIC_AUTHORIZATION_FAILED",
  "Kafka: who may only read writes": "TOPIC_AUTHORIZATION_FAILED",
  "Kafka: writes another topic": "TOPIC_AUTHORIZATION_FAILED",
  "Kafka: reads another topic": "TOPIC_AUTHORIZATION_FAILED",
  "Kafka: looks at another's consumer group": "GROUP_AUTHORIZATION_FAILED",
  "Kafka: makes a topic": "TOPIC_AUTHORIZATION_FAILED",
  "Kafka: lists the access rules": "CLUSTER_AUTHORIZATION_FAILED",
  "MongoDB: an unknown user": 18,
  "MongoDB: a wrong password": 18,
  "MongoDB: another user's password": 18,
  "MongoDB: no user": 13,
  "MongoDB: plain text": "hung up",
  "MongoDB: who may only read writes": 13,
  "MongoDB: reads another database": 13,
  "MongoDB: writes another database": 13,
  "MongoDB: reads the users": 13,
  "MongoDB: makes a user": 13,
  "MongoDB: lists the databases": 13,
  "lake: without a signature": "403 AccessDenied",
  "lake: plain text": "400",
  "lake: an unknown key": "403 InvalidAccessKeyId",
  "lake: another user's secret": "403 SignatureDoesNotMatch",
  "lake: who may only read writes": "403 AccessDenied",
  "lake: who may not delete deletes": "403 AccessDenied",
  "lake: writes another bucket": "403 AccessDenied",
  "lake: writes a bucket whose name begins with its own": "403 AccessDenied",
  "lake: lists another bucket": "403 AccessDenied",
  "lake: makes a bucket": "403 AccessDenied",
  "lake: makes a user": "403 AccessDenied",
  "lake: lists the users": "403 AccessDenied",
  "mart: an unknown role": "28P01",
  "mart: a wrong password": "28P01",
  "mart: another role's password": "28P01",
  "mart: plain text": "28000",
  "mart: another database": "28000",
  "mart: who may only read writes": "42501",
  "mart: who may only write reads": "42501",
  "mart: who may only write changes": "42501",
  "mart: who may only write deletes": "42501",
  "mart: makes a table": "42501",
  "mart: makes a temporary table": "42501",
  "mart: makes a schema": "42501",
  "mart: makes a role": "42501",
  "mart: stores a large object": "42501",
  "mart: becomes the administrator": "42501",
  "mart: reads the passwords": "42501",
  "mart: reads a file of the server": "42501",
  "mart: runs a program on the server": "42501",
  "ingest: without a password": 401,
  "ingest: a wrong password": 401,
  "ingest: an unknown device": 401,
  "ingest: another device's password": 401,
  "ingest: a password that is none of Basic": 401,
  "ingest: another method": 405,
  "Fission: unsigned": 401,
  "Fission: signed with another key": 401,
  "Fission: signed for another body": 401,
  "Fission: signed for another function": 401,
  "Fission: signed an hour ago": 401,
  "Fission: by name through the public listener": 404,
  "lake-writer: without a token": 401,
  "lake-writer: another service's token": 401,
  "mart-writer: without a token": 401,
  "mart-writer: a wrong token": 401,
};

interface Result {
  readonly outcomes: Readonly<Record<string, string | number>>;
  /** The sequence of the readings that were sent as they should be, after the attempts. */
  readonly honest: number;
  readonly stores: object;
  readonly topics: object;
  readonly refused: object;
}

/** @param at where the architecture runs */
export function refusals(at: { readonly instance: string; readonly stack: string }): void {
  describe("refusals", () => {
    let result: Result;
    beforeAll(async () => {
      result = await attempt(at.instance, at.stack);
    }, 240_000);

    it("are all that is tried", () => expect(Object.keys(result.outcomes)).toEqual(Object.keys(refused)));

    it.each(Object.entries(refused))("%s: %s", (name, code) => expect(result.outcomes[name]).toBe(code));

    it("store nothing, while what is sent as it should be is stored once", () => {
      const { honest, stores, topics, refused } = result;
      const ids = [`device-002-${honest}`, `device-005-${honest}`];
      expect(stores).toEqual({ readings: ids.map((id) => `${at.stack}: ${id}`), mart: ids, lake: ids });
      const reading = `${honest},2026-11-23T05:00:00Z,4.2`;
      expect(topics).toEqual({
        raw: [`device-002: ${reading}`, `device-005: ${reading}`],
        "raw.dead-letters": [],
        "readings.dead-letters": [],
      });
      expect(refused).toEqual({ heard: [], relations: [], object: "404 NoSuchKey" });
    });
  });
}

/** The consumers whose credentials are misused. */
const consumers = ["compute", "gateway-to-raw", "lake-writer", "mart-writer", "normalize", "raw-to-normalize"];

/** Runs the attempts as a Job like the verifier's, with further Secrets. */
async function attempt(instance: string, stack: string): Promise<Result> {
  const run = (args: readonly string[], input?: object) => kubectl(instance, ["--namespace", stack, ...args], input);
  const verifier = JSON.parse(await run(["get", "cronjob", "verify", "--output=json"]));
  const names = (await run(["get", "secrets", "--output=name"])).split("\n").map((name) => name.replace("secret/", ""));
  const administrator = (prefix: string) => names.find((name) => name.startsWith(prefix));

  const metadata = { name: `refusals-${Date.now().toString(36)}` };
  const code = gzip(bundle(new URL("attempts/main.ts", import.meta.url)));
  const program = {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata,
    binaryData: { "program.cjs.gz": Buffer.from(code).toString("base64") },
  };
  const { spec } = structuredClone(verifier.spec.jobTemplate);
  const pod = spec.template.spec;
  const secrets = [
    ...consumers.map((name) => ({ name, secretName: `${name}-ports`, mountPath: `/secrets/${stack}/${name}-ports` })),
    { name: "mongo", secretName: administrator("store-server-"), mountPath: "/administrator/mongo" },
    { name: "kafka", secretName: administrator("bus-admin-"), mountPath: "/administrator/kafka" },
  ];
  for (const { name, secretName, mountPath } of secrets) {
    pod.volumes.push({ name, secret: { secretName } });
    pod.containers[0].volumeMounts.push({ name, mountPath, readOnly: true });
  }
  pod.volumes.find(({ name }: { name: string }) => name === "program").configMap = { name: metadata.name };
  const job = { apiVersion: "batch/v1", kind: "Job", metadata, spec: { ...spec, activeDeadlineSeconds: 180 } };

  const named = [`job/${metadata.name}`, `configmap/${metadata.name}`];
  try {
    await run(["create", "--filename=-"], { apiVersion: "v1", kind: "List", items: [program, job] });
    // What ends at once was never seen ready; its output says why.
    await run(["wait", `job/${metadata.name}`, "--for=jsonpath={.status.ready}=1", "--timeout=60s"]).catch(() => {});
    const output = await run(["logs", "--follow", `job/${metadata.name}`, "--pod-running-timeout=60s"]);
    const line = output.split("\n").find((each) => each.startsWith("RESULT "));
    if (!line) throw new Error(`The attempts ended without a result:\n${output}`);
    return JSON.parse(line.slice("RESULT ".length));
  } finally {
    await run(["delete", ...named, "--cascade=foreground", "--ignore-not-found"]);
  }
}
