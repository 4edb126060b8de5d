import { pbkdf2Sync } from "node:crypto";
import * as pulumi from "@pulumi/pulumi";
import { describe, expect, it } from "vitest";
import type { Binding } from "../../../components/core/binding.ts";
import { Namespace } from "../../../components/core/namespace.ts";
import { readers } from "../../../components/mqtt/defaults.ts";
import { MqttGateway, type MqttGatewayArgs } from "../../../components/mqtt/gateway.ts";
import { devicePassword, mosquittoEntry } from "../../../components/mqtt/passwords.ts";
import { type CredentialsSettings, connect } from "../../../functions/kit/clients/credentials.ts";
import { type Deployment, deploy } from "../../harness.ts";
import { problemsOf } from "../problems.ts";
import { childrenOf, consumerIn, leaks, secretOf, use } from "../wiring.ts";

const root = "gateway-passwords-result";
const known = <T>(output: pulumi.Input<T>): Promise<T> =>
  new Promise((resolve) => pulumi.output(output).apply((value) => resolve(value as T)));

const gatewayOf = (args: Partial<MqttGatewayArgs> = {}) => {
  const namespace = new Namespace("iot");
  return { namespace, gateway: new MqttGateway("gateway", { namespace, devices: ["d1", "d2"], ...args }) };
};

let plain: Promise<Deployment> | undefined;
/** The gateway of `gatewayOf()`, deployed once for all tests that change nothing of it. */
const deployed = () => (plain ??= deploy(() => gatewayOf()));

// biome-ignore lint/suspicious/noExplicitAny: recorded inputs have no types
const only = (deployment: Deployment, type: string, name: string): any =>
  deployment.of(type).find((each) => each.name === name)?.inputs;

const own = (deployment: Deployment) => childrenOf(deployment).filter((each) => !/ iot(-|$)/.test(each));

describe("MqttGateway", () => {
  it("creates exactly these", async () => {
    expect(own(await deployed())).toEqual([
      "CertRequest gateway-request",
      "ConfigMap gateway-configuration",
      "LocallySignedCert gateway-certificate",
      "NetworkPolicy gateway-devices",
      "PrivateKey gateway-ca-key",
      "PrivateKey gateway-key",
      "RandomPassword gateway-passwords",
      "Secret gateway-access",
      "Secret gateway-devices",
      "SelfSignedCert gateway-ca",
      "Service gateway",
      "StatefulSet gateway",
    ]);
  });

  it("creates nothing where a setting is wrong", async () => {
    const deployment = await deploy(() => {
      expect(problemsOf(() => gatewayOf({ devices: ["a", "a"] }))).toHaveLength(1);
    });
    expect(own(deployment)).toEqual([]);
  });

  it("gives each device a password of its own, and keeps it in Secrets", async () => {
    const deployment = await deployed();
    const passwords = secretOf(deployment, "gateway-devices");
    expect(Object.keys(passwords)).toEqual(["d1", "d2"]);
    expect(passwords.d1).toMatch(/^[\w-]{32}$/);
    expect(passwords.d1).not.toBe(passwords.d2);
    expect(leaks(deployment, [root, ...Object.values(passwords)])).toEqual([]);
    expect(only(deployment, "kubernetes:core/v1:Secret", "gateway-devices").metadata.name).toBe("gateway-devices");
  });

  it("lets Mosquitto know all devices, and those who read", async () => {
    const { passwords } = secretOf(await deployed(), "gateway-access");
    const names = passwords
      ?.trim()
      .split("\n")
      .map((line) => line.split(":")[0]);
    expect(names).toEqual([...readers, "d1", "d2"]);
  });

  it("lets devices write under their own names only", async () => {
    const { rules } = secretOf(await deployed(), "gateway-access");
    expect(rules?.split("\n").filter(Boolean)).toEqual([
      ...readers.flatMap((reader) => [`user ${reader}`, "topic read devices/+/readings"]),
      "pattern write devices/%u/readings",
    ]);
  });

  it("lets in nobody without TLS and a password", async () => {
    const deployment = await deployed();
    const lines: string[] = only(deployment, "kubernetes:core/v1:ConfigMap", "gateway-configuration").data[
      "mosquitto.conf"
    ].split("\n");
    expect(lines.filter((line) => line.startsWith("listener"))).toEqual(["listener 8883"]);
    for (const line of [
      "allow_anonymous false",
      "use_username_as_clientid true",
      "certfile /access/tls.crt",
      "keyfile /access/tls.key",
      "persistence true",
    ])
      expect(lines).toContain(line);
    expect(lines).toContain(`max_queued_bytes ${128 * 2 ** 20}`);
    const { spec } = only(deployment, "kubernetes:networking.k8s.io/v1:NetworkPolicy", "gateway-devices");
    expect(spec.ingress).toEqual([{ ports: [{ protocol: "TCP", port: 8883 }] }]);
    expect(spec.policyTypes).toEqual(["Ingress"]);
  });

  it("obeys the restricted Pod Security Standard", async () => {
    const pod = only(await deployed(), "kubernetes:apps/v1:StatefulSet", "gateway").spec.template.spec;
    expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: 1883, fsGroup: 1883 });
    expect(pod).toMatchObject({ automountServiceAccountToken: false, enableServiceLinks: false });
    expect(pod.containers[0].securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    });
    expect(pod.containers[0].resources.limits).toEqual({ memory: "512Mi" });
  });

  it("is reached from outside where that is asked for, by the names that are given", async () => {
    const deployment = await deploy(() => gatewayOf({ exposure: "load-balancer", hosts: ["mqtt.example.org"] }));
    expect(only(deployment, "kubernetes:core/v1:Service", "gateway").spec.type).toBe("LoadBalancer");
    expect(only(await deployed(), "kubernetes:core/v1:Service", "gateway").spec.type).toBe("ClusterIP");
    expect(only(deployment, "tls:index/certRequest:CertRequest", "gateway-request").dnsNames).toEqual([
      "localhost",
      "gateway.iot.svc",
      "mqtt.example.org",
    ]);
  });

  it("tells a function who a device is, but no password", async () => {
    let binding: Binding | undefined;
    await deploy(() => {
      const { namespace, gateway } = gatewayOf();
      binding = gateway.devices.bind(consumerIn(namespace), use("credentials", "read"));
    });
    const settings = (await known(binding?.settings ?? {})) as CredentialsSettings;
    expect(await pulumi.isSecret(pulumi.output(binding?.settings))).toBe(true);
    const password = devicePassword(root, "d1");
    expect(JSON.stringify(settings)).not.toContain(password);
    const { verify } = connect(settings);
    expect(verify("d1", password)).toBe(true);
    expect(verify("d2", password)).toBe(false);
    expect(verify("d3", password)).toBe(false);
  });

  it("is a source for a relay", async () => {
    let binding: Binding | undefined;
    const deployment = await deploy(() => {
      const { namespace, gateway } = gatewayOf();
      binding = gateway.topic("devices/+/readings").source(consumerIn(namespace, "relay"));
    });
    expect(await known(binding?.settings ?? {})).toMatchObject({
      kind: "mqtt",
      url: "mqtts://gateway.iot.svc:8883",
      username: ".relay-1",
      password: devicePassword(root, ".relay-1"),
      filter: "devices/+/readings",
      clientId: ".relay-1",
      keyLevel: 1,
    });
    expect(await pulumi.isSecret(pulumi.output(binding?.settings))).toBe(true);
    expect(own(deployment).filter((each) => each.includes("relay"))).toEqual([
      "NetworkPolicy relay-to-gateway-egress",
      "NetworkPolicy relay-to-gateway-ingress",
    ]);
  });

  it("has a user, and with it a session, for each relay, as far as they go", async () => {
    const names: unknown[] = [];
    let problems: readonly string[] = [];
    await deploy(async () => {
      const { namespace, gateway } = gatewayOf();
      const source = (name: string) => gateway.topic("devices/+/readings").source(consumerIn(namespace, name));
      for (const reader of readers) names.push(await known(source(`to-${reader.slice(7)}`).settings));
      problems = problemsOf(() => source("one-more"));
    });
    expect(names).toMatchObject(readers.map((reader) => ({ username: reader, clientId: reader })));
    expect(problems).toEqual(["topics: at most 8 relays can read, each for one topic"]);
  });

  it("refuses a filter that no device publishes to", async () => {
    await deploy(() => {
      const { gateway } = gatewayOf();
      expect(problemsOf(() => gateway.topic("devices/#"))).toHaveLength(1);
    });
  });
});

describe("passwords", () => {
  it("stay the same whoever else there is", async () => {
    const deployment = await deploy(() => gatewayOf({ devices: ["a", "d1"] }));
    const { d1 } = secretOf(deployment, "gateway-devices");
    expect(d1).toBe(secretOf(await deployed(), "gateway-devices").d1);
  });

  it("are hashed as Mosquitto does", () => {
    const line = mosquittoEntry(root, "d1", "secret");
    const [, rounds, salt, hash] = /^d1:\$7\$(\d+)\$([^$]+)\$([^$]+)\n$/.exec(line) ?? [];
    const expected = pbkdf2Sync("secret", Buffer.from(salt ?? "", "base64"), Number(rounds), 64, "sha512");
    expect(hash).toBe(expected.toString("base64"));
    expect(Buffer.from(salt ?? "", "base64")).toHaveLength(12);
    expect(mosquittoEntry(root, "d2", "secret")).not.toContain(salt);
    expect(mosquittoEntry(root, "d1", "secret")).toBe(line);
  });
});
