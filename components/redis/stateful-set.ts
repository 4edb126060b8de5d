import type * as k8s from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";
import { selector } from "../core/labels.ts";
import { restrictedContainer, restrictedPodSpec } from "../core/pods.ts";
import { images } from "../core/versions.ts";
import { startScript } from "./configuration.ts";
import { port, user } from "./defaults.ts";
import type { RedisPlan } from "./plan.ts";

interface Filling {
  readonly metadata: { readonly namespace: pulumi.Input<string>; readonly labels: Record<string, string> };
  /** Secret with configuration, first users, and certificate. */
  readonly files: pulumi.Input<string>;
  /** Host name of the primary. */
  readonly primary: pulumi.Input<string>;
}

export function statefulSet(name: string, plan: RedisPlan, filling: Filling): k8s.apps.v1.StatefulSetArgs {
  const { metadata } = filling;
  const answers = { tcpSocket: { port }, timeoutSeconds: 5 };
  return {
    metadata: { ...metadata, name },
    spec: {
      serviceName: name,
      replicas: 1 + plan.replicas,
      selector: { matchLabels: selector("redis", name) },
      persistentVolumeClaimRetentionPolicy: { whenDeleted: "Delete", whenScaled: "Delete" },
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
              labelSelector: { matchLabels: selector("redis", name) },
            },
          ],
          containers: [
            {
              name: "valkey",
              image: images.valkey,
              command: ["sh", "-c", startScript],
              env: [{ name: "PRIMARY", value: filling.primary }],
              ports: [{ name: "valkey", containerPort: port }],
              securityContext: restrictedContainer,
              resources: { requests: { cpu: "50m", memory: plan.memory }, limits: { memory: plan.memory } },
              // While it loads its log it accepts connections and refuses commands, which clients wait out.
              startupProbe: { ...answers, periodSeconds: 1, failureThreshold: 300 },
              readinessProbe: { ...answers, periodSeconds: 10 },
              livenessProbe: { ...answers, periodSeconds: 20, failureThreshold: 6 },
              volumeMounts: [
                { name: "data", mountPath: "/data" },
                { name: "server", mountPath: "/server", readOnly: true },
              ],
            },
          ],
          volumes: [{ name: "server", secret: { secretName: filling.files, defaultMode: 0o440 } }],
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
