/** Chaos for `verify`: kills one part of each kind while events flow, at moments that a seed decides. */
import { setTimeout as sleep } from "node:timers/promises";
import { uniformInt } from "pure-rand/distribution/uniformInt";
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";
import { say } from "./log.ts";
import { killPod } from "./node/cgroups.ts";
import { instanceName } from "./paths.ts";
import { Problem } from "./problem.ts";
import type { Kubectl } from "./toolchain/kubectl.ts";

/** The kinds of pods that are killed, by the label that says what a pod is. */
const kinds = ["relay", "function", "kafka", "mongo"] as const;
type Kind = (typeof kinds)[number];

export interface Blow {
  readonly kind: Kind;
  /** Which of the pods of its kind, as a share of them all: 0 is the first, 0.5 the middle one. */
  readonly which: number;
  /** Milliseconds after the first event. */
  readonly time: number;
}

/** One blow for each kind, in random order, while events flow and with some of them still to come. */
export function planChaos(seed: number, seconds: number): Blow[] {
  const random = xoroshiro128plus(seed);
  const upTo = (most: number) => uniformInt(random, 0, most);
  const from = seconds * 100;
  const until = seconds * 800;
  return kinds
    .map((kind) => ({ kind, which: upTo(999) / 1000, time: from + upTo(until - from) }))
    .sort((one, other) => one.time - other.time);
}

/**
 * Strikes each blow in its time; resolves after the last. A pod that was killed is deleted right after: not only its
 * process comes again, but another pod.
 */
export async function strike(
  blows: readonly Blow[],
  { cluster, stack, embedded }: { readonly cluster: Kubectl; readonly stack: string; readonly embedded: boolean },
): Promise<void> {
  const start = performance.now();
  for (const { kind, which, time } of blows) {
    await sleep(Math.max(0, time - (performance.now() - start)));
    const selector = `app.kubernetes.io/name=${kind}`;
    const { items } = await cluster.json(
      "get",
      "pods",
      "-n",
      stack,
      "-l",
      selector,
      "--field-selector=status.phase=Running",
    );
    const pod = (items as Pod[])[Math.floor(which * items.length)];
    if (!pod) throw new Problem(`There is no running pod of the kind "${kind}" in "${stack}" to kill.`);
    const { name, uid } = pod.metadata;
    if (embedded) {
      await killPod(instanceName(), uid);
      await cluster.text("delete", "pod", name, "-n", stack, "--wait=false");
    } else {
      // Without a way to its processes: the kubelet kills them two seconds after it has asked them to end.
      await cluster.text("delete", "pod", name, "-n", stack, "--wait=false", "--force", "--grace-period=0");
    }
    say(`${Math.round((performance.now() - start) / 1000)} s: killed the pod ${name} (${kind})`);
  }
}

interface Pod {
  readonly metadata: { readonly name: string; readonly uid: string };
}
