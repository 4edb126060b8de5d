/** Chaos for `verify`: kills one part of each kind while events flow, at moments that a seed decides; or keeps every function down. */
import { setTimeout as sleep } from "node:timers/promises";
import { uniformInt } from "pure-rand/distribution/uniformInt";
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";
import { instance, nameLabel } from "../components/core/labels.ts";
import { say } from "./log.ts";
import { killPod } from "./node/cgroups.ts";
import { instanceName } from "./paths.ts";
import { Problem } from "./problem.ts";
import type { Kubectl } from "./toolchain/kubectl.ts";

/** The kinds of pods that are killed where an architecture has them, by the labels that say what a pod is. */
const selectors = {
  relay: `${nameLabel}=relay`,
  function: `${nameLabel}=function`,
  kafka: `${nameLabel}=kafka`,
  mongo: `${nameLabel}=mongo`,
  redis: `${nameLabel}=redis`,
  "fraud API": `${nameLabel}=function,${instance}=fraud`,
} as const;
export type Kind = keyof typeof selectors;

export interface Blow {
  readonly kind: Kind;
  /** Which of the pods of its kind, as a share of them all: 0 is the first, 0.5 the middle one. */
  readonly which: number;
  /** Milliseconds after the first event. */
  readonly time: number;
}

/** One blow for each kind, in random order, while events flow and with some of them still to come. */
export function planChaos(seed: number, seconds: number, kinds: readonly Kind[]): Blow[] {
  const random = xoroshiro128plus(seed);
  const upTo = (most: number) => uniformInt(random, 0, most);
  const from = seconds * 100;
  const until = seconds * 800;
  return kinds
    .map((kind) => ({ kind, which: upTo(999) / 1000, time: from + upTo(until - from) }))
    .sort((one, other) => one.time - other.time);
}

/** Where pods are struck. */
export interface Field {
  readonly cluster: Kubectl;
  readonly stack: string;
  /** Processes of its pods are processes of this machine. */
  readonly embedded: boolean;
}

/**
 * Strikes each blow in its time; resolves after the last. A pod that was killed is deleted right after: not only its
 * process comes again, but another pod.
 */
export async function strike(blows: readonly Blow[], field: Field): Promise<void> {
  const start = performance.now();
  for (const { kind, which, time } of blows) {
    await sleep(Math.max(0, time - (performance.now() - start)));
    const pods = await running(kind, field);
    const pod = pods[Math.floor(which * pods.length)];
    if (!pod) throw new Problem(`There is no running pod of the kind "${kind}" in "${field.stack}" to kill.`);
    await kill(pod, field);
    if (field.embedded) await remove(pod, field);
    say(`${Math.round((performance.now() - start) / 1000)} s: killed the pod ${pod.metadata.name} (${kind})`);
  }
}

/** Keeps every function down: kills its pods as soon as they run, so many seconds after the first event, and for so long. */
export async function outage(after: number, seconds: number, field: Field): Promise<void> {
  await sleep(after * 1000);
  say(`${after} s: every function goes down`);
  const until = performance.now() + seconds * 1000;
  let kills = 0;
  while (performance.now() < until) {
    for (const pod of await running("function", field)) {
      // It may have ended since it was listed.
      await kill(pod, field).then(
        () => kills++,
        () => {},
      );
    }
    await sleep(500);
  }
  // Other pods come at once; these would wait ever longer before they start again.
  for (const pod of await running("function", field)) await remove(pod, field);
  say(`${after + seconds} s: functions may come up again, after ${kills} kills`);
}

/** The kinds of which there are pods. */
export async function kindsOf(field: Field): Promise<Kind[]> {
  const kinds = Object.keys(selectors) as Kind[];
  const there = await Promise.all(kinds.map(async (kind) => (await running(kind, field)).length > 0));
  return kinds.filter((_, at) => there[at]);
}

async function running(kind: Kind, { cluster, stack }: Field): Promise<Pod[]> {
  const selector = ["-l", selectors[kind], "--field-selector=status.phase=Running"];
  const { items } = await cluster.json("get", "pods", "-n", stack, ...selector);
  return items;
}

/** Elsewhere, without a way to its processes: the kubelet kills them two seconds after it has asked them to end. */
async function kill({ metadata: { name, uid } }: Pod, { cluster, stack, embedded }: Field): Promise<void> {
  if (embedded) await killPod(instanceName(), uid);
  else await cluster.text("delete", "pod", name, "-n", stack, "--wait=false", "--force", "--grace-period=0");
}

async function remove({ metadata: { name } }: Pod, { cluster, stack }: Field): Promise<void> {
  await cluster.text("delete", "pod", name, "-n", stack, "--wait=false", "--ignore-not-found");
}

interface Pod {
  readonly metadata: { readonly name: string; readonly uid: string };
}
