import type * as k8s from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";
import { selector } from "../core/labels.ts";
import { restrictedContainer, restrictedPodSpec } from "../core/pods.ts";
import { images } from "../core/versions.ts";
import { administrator, port, replicaSet, user } from "./defaults.ts";
import type { MongoPlan } from "./plan.ts";

interface Filling {
  readonly metadata: { readonly namespace: pulumi.Input<string>; readonly labels: Record<string, string> };
  /** Secret with password, key of the members, and certificate. */
  readonly files: pulumi.Input<string>;
}

export function statefulSet(name: string, plan: MongoPlan, filling: Filling): k8s.apps.v1.StatefulSetArgs {
  const { metadata } = filling;
  const answers = { tcpSocket: { port }, timeoutSeconds: 5 };
  return {
    metadata: { ...metadata, name },
    spec: {
      serviceName: name,
      replicas: plan.members,
      podManagementPolicy: "Parallel",
      selector: { matchLabels: selector("mongo", name) },
      persistentVolumeClaimRetentionPolicy: { whenDeleted: "Delete", whenScaled: "Retain" },
      template: {
        metadata: { labels: metadata.labels },
        spec: {
          ...restrictedPodSpec(user),
          terminationGracePeriodSeconds: 60,
          topologySpreadConstraints: [
            {
              maxSkew: 1,
              topologyKey: "kubernetes.io/hostname",
              whenUnsatisfiable: "ScheduleAnyway",
              labelSelector: { matchLabels: selector("mongo", name) },
            },
          ],
          initContainers: [
            {
              // mongod refuses a key that its group can read, and every file of a mounted Secret is such a one.
              name: "key",
              image: images.mongo,
              command: ["install", "-m", "0400", "/server/key", "/key/key"],
              securityContext: restrictedContainer,
              resources: { requests: { cpu: "10m", memory: "16Mi" }, limits: { memory: "64Mi" } },
              volumeMounts: [
                { name: "server", mountPath: "/server", readOnly: true },
                { name: "key", mountPath: "/key" },
              ],
            },
          ],
          containers: [
            {
              name: "mongo",
              image: images.mongo,
              args: [
                "mongod",
                `--replSet=${replicaSet}`,
                "--bind_ip_all",
                `--port=${port}`,
                "--keyFile=/key/key",
                "--tlsMode=requireTLS",
                "--tlsCertificateKeyFile=/server/tls.pem",
                "--tlsCAFile=/server/ca.crt",
                // Clients show who they are by their passwords.
                "--tlsAllowConnectionsWithoutCertificates",
                `--wiredTigerCacheSizeGB=${plan.cache}`,
              ],
              env: [
                { name: "MONGO_INITDB_ROOT_USERNAME", value: administrator },
                { name: "MONGO_INITDB_ROOT_PASSWORD_FILE", value: "/server/password" },
              ],
              ports: [{ name: "mongo", containerPort: port }],
              securityContext: restrictedContainer,
              resources: { requests: { cpu: "50m", memory: plan.memory }, limits: { memory: plan.memory } },
              // Without mongosh, which takes more memory than there is to spare: a member that has yet to be told of
              // its replica set must count as ready anyway.
              startupProbe: { ...answers, periodSeconds: 2, failureThreshold: 150 },
              readinessProbe: { ...answers, periodSeconds: 10 },
              livenessProbe: { ...answers, periodSeconds: 20, failureThreshold: 6 },
              volumeMounts: [
                { name: "data", mountPath: "/data/db" },
                { name: "temporary", mountPath: "/tmp" },
                { name: "key", mountPath: "/key", readOnly: true },
                { name: "server", mountPath: "/server", readOnly: true },
              ],
            },
          ],
          volumes: [
            { name: "temporary", emptyDir: {} },
            { name: "key", emptyDir: { medium: "Memory", sizeLimit: "1Mi" } },
            { name: "server", secret: { secretName: filling.files, defaultMode: 0o440 } },
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
