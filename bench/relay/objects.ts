/** What the bench creates in the cluster, all of it in a namespace of its own. */
import * as pulumi from "@pulumi/pulumi";
import { type Bundle, bundle, bundleFunction, gzip, zip } from "../../components/core/bundle.ts";
import { labels, selector } from "../../components/core/labels.ts";
import { restrictedContainer, restrictedPod, restrictedPodSpec } from "../../components/core/pods.ts";
import { programContainer, programVolume } from "../../components/core/program.ts";
import { images } from "../../components/core/versions.ts";
import { routerInternalKey } from "../../components/faas/fission/install.ts";
import { planEnvironment, planExecution } from "../../components/faas/fission/plan.ts";
import { routerPorts } from "../../components/faas/fission/rules.ts";
import { planDeployment } from "../../components/relay/plan.ts";
import type { RelaySettings } from "../../functions/relay/settings.ts";
import { count } from "./event.ts";
import type { Trigger } from "./figures.ts";
import { type ProgramSettings, settingsVariable } from "./program-settings.ts";

export const namespace = "bench";
export const topic = "events";
/** Deployments, by what they run. */
export const deployments: Readonly<Record<Trigger, string>> = { relay: "relay", fission: "fission-trigger" };
export const job = "bench";
const relayGroup = "bench.relay";

const fission = { namespace: "fission", router: "http://router.fission.svc" } as const;
const internalUrl = `http://router-internal.${fission.namespace}.svc:${routerPorts.internal}`;
/** Where Fission keeps the master of its internal keys. */
export const masterSecret = { name: "fission-internal-auth", namespace: fission.namespace, key: "secret" } as const;

const kafka = { host: `kafka.${namespace}.svc`, plain: 9092, secure: 9094, controller: 9093, user: 1000 } as const;
export const kafkaHost = kafka.host;
const freshFunctions = Array.from({ length: 9 }, (_, at) => `fresh-${at}`);

const meta = (name: string) => ({ name, namespace, labels: labels(name, namespace) });
const secret = (name: string, stringData: Readonly<Record<string, string>>) => ({
  apiVersion: "v1",
  kind: "Secret",
  metadata: meta(name),
  stringData,
});

export interface Secrets {
  /** PEM, self-signed, for the broker's host name. */
  readonly certificate: string;
  /** PEM (PKCS #8). */
  readonly key: string;
  /** Of the user `relay`. */
  readonly password: string;
  /** The master of Fission's internal keys. */
  readonly master: string;
}

/** The namespace, and Fission's leave to run functions in it. */
export const home = [
  {
    apiVersion: "v1",
    kind: "Namespace",
    metadata: {
      name: namespace,
      labels: { ...labels("bench", namespace), "pod-security.kubernetes.io/enforce": "restricted" },
    },
  },
  { apiVersion: "fission.io/v1", kind: "FissionTenant", metadata: { name: namespace }, spec: { namespace } },
];

/** A broker with two doors: TLS and SCRAM for the relay, and for Fission's trigger, which knows no SASL, neither. */
export function broker({ certificate, key, password }: Secrets): object[] {
  const scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;";
  const properties = {
    "process.roles": "broker,controller",
    "node.id": 1,
    "controller.quorum.voters": `1@127.0.0.1:${kafka.controller}`,
    listeners: `PLAIN://:${kafka.plain},SECURE://:${kafka.secure},CONTROLLER://127.0.0.1:${kafka.controller}`,
    "advertised.listeners": `PLAIN://${kafka.host}:${kafka.plain},SECURE://${kafka.host}:${kafka.secure}`,
    "listener.security.protocol.map": "PLAIN:PLAINTEXT,SECURE:SASL_SSL,CONTROLLER:PLAINTEXT",
    "inter.broker.listener.name": "PLAIN",
    "controller.listener.names": "CONTROLLER",
    "sasl.enabled.mechanisms": "SCRAM-SHA-512",
    "listener.name.secure.scram-sha-512.sasl.jaas.config": scram,
    "ssl.keystore.type": "PEM",
    "ssl.keystore.location": "/settings/server.pem",
    "log.dirs": "/data/log",
    "offsets.topic.replication.factor": 1,
    "offsets.topic.num.partitions": 1,
    // Nobody else will join.
    "group.initial.rebalance.delay.ms": 0,
    "auto.create.topics.enable": false,
    "num.network.threads": 2,
    "num.io.threads": 4,
  };
  const start = `set -eu
bin=/opt/kafka/bin
KAFKA_HEAP_OPTS=-Xmx128m $bin/kafka-storage.sh format --cluster-id MkU3OEVBNTcwNTJENDM2Qg --config /settings/server.properties \\
  --add-scram "SCRAM-SHA-512=[name=relay,password=$(cat /settings/password)]" > /dev/null
exec $bin/kafka-server-start.sh /settings/server.properties
`;
  const podLabels = selector("kafka", namespace);
  const volumeMounts = [
    { name: "data", mountPath: "/data" },
    { name: "temporary", mountPath: "/tmp" },
    { name: "settings", mountPath: "/settings", readOnly: true },
  ];
  return [
    secret("kafka", {
      "server.pem": key + certificate,
      "server.properties": Object.entries(properties)
        .map((pair) => `${pair.join("=")}\n`)
        .join(""),
      "start.sh": start,
      password,
    }),
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: meta("kafka"),
      spec: {
        selector: podLabels,
        ports: [
          { name: "plain", port: kafka.plain },
          { name: "secure", port: kafka.secure },
        ],
      },
    },
    deployment("kafka", podLabels, 1, {
      securityContext: restrictedPod(kafka.user),
      containers: [
        {
          name: "kafka",
          image: images.kafka,
          command: ["/bin/sh", "/settings/start.sh"],
          env: [
            { name: "KAFKA_HEAP_OPTS", value: "-Xms512m -Xmx512m" },
            { name: "LOG_DIR", value: "/tmp/logs" },
            { name: "EXTRA_ARGS", value: "-name kafkaServer" },
          ],
          securityContext: restrictedContainer,
          resources: { requests: { cpu: "100m", memory: "1Gi" }, limits: { memory: "1Gi" } },
          readinessProbe: { tcpSocket: { port: kafka.plain }, periodSeconds: 1 },
          volumeMounts,
        },
      ],
      volumes: [
        { name: "data", emptyDir: {} },
        { name: "temporary", emptyDir: {} },
        { name: "settings", secret: { secretName: "kafka" } },
      ],
    }),
  ];
}

/** The function that both call, and functions of the same code that nobody calls before they are measured. */
export function functions(): object[] {
  const archive = zip(bundleFunction(count, "../../../bench/relay/adapter"));
  const environment = { name: namespace, namespace };
  const deployed = (name: string, methods: readonly string[]) => [
    {
      apiVersion: "fission.io/v1",
      kind: "Function",
      metadata: meta(name),
      spec: {
        environment,
        package: { functionName: "index.handler", packageref: environment },
        functionTimeout: 10,
        InvokeStrategy: planExecution({ min: 1, max: 1 }),
      },
    },
    {
      apiVersion: "fission.io/v1",
      kind: "HTTPTrigger",
      metadata: meta(name),
      spec: { relativeurl: `/${namespace}/${name}`, methods, functionref: { type: "name", name } },
    },
  ];
  return [
    { apiVersion: "fission.io/v1", kind: "Environment", metadata: meta(namespace), spec: planEnvironment(namespace) },
    {
      apiVersion: "fission.io/v1",
      kind: "Package",
      metadata: meta(namespace),
      spec: { environment, deployment: { type: "literal", literal: Buffer.from(archive).toString("base64") } },
    },
    ...deployed(count.name, ["GET", "POST", "DELETE"]),
    ...freshFunctions.flatMap((name) => deployed(name, ["POST"])),
  ];
}

/** The relay's pod just as a stack has it. */
export async function relay({ certificate, password, master }: Secrets): Promise<object[]> {
  const settings: Partial<RelaySettings> = {
    source: {
      kind: "kafka",
      kafka: {
        bootstrap: [`${kafka.host}:${kafka.secure}`],
        username: "relay",
        password,
        ca: certificate,
        tls: true,
      },
      topic,
      group: relayGroup,
    },
    target: {
      kind: "function",
      address: {
        url: `${internalUrl}/fission-function/${namespace}/${count.name}`,
        auth: { kind: "fission", key: routerInternalKey(master) },
      },
      timeoutMilliseconds: 10_000,
      bodyBytes: 1_000_000,
    },
  };
  const name = deployments.relay;
  const program = programMap(name, bundle(new URL("../../functions/relay/main.ts", import.meta.url)));
  const ports = secret(`${name}-ports`, { relay: JSON.stringify(settings) });
  // What the plan reads of resources that an engine would have made.
  const made = {
    consumer: { name, namespace: { metadataName: namespace }, podLabels: selector("relay", name) },
    program,
    settings: { secret: ports, hash: "" },
  };
  const spec = planDeployment(made as never, "kafka");
  const plain = await new Promise<object>((done) => pulumi.output(spec).apply((known) => done(known as object)));
  return [
    program,
    ports,
    { apiVersion: "apps/v1", kind: "Deployment", metadata: meta(name), spec: { ...plain, replicas: 0 } },
  ];
}

/** Fission's own trigger, as the chart would run it, but seeing this namespace only. */
export function fissionTrigger({ master }: Secrets): object[] {
  const name = deployments.fission;
  const user = 10001;
  const role = { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name };
  return [
    { apiVersion: "v1", kind: "ServiceAccount", metadata: meta(name) },
    {
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "Role",
      metadata: meta(name),
      rules: [
        {
          apiGroups: ["fission.io"],
          resources: ["functions", "messagequeuetriggers"],
          verbs: ["get", "list", "watch"],
        },
        { apiGroups: ["fission.io"], resources: ["messagequeuetriggers/status"], verbs: ["get", "update", "patch"] },
      ],
    },
    {
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "RoleBinding",
      metadata: meta(name),
      subjects: [{ kind: "ServiceAccount", name, namespace }],
      roleRef: role,
    },
    secret(name, { secret: master }),
    {
      apiVersion: "fission.io/v1",
      kind: "MessageQueueTrigger",
      metadata: meta(name),
      spec: {
        functionref: { type: "name", name: count.name },
        messageQueueType: "kafka",
        mqtkind: "fission",
        topic,
        errorTopic: "",
        maxRetries: 10,
        contentType: "application/json",
        metadata: {},
      },
    },
    deployment(name, selector(name, namespace), 0, {
      serviceAccountName: name,
      automountServiceAccountToken: true,
      securityContext: restrictedPod(user),
      containers: [
        {
          name: "trigger",
          image: images.fissionBundle,
          command: ["/fission-bundle"],
          args: ["--mqt", "--routerUrl", fission.router],
          env: [
            { name: "MESSAGE_QUEUE_TYPE", value: "kafka" },
            { name: "MESSAGE_QUEUE_URL", value: `${kafka.host}:${kafka.plain}` },
            { name: "ROUTER_INTERNAL_URL", value: internalUrl },
            { name: "FISSION_DEFAULT_NAMESPACE", value: namespace },
            { name: "FISSION_RESOURCE_NAMESPACES", value: namespace },
            { name: "FISSION_TENANCY_MODE", value: "static" },
            { name: "FISSION_INTERNAL_AUTH_SECRET", valueFrom: { secretKeyRef: { name, key: "secret" } } },
          ],
          securityContext: restrictedContainer,
          resources: { requests: { cpu: "50m", memory: "128Mi" }, limits: { memory: "256Mi" } },
        },
      ],
    }),
  ];
}

/** @param triggerId of Fission's trigger, which takes it for its consumer group */
export function benchJob(triggerId: string): object[] {
  const url = (name: string) => `${fission.router}/${namespace}/${name}`;
  const settings: ProgramSettings = {
    bootstrap: [`${kafka.host}:${kafka.plain}`],
    topic,
    groups: { relay: relayGroup, fission: triggerId },
    functionUrl: url(count.name),
    freshUrls: freshFunctions.map(url),
  };
  const program = programMap(job, bundle(new URL("./program.ts", import.meta.url)));
  const container = programContainer(job);
  return [
    program,
    {
      apiVersion: "batch/v1",
      kind: "Job",
      metadata: meta(job),
      spec: {
        backoffLimit: 0,
        template: {
          metadata: { labels: labels(job, namespace) },
          spec: {
            restartPolicy: "Never",
            ...restrictedPodSpec(1000),
            containers: [
              {
                ...container,
                resources: { requests: { cpu: "50m", memory: "128Mi" }, limits: { memory: "512Mi" } },
                env: [{ name: settingsVariable, value: JSON.stringify(settings) }],
              },
            ],
            volumes: [programVolume(program.metadata.name)],
          },
        },
      },
    },
  ];
}

function programMap(name: string, program: Bundle) {
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: meta(`program-${name}`),
    binaryData: { "program.cjs.gz": Buffer.from(gzip(program)).toString("base64") },
  };
}

function deployment(name: string, podLabels: Record<string, string>, replicas: number, pod: object) {
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: meta(name),
    spec: {
      replicas,
      selector: { matchLabels: podLabels },
      strategy: { type: "Recreate" },
      template: {
        metadata: { labels: podLabels },
        spec: { automountServiceAccountToken: false, enableServiceLinks: false, ...pod },
      },
    },
  };
}
