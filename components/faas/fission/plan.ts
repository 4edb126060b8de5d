import * as pulumi from "@pulumi/pulumi";
import { restrictedContainer, restrictedPod } from "../../core/pods.ts";
import { images } from "../../core/versions.ts";
import type { Front, RequestTrigger, Scale, Trigger } from "../provider.ts";
import type { Specs } from "./resources.ts";

/** The user that Fission's images and the chart use. */
const user = 10001;

/** Time for requests in flight to end; Fission lets every pod that ends sleep so long. */
const drainSeconds = 10;

/** Longer than it takes to pull the image and to load the code. */
export const specializationSeconds = 240;

/** What functions of one `Faas` run in. */
export function planEnvironment(name: string): Specs["Environment"] {
  const tmp = { volumeMounts: [{ name: "tmp", mountPath: "/tmp" }] };
  return {
    version: 3,
    // Each function has pods of its own; generic ones would only wait.
    poolsize: 0,
    keeparchive: false,
    terminationGracePeriod: drainSeconds,
    runtime: {
      image: images.fissionNodeEnvironment,
      podspec: {
        enableServiceLinks: false,
        securityContext: restrictedPod(user),
        volumes: [{ name: "tmp", emptyDir: { sizeLimit: "16Mi" } }],
        containers: [
          {
            // Fission merges this into its own container only if both bear the environment's name.
            name,
            image: images.fissionNodeEnvironment,
            securityContext: restrictedContainer,
            env: [{ name: "NODE_OPTIONS", value: "--max-old-space-size=160" }],
            ...tmp,
          },
          { name: "fetcher", securityContext: restrictedContainer, ...tmp },
        ],
      },
    },
    resources: { requests: { cpu: "20m", memory: "96Mi" }, limits: { memory: "256Mi" } },
  };
}

/** How many replicas a function has. Fission's pool manager is not used: it starts pods when a call comes, and reaps them. */
export function planExecution({ min, max }: Scale): Specs["Function"]["InvokeStrategy"] {
  const cpu = { name: "cpu", target: { type: "Utilization", averageUtilization: 80 } };
  return {
    StrategyType: "execution",
    ExecutionStrategy: {
      ExecutorType: "newdeploy",
      MinScale: min,
      MaxScale: max,
      SpecializationTimeout: specializationSeconds,
      ...(max > min && { hpaMetrics: [{ type: "Resource", resource: cpu }] }),
    },
  };
}

/** The router serves all namespaces, so a route starts with its own. */
export const routePath = (namespace: string, path: string): string => `/${namespace}${path}`;

/** The trigger in Fission's terms, and a name for it. */
export function planTrigger(namespace: string, fn: string, trigger: Trigger) {
  const functionref = { type: "name" as const, name: fn };
  if (trigger.on === "time") {
    return { kind: "TimeTrigger" as const, name: `${fn}-clock`, spec: { cron: trigger.cron, functionref } };
  }
  return {
    kind: "HTTPTrigger" as const,
    name: `${fn}-${slugOf(trigger)}`,
    spec: requestSpec(fn, trigger, routePath(namespace, trigger.path)),
  };
}

/** The same for a gateway: the router tells its requests by their host, so paths are the gateway's own. */
export function planFront(fn: string, trigger: RequestTrigger, front: Front) {
  const host = pulumi.interpolate`${fn}.${front.host}`;
  return {
    host,
    name: `${fn}-${front.name}-${slugOf(trigger)}`,
    spec: { host, ...requestSpec(fn, trigger, trigger.path) },
  };
}

function requestSpec(fn: string, { method }: RequestTrigger, path: string): Specs["HTTPTrigger"] {
  return {
    relativeurl: path.replace(/:(\w+)/g, "{$1}"),
    methods: [method],
    functionref: { type: "name", name: fn },
  };
}

function slugOf({ method, path }: RequestTrigger): string {
  const slug = path
    .replace(/[^A-Za-z0-9]+/g, "-")
    .replace(/-$/, "")
    .toLowerCase();
  return `${method.toLowerCase()}${slug}`;
}
