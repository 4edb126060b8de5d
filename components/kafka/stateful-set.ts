import type * as k8s from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";
import { labels, selector } from "../core/labels.ts";
import { restrictedContainer, restrictedPodSpec } from "../core/pods.ts";
import { images } from "../core/versions.ts";
import { paths } from "./broker.ts";
import { ports, user } from "./defaults.ts";
import type { KafkaPlan } from "./plan.ts";

interface Filling {
  readonly namespace: pulumi.Input<string>;
  /** The headless Service. */
  readonly service: string;
  readonly clusterId: pulumi.Input<string>;
  /** ConfigMap with what `broker.ts` makes. */
  readonly configuration: pulumi.Input<string>;
  /** Secret with key and certificates. */
  readonly certificates: pulumi.Input<string>;
  /** Secret with the administrator's password. */
  readonly admin: pulumi.Input<string>;
}

export function statefulSet(name: string, plan: KafkaPlan, filling: Filling): k8s.apps.v1.StatefulSetArgs {
  const select = selector("kafka", name);
  const metadata = { namespace: filling.namespace, labels: labels("kafka", name) };
  const answers = { tcpSocket: { port: ports.clients }, timeoutSeconds: 5 };
  return {
    metadata: { ...metadata, name },
    spec: {
      serviceName: filling.service,
      replicas: plan.brokers,
      // Controllers need each other to become ready.
      podManagementPolicy: "Parallel",
      selector: { matchLabels: select },
      persistentVolumeClaimRetentionPolicy: { whenDeleted: "Delete", whenScaled: "Retain" },
      template: {
        metadata: { labels: metadata.labels },
        spec: {
          ...restrictedPodSpec(user),
          // A broker hands its partitions over before it stops.
          terminationGracePeriodSeconds: 120,
          topologySpreadConstraints: [
            {
              topologyKey: "kubernetes.io/hostname",
              maxSkew: 1,
              whenUnsatisfiable: "ScheduleAnyway",
              labelSelector: { matchLabels: select },
            },
          ],
          containers: [
            {
              name: "kafka",
              image: images.kafka,
              command: ["/bin/sh", `${paths.config}/start.sh`],
              env: [
                ...Object.entries(environment(plan)).map(([key, value]) => ({ name: key, value })),
                { name: "CLUSTER_ID", value: filling.clusterId },
                { name: "POD_NAME", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } },
                { name: "NAMESPACE", valueFrom: { fieldRef: { fieldPath: "metadata.namespace" } } },
                { name: "SERVICE", value: `${filling.service}.$(NAMESPACE).svc` },
              ],
              ports: [
                { name: "clients", containerPort: ports.clients },
                { name: "replication", containerPort: ports.replication },
                { name: "controller", containerPort: ports.controller },
              ],
              securityContext: restrictedContainer,
              resources: { requests: { cpu: "100m", memory: plan.memory }, limits: { memory: plan.memory } },
              startupProbe: { ...answers, periodSeconds: 2, failureThreshold: 300 },
              readinessProbe: { ...answers, periodSeconds: 5 },
              livenessProbe: { ...answers, periodSeconds: 20, failureThreshold: 6 },
              volumeMounts: [
                { name: "data", mountPath: paths.data },
                { name: "temporary", mountPath: "/tmp" },
                { name: "configuration", mountPath: paths.config, readOnly: true },
                { name: "certificates", mountPath: paths.certificates, readOnly: true },
                { name: "admin", mountPath: paths.admin, readOnly: true },
              ],
            },
          ],
          volumes: [
            { name: "temporary", emptyDir: {} },
            { name: "configuration", configMap: { name: filling.configuration } },
            { name: "certificates", secret: { secretName: filling.certificates, defaultMode: 0o440 } },
            { name: "admin", secret: { secretName: filling.admin, defaultMode: 0o440 } },
          ],
        },
      },
      volumeClaimTemplates: [
        {
          metadata: { name: "data" },
          spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: plan.disk } } },
        },
      ],
    },
  };
}

/** For Kafka's own scripts, and for ours. */
function environment({ controllers, heapMebibytes }: KafkaPlan) {
  return {
    CONTROLLERS: String(controllers),
    // Touched at once: where there is too little memory, that shows at the start and not at night.
    KAFKA_HEAP_OPTS: `-Xms${heapMebibytes}m -Xmx${heapMebibytes}m -XX:+AlwaysPreTouch`,
    KAFKA_OPTS: "-XX:+ExitOnOutOfMemoryError",
    KAFKA_LOG4J_OPTS: `-Dlog4j2.configurationFile=${paths.config}/log4j2.properties`,
    LOG_DIR: "/tmp/logs",
    // By default the script also asks for a log of garbage collections.
    EXTRA_ARGS: "-name kafkaServer",
  };
}
