import type * as k8s from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";
import { selector } from "../core/labels.ts";
import { restrictedContainer, restrictedPodSpec } from "../core/pods.ts";
import { images } from "../core/versions.ts";
import { administrator, port, user } from "./defaults.ts";
import type { MartPlan } from "./plan.ts";

interface Filling {
  readonly metadata: { readonly namespace: pulumi.Input<string>; readonly labels: Record<string, string> };
  /** Secret with password and certificate. */
  readonly files: pulumi.Input<string>;
  /** ConfigMap with the start script and the access rules. */
  readonly configuration: pulumi.Input<string>;
}

export function statefulSet(name: string, plan: MartPlan, filling: Filling): k8s.apps.v1.StatefulSetArgs {
  const { metadata } = filling;
  const isReady = {
    exec: { command: ["pg_isready", "--host=/tmp", "--timeout=2"] },
    periodSeconds: 10,
    timeoutSeconds: 5,
  };
  const settings = {
    listen_addresses: "*",
    unix_socket_directories: "/tmp",
    ssl: "on",
    ssl_cert_file: "/server/tls.crt",
    ssl_key_file: "/server/tls.key",
    max_connections: "100",
    shared_buffers: plan.sharedBuffers,
  };
  return {
    metadata: { ...metadata, name },
    spec: {
      serviceName: name,
      replicas: 1,
      selector: { matchLabels: selector("mart", name) },
      persistentVolumeClaimRetentionPolicy: { whenDeleted: "Delete", whenScaled: "Retain" },
      template: {
        metadata: { labels: metadata.labels },
        spec: {
          ...restrictedPodSpec(user),
          terminationGracePeriodSeconds: 60,
          containers: [
            {
              name: "postgres",
              image: images.postgres,
              command: ["sh", "/configuration/start.sh"],
              args: Object.entries(settings).flatMap(([key, value]) => ["-c", `${key}=${value}`]),
              env: [
                { name: "PGDATA", value: "/data/pgdata" },
                { name: "ADMINISTRATOR", value: administrator },
              ],
              ports: [{ name: "postgres", containerPort: port }],
              securityContext: restrictedContainer,
              resources: { requests: { cpu: "50m", memory: plan.memory }, limits: { memory: plan.memory } },
              startupProbe: { ...isReady, periodSeconds: 2, failureThreshold: 150 },
              readinessProbe: isReady,
              livenessProbe: { tcpSocket: { port }, periodSeconds: 20, timeoutSeconds: 5, failureThreshold: 6 },
              // SIGINT closes connections and stops; the SIGTERM of the kubelet would wait for every client to leave.
              lifecycle: { preStop: { exec: { command: ["sh", "-c", "kill -INT 1"] } } },
              volumeMounts: [
                { name: "data", mountPath: "/data" },
                { name: "temporary", mountPath: "/tmp" },
                { name: "server", mountPath: "/server", readOnly: true },
                { name: "configuration", mountPath: "/configuration", readOnly: true },
              ],
            },
          ],
          volumes: [
            { name: "temporary", emptyDir: {} },
            // Owned by root and read by the group: PostgreSQL takes such a key with mode 0640.
            { name: "server", secret: { secretName: filling.files, defaultMode: 0o640 } },
            { name: "configuration", configMap: { name: filling.configuration } },
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
