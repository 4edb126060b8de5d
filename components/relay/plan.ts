import type * as k8s from "@pulumi/kubernetes";
import type { types } from "@pulumi/kubernetes";
import type { Consumer } from "../core/binding.ts";
import { Check, defined } from "../core/check.ts";
import { labels } from "../core/labels.ts";
import { isName, writeName } from "../core/names.ts";
import { restrictedPodSpec } from "../core/pods.ts";
import { jobTemplate, programContainer, programVolume } from "../core/program.ts";
import { type MountedSettings, settingsVolume } from "../core/settings.ts";
import { defaults } from "./defaults.ts";

export interface RelayOptions {
  /** Further tries of an event that failed, before it becomes a dead letter. Bad input is never tried again.
   *  @default 10 */
  readonly retries?: number;
}

export type SourceKind = "kafka" | "mongo" | "mqtt" | "redis";

export interface RelayPlan {
  readonly retries: number;
}

/** Metrics and health. */
export const port = 9090;

/** The relay lets go after 18 s at the latest. */
const drainSeconds = 30;

/** @throws KitError naming every problem */
export function planRelay(name: string, options: RelayOptions): RelayPlan {
  const want = { ...defaults, ...defined(options) };
  const check = new Check(`Relay "${name}"`);
  check.that(isName(name), "name", writeName(name));
  check.that(Number.isInteger(want.retries) && want.retries >= 0, "retries", `must be 0 or more, got ${want.retries}`);
  check.done();
  return { retries: want.retries };
}

/** What the relay and the replay of its dead letters have in common: settings, and the right to reach what they name. */
interface PodOf {
  readonly consumer: Consumer;
  readonly program: k8s.core.v1.ConfigMap;
  readonly settings: MountedSettings;
}

function podOf({ consumer, program, settings }: PodOf, name: string) {
  const container = programContainer(name);
  const ports = settingsVolume(consumer, settings);
  return {
    spec: {
      ...restrictedPodSpec(1000),
      terminationGracePeriodSeconds: drainSeconds,
      volumes: [programVolume(program.metadata.name), ports.volume],
    },
    container: {
      ...container,
      env: [
        { name: "NODE_OPTIONS", value: "--max-old-space-size=160" },
        { name: "FIVEFOLD_NAME", value: consumer.name },
      ],
      resources: { requests: { cpu: "50m", memory: "128Mi" }, limits: { memory: "256Mi" } },
      volumeMounts: [...container.volumeMounts, ports.mount],
    },
  };
}

/** For the Jobs of `npm run replay`. */
export function planReplay(of: PodOf): types.input.batch.v1.CronJobSpec {
  const { spec, container } = podOf(of, "replay");
  const podLabels = { ...labels("relay", of.consumer.name), ...of.consumer.podLabels };
  return jobTemplate(podLabels, { ...spec, containers: [container] });
}

export function planDeployment(of: PodOf, source: SourceKind): types.input.apps.v1.DeploymentSpec {
  const { spec, container } = podOf(of, "relay");
  const { consumer, settings } = of;
  return {
    replicas: 1,
    selector: { matchLabels: consumer.podLabels },
    // Two Kafka consumers share the keys of their topic; two consumers of any other stream would not keep their order.
    strategy: source === "kafka" ? { type: "RollingUpdate" } : { type: "Recreate" },
    template: {
      metadata: {
        labels: { ...labels("relay", consumer.name), ...consumer.podLabels },
        annotations: {
          "fivefold/settings": settings.hash,
          "prometheus.io/scrape": "true",
          "prometheus.io/port": String(port),
        },
      },
      spec: {
        ...spec,
        containers: [
          {
            ...container,
            ports: [{ name: "metrics", containerPort: port }],
            // Ready says that the source is connected, which may take as long as the source takes to start.
            readinessProbe: { httpGet: { path: "/readyz", port: "metrics" }, periodSeconds: 5 },
            startupProbe: { httpGet: { path: "/healthz", port: "metrics" }, periodSeconds: 1, failureThreshold: 60 },
            livenessProbe: {
              httpGet: { path: "/healthz", port: "metrics" },
              periodSeconds: 10,
              timeoutSeconds: 5,
              failureThreshold: 6,
            },
          },
        ],
      },
    },
  };
}
