import type * as k8s from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";
import { selector } from "../core/labels.ts";
import { restrictedContainer, restrictedPodSpec } from "../core/pods.ts";
import { images } from "../core/versions.ts";
import { port, user } from "./defaults.ts";
import type { LakePlan } from "./plan.ts";

interface Filling {
  readonly metadata: { readonly namespace: pulumi.Input<string>; readonly labels: Record<string, string> };
  /** Secret with certificate and administrator. */
  readonly files: pulumi.Input<string>;
}

export function statefulSet(name: string, plan: LakePlan, filling: Filling): k8s.apps.v1.StatefulSetArgs {
  const { metadata } = filling;
  const isHealthy = { httpGet: { path: "/healthz", port, scheme: "HTTPS" }, timeoutSeconds: 5 };
  return {
    metadata: { ...metadata, name },
    spec: {
      serviceName: name,
      replicas: 1,
      selector: { matchLabels: selector("lake", name) },
      persistentVolumeClaimRetentionPolicy: { whenDeleted: "Delete", whenScaled: "Retain" },
      template: {
        metadata: { labels: metadata.labels },
        spec: {
          ...restrictedPodSpec(user),
          terminationGracePeriodSeconds: 30,
          containers: [
            {
              name: "seaweedfs",
              image: images.seaweedfs,
              command: ["weed", "-logtostderr=true", "server"],
              args: [
                "-dir=/data",
                // Only S3 is for others: the rest of SeaweedFS knows no passwords, so it listens on loopback.
                "-ip=127.0.0.1",
                "-ip.bind=127.0.0.1",
                "-master.telemetry=false",
                // There is no other master to wait for when the pod starts again.
                "-master.electionTimeout=1s",
                `-master.volumeSizeLimitMB=${plan.volumeSize}`,
                `-volume.max=${plan.volumes}`,
                "-volume.preStopSeconds=1",
                "-filer",
                "-s3",
                "-s3.ip.bind=0.0.0.0",
                `-s3.port=${port}`,
                "-s3.port.iceberg=0",
                "-s3.port.lance=0",
                "-s3.config=/server/administrator.json",
                "-s3.iam.readOnly=false",
                "-s3.cert.file=/server/tls.crt",
                "-s3.key.file=/server/tls.key",
              ],
              env: [{ name: "GOMEMLIMIT", value: String(plan.heap) }],
              ports: [{ name: "s3", containerPort: port }],
              securityContext: restrictedContainer,
              resources: { requests: { cpu: "50m", memory: plan.memory }, limits: { memory: plan.memory } },
              startupProbe: { ...isHealthy, periodSeconds: 2, failureThreshold: 150 },
              readinessProbe: { ...isHealthy, periodSeconds: 10 },
              livenessProbe: { ...isHealthy, periodSeconds: 20, failureThreshold: 6 },
              volumeMounts: [
                { name: "data", mountPath: "/data" },
                { name: "temporary", mountPath: "/tmp" },
                { name: "server", mountPath: "/server", readOnly: true },
              ],
            },
          ],
          volumes: [
            { name: "temporary", emptyDir: {} },
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
