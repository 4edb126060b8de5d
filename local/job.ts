/** Runs programs of a stack in its cluster: the stack holds each as a suspended CronJob, and a run is a Job made from it. */
import { setTimeout as sleep } from "node:timers/promises";
import { say } from "./log.ts";
import { Problem } from "./problem.ts";
import type { Kubectl } from "./toolchain/kubectl.ts";

const secondsToBegin = 120;

export interface JobTemplate {
  readonly metadata: { readonly name: string; readonly namespace: string };
  // biome-ignore lint/suspicious/noExplicitAny: a CronJob's
  readonly spec: any;
}

/** The program of a stack that knows what its stores must hold. */
export async function verifierOf(cluster: Kubectl, stack: string): Promise<JobTemplate> {
  return cluster.json("get", "cronjob", "verify", "-n", stack).catch(() => {
    throw new Problem(
      `Stack "${stack}" is not deployed, or has no verifier.`,
      `Deploy it first: npm start -- ${stack}`,
    );
  });
}

export interface JobOptions {
  /** Two Jobs of one name cannot run at once. */
  readonly name: string;
  /** Environment variable of its only container. */
  readonly env: { readonly name: string; readonly value: string };
  /** Gets what the program says, save for its result.
   *  @default - it is shown */
  readonly line?: (text: string) => void;
}

/** Runs to the end and answers what the program printed as `RESULT {json}`. The Job is removed, also where it is interrupted. */
export async function runJob<Result>(
  cluster: Kubectl,
  { metadata: { namespace }, spec: { jobTemplate } }: JobTemplate,
  { name, env, line = say }: JobOptions,
): Promise<Result> {
  const spec = structuredClone(jobTemplate.spec);
  const [container] = spec.template.spec.containers;
  container.env = [...(container.env ?? []), env];
  const remove = () =>
    cluster.text("delete", "job", name, "-n", namespace, "--cascade=foreground", "--ignore-not-found");
  const interrupted = () => remove().finally(() => process.exit(130));
  await cluster.create({ apiVersion: "batch/v1", kind: "Job", metadata: { name, namespace }, spec });
  process.once("SIGINT", interrupted);
  try {
    await begun(cluster, name, namespace);
    let result: Result | undefined;
    await cluster.lines(["logs", "-f", `job/${name}`, "-n", namespace, "--pod-running-timeout=120s"], (text) => {
      if (text.startsWith("RESULT ")) result = JSON.parse(text.slice("RESULT ".length));
      else line(text);
    });
    if (!result) throw new Problem(`The job ${name} ended without a result.`, "What it said last is above.");
    return result;
  } finally {
    process.off("SIGINT", interrupted);
    await remove();
  }
}

/** Until the program runs or has ended; where it does neither, its output says why. */
async function begun(cluster: Kubectl, name: string, namespace: string): Promise<void> {
  const latest = Date.now() + secondsToBegin * 1000;
  while (Date.now() < latest) {
    const { status } = await cluster.json("get", "job", name, "-n", namespace);
    if (status.ready || status.succeeded || status.failed) return;
    await sleep(500);
  }
}
