import type * as k8s from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";
import { labels, selector } from "../core/labels.ts";
import { restrictedContainer, restrictedPodSpec } from "../core/pods.ts";
import { images } from "../core/versions.ts";
import { paths } from "./configuration.ts";
import { port, user } from "./defaults.ts";
import type { MqttGatewayPlan } from "./plan.ts";

interface Filling {
  readonly namespace: pulumi.Input<string>;
  /** ConfigMap with Mosquitto's configuration. */
  readonly configuration: pulumi.Input<string>;
  /** Secret with certificate, passwords and access rules. */
  readonly access: pulumi.Input<string>;
}

export function statefulSet(name: string, plan: MqttGatewayPlan, filling: Filling): k8s.apps.v1.StatefulSetArgs {
  const metadata = { namespace: filling.namespace, labels: labels("mqtt", name) };
  const answers = { tcpSocket: { port: "mqtts" }, timeoutSeconds: 5 };
  return {
    metadata: { ...metadata, name },
    spec: {
      serviceName: name,
      replicas: 1,
      selector: { matchLabels: selector("mqtt", name) },
      persistentVolumeClaimRetentionPolicy: { whenDeleted: "Delete", whenScaled: "Retain" },
      template: {
        metadata: { labels: metadata.labels },
        spec: {
          ...restrictedPodSpec(user),
          // It writes what waits to disk before it stops.
          terminationGracePeriodSeconds: 60,
          containers: [
            {
              name: "mosquitto",
              image: images.mosquitto,
              command: ["/bin/sh", `${paths.config}/start.sh`],
              ports: [{ name: "mqtts", containerPort: port }],
              securityContext: restrictedContainer,
              resources: { requests: { cpu: "20m", memory: plan.memory }, limits: { memory: plan.memory } },
              startupProbe: { ...answers, periodSeconds: 1, failureThreshold: 120 },
              readinessProbe: { ...answers, periodSeconds: 5 },
              livenessProbe: { ...answers, periodSeconds: 20, failureThreshold: 6 },
              volumeMounts: [
                { name: "data", mountPath: paths.data },
                { name: "configuration", mountPath: paths.config, readOnly: true },
                { name: "secret", mountPath: paths.secret, readOnly: true },
                { name: "access", mountPath: paths.access },
              ],
            },
          ],
          volumes: [
            { name: "configuration", configMap: { name: filling.configuration } },
            { name: "secret", secret: { secretName: filling.access, defaultMode: 0o440 } },
            { name: "access", emptyDir: { medium: "Memory" } },
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
