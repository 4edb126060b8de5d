/** Watches the memory of the kit's pods while something runs, as the kubelets report it. */
import { setTimeout as sleep } from "node:timers/promises";
import { managedBy, nameLabel } from "../components/core/labels.ts";
import { say } from "./log.ts";
import type { Kubectl } from "./toolchain/kubectl.ts";

/** Anonymous memory in bytes: what a pod's programs hold, without the files that the system caches for them. */
export interface PodMemory {
  /** `namespace/name`. */
  readonly pod: string;
  /** Means over the middle and the last third of the time; the first is for warming up. */
  readonly middle: number;
  readonly last: number;
  readonly highest: number;
  /** Missing where it has none. */
  readonly limit?: number;
  /** Of its containers, meanwhile. */
  readonly restarts: number;
}

export interface Sample {
  /** Milliseconds after the start. */
  readonly time: number;
  readonly bytes: number;
}

/** Kubelets look no more often. */
const everyMilliseconds = 10_000;
/** Garbage is collected now and then: so much may lie between two means of memory that does not grow. */
const tolerance = { share: 0.05, bytes: 8 * 2 ** 20 };
/** In less time no growth can be told from warming up. */
export const leastSecondsForGrowth = 600;

/** @returns what ends the watch, and tells of the pods that are there then */
export async function watchMemory(cluster: Kubectl): Promise<() => Promise<PodMemory[]>> {
  const namespaces = await namesOf(cluster, "namespaces", "-l", `${managedBy}=fivefold,${nameLabel}=namespace`);
  const before = new Map((await podsOf(cluster, namespaces)).map((pod) => [pod.key, pod.restarts]));
  const nodes = await namesOf(cluster, "nodes");
  const start = performance.now();
  const samples = new Map<string, Sample[]>();
  const limits = new Map<string, number>();
  const ended = new AbortController();
  const watch = async () => {
    let failed = false;
    while (!ended.signal.aborted) {
      try {
        for (const node of nodes)
          for (const { key, bytes, limit } of readSummary(await cluster.text("get", "--raw", summaryOf(node)))) {
            samples.set(key, [...(samples.get(key) ?? []), { time: performance.now() - start, bytes }]);
            if (limit !== undefined) limits.set(key, limit);
          }
      } catch (error) {
        if (!failed) say(`The memory of the pods cannot be read at times: ${(error as Error).message}`);
        failed = true;
      }
      // A run that fails is not kept from ending by this.
      await sleep(everyMilliseconds, undefined, { signal: ended.signal, ref: false }).catch(() => {});
    }
  };
  const watching = watch();
  return async () => {
    ended.abort();
    await watching;
    const end = performance.now() - start;
    return (await podsOf(cluster, namespaces)).flatMap(({ key, restarts }) => {
      const seen = samples.get(key);
      const limit = limits.get(key);
      if (!seen) return [];
      const memory = { pod: key, ...summary(seen, end), restarts: restarts - (before.get(key) ?? 0) };
      return [limit === undefined ? memory : { ...memory, limit }];
    });
  };
}

/** @param until the end of the watch, in milliseconds after its start */
export function summary(samples: readonly Sample[], until: number): Pick<PodMemory, "middle" | "last" | "highest"> {
  const mean = (from: number, to: number) => {
    const inside = samples.filter(({ time }) => time >= from * until && time < to * until);
    return inside.reduce((sum, { bytes }) => sum + bytes, 0) / inside.length;
  };
  return {
    middle: mean(1 / 3, 2 / 3),
    last: mean(2 / 3, 1),
    highest: Math.max(...samples.map(({ bytes }) => bytes)),
  };
}

/** What is wrong with the memory of pods that ran for so long under an even load. */
export function growth(pods: readonly PodMemory[], seconds: number): string[] {
  return pods.flatMap(({ pod, middle, last, restarts }) => {
    const problems = restarts > 0 ? [`${pod}: its containers were started again ${restarts} times`] : [];
    if (seconds < leastSecondsForGrowth) return problems;
    const allowed = Math.max(middle * tolerance.share, tolerance.bytes);
    if (Number.isNaN(middle)) problems.push(`${pod}: was not there all the time`);
    else if (last - middle > allowed)
      problems.push(`${pod}: its memory grows, from ${mebibytes(middle)} to ${mebibytes(last)}`);
    return problems;
  });
}

export const mebibytes = (bytes: number): string => (Number.isNaN(bytes) ? "-" : `${Math.round(bytes / 2 ** 20)} MiB`);

const summaryOf = (node: string) => `/api/v1/nodes/${node}/proxy/stats/summary`;

/** A kubelet tells what is left of a limit, not the limit. */
function readSummary(summary: string): { readonly key: string; readonly bytes: number; readonly limit?: number }[] {
  const { pods } = JSON.parse(summary) as { readonly pods: readonly PodStatistics[] };
  return pods.map(({ podRef: { namespace, name }, containers = [], memory }) => {
    const bytes = containers.reduce((sum, { memory }) => sum + (memory?.rssBytes ?? 0), 0);
    const limit = memory?.availableBytes !== undefined && memory.availableBytes + (memory.workingSetBytes ?? 0);
    return { key: `${namespace}/${name}`, bytes, ...(limit !== false && { limit }) };
  });
}

/** The part of the kubelet's `PodStats` that is needed. */
interface PodStatistics {
  readonly podRef: { readonly name: string; readonly namespace: string };
  readonly containers?: readonly { readonly memory?: { readonly rssBytes?: number } }[];
  readonly memory?: { readonly availableBytes?: number; readonly workingSetBytes?: number };
}

async function namesOf(cluster: Kubectl, ...what: string[]): Promise<string[]> {
  const { items } = await cluster.json("get", ...what);
  return (items as { metadata: { name: string } }[]).map(({ metadata }) => metadata.name);
}

/** The pods that are to run on: those of Jobs are not among them. */
async function podsOf(cluster: Kubectl, namespaces: readonly string[]) {
  const lists = await Promise.all(namespaces.map((namespace) => cluster.json("get", "pods", "-n", namespace)));
  return lists
    .flatMap(({ items }) => items as Pod[])
    .filter(({ metadata }) => !metadata.ownerReferences?.some(({ kind }) => kind === "Job"))
    .map(({ metadata, status }) => ({
      key: `${metadata.namespace}/${metadata.name}`,
      restarts: status.containerStatuses?.reduce((sum, { restartCount }) => sum + restartCount, 0) ?? 0,
    }));
}

interface Pod {
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly ownerReferences?: readonly { readonly kind: string }[];
  };
  readonly status: { readonly containerStatuses?: readonly { readonly restartCount: number }[] };
}
