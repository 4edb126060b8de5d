import type * as k8s from "@pulumi/kubernetes";
import type { types } from "@pulumi/kubernetes";
import type { Consumer } from "../../core/binding.ts";
import { labels } from "../../core/labels.ts";
import { restrictedPodSpec } from "../../core/pods.ts";
import { programContainer, programVolume } from "../../core/program.ts";
import { type MountedSettings, settingsVolume } from "../../core/settings.ts";
import type { FunctionPlan } from "../provider.ts";

export const port = 8080;

/** Pods of the image's user `node`. */
const user = 1000;

export function planDeployment(
  { name, consumer, scale }: FunctionPlan,
  program: k8s.core.v1.ConfigMap,
  settings: MountedSettings,
): types.input.apps.v1.DeploymentSpec {
  const container = programContainer("function");
  const ports = settingsVolume(consumer, settings);
  const healthz = { httpGet: { path: "/healthz", port: "http" } };
  return {
    replicas: scale.min,
    selector: { matchLabels: consumer.podLabels },
    strategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
    template: {
      metadata: {
        labels: { ...labels("function", name), ...consumer.podLabels },
        annotations: { "fivefold/settings": settings.hash },
      },
      spec: {
        ...restrictedPodSpec(user),
        terminationGracePeriodSeconds: 30,
        ...(scale.min > 1 && { topologySpreadConstraints: [spread(consumer)] }),
        containers: [
          {
            ...container,
            ports: [{ name: "http", containerPort: port }],
            env: [{ name: "NODE_OPTIONS", value: "--max-old-space-size=160" }],
            startupProbe: { ...healthz, periodSeconds: 1, failureThreshold: 60 },
            readinessProbe: { ...healthz, periodSeconds: 5 },
            livenessProbe: { ...healthz, periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 6 },
            // Callers take a moment to learn that the pod is about to end.
            lifecycle: { preStop: { sleep: { seconds: 3 } } },
            resources: { requests: { cpu: "20m", memory: "96Mi" }, limits: { memory: "256Mi" } },
            volumeMounts: [...container.volumeMounts, ports.mount],
          },
        ],
        volumes: [programVolume(program.metadata.name), ports.volume],
      },
    },
  };
}

export function planService({ podLabels }: Consumer): types.input.core.v1.ServiceSpec {
  return { selector: podLabels, ports: [{ name: "http", port, targetPort: "http" }] };
}

/** One pod at a time may be taken away. */
export function planDisruptionBudget({ podLabels }: Consumer): types.input.policy.v1.PodDisruptionBudgetSpec {
  return { maxUnavailable: 1, selector: { matchLabels: podLabels } };
}

function spread({ podLabels }: Consumer): types.input.core.v1.TopologySpreadConstraint {
  return {
    maxSkew: 1,
    topologyKey: "kubernetes.io/hostname",
    whenUnsatisfiable: "ScheduleAnyway",
    labelSelector: { matchLabels: podLabels },
  };
}
