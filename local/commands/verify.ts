import { writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { kindsOf, outage, planChaos, strike } from "../chaos.ts";
import { runJob, verifierOf } from "../job.ts";
import { say } from "../log.ts";
import { growth, leastSecondsForGrowth, mebibytes, type PodMemory, watchMemory } from "../memory.ts";
import { Problem } from "../problem.ts";
import { table } from "../table.ts";
import { type Kubectl, kubectl } from "../toolchain/kubectl.ts";

/** The last line of the verifier's output: the ledger and the speed. */
interface Result {
  readonly rate: number;
  readonly seconds: number;
  readonly seed: number;
  /** Names this run, to account for it again. */
  readonly run: number;
  readonly sent: number;
  readonly stored: number;
  readonly deadLettered: number;
  readonly refused: number;
  readonly problems: readonly string[];
  /** What an architecture calls these. */
  readonly words: {
    readonly sent: string;
    readonly stored: string;
    readonly deadLettered: string;
    readonly refused: string;
    readonly latency: string;
  };
  /** Missing where an earlier run is accounted for again, as are the following. */
  readonly throughput?: number;
  readonly worstWindow: number;
  readonly p50: number;
  readonly p99: number;
}

const usage =
  "Use: npm run verify -- STACK [--rate 50] [--seconds 30] [--seed 1] [--chaos] [--outage SECONDS] [--memory] [--run RUN] [--json FILE] [--context NAME]";
const mostProblemsShown = 20;
/** What the verifier says when the first event goes out. */
const readyToSend = /sending starts$/;

/** `verify STACK`: sends simulated events through a deployed architecture and accounts for every one of them. */
export async function run(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      rate: { type: "string", default: "50" },
      seconds: { type: "string", default: "30" },
      seed: { type: "string", default: "1" },
      run: { type: "string" },
      chaos: { type: "boolean", default: false },
      outage: { type: "string", default: "0" },
      memory: { type: "boolean", default: false },
      json: { type: "string" },
      context: { type: "string" },
    },
  });
  const [stack, ...rest] = positionals;
  if (!stack || rest.length > 0) throw new Problem("Which architecture is to be verified?", usage);
  const settings = {
    rate: whole("rate", values.rate, 1, 100_000),
    seconds: whole("seconds", values.seconds, 1, 86_400),
    seed: whole("seed", values.seed, 0, 2 ** 31 - 1),
    ...(values.run !== undefined && { run: whole("run", values.run, 1, Number.MAX_SAFE_INTEGER) }),
  };

  const down = whole("outage", values.outage, 0, settings.seconds);
  // A quarter of the rest flows before it.
  const downAfter = Math.floor((settings.seconds - down) / 4);

  const cluster = await kubectl(values.context);
  const standIns = await standInsOf(cluster);
  const template = await verifierOf(cluster, stack);
  const field = { cluster, stack, embedded: values.context === undefined };
  const blows = values.chaos ? planChaos(settings.seed, settings.seconds, await kindsOf(field)) : [];
  for (const { kind, time } of blows)
    say(`chaos: a pod of the kind ${kind} is killed after ${(time / 1000).toFixed(1)} s`);
  if (down > 0) say(`outage: every function is down from ${downAfter} s to ${downAfter + down} s`);
  let striking: Promise<unknown> | undefined;
  const memoryOf = values.memory ? await watchMemory(cluster) : undefined;
  const result = await runJob<Result>(cluster, template, {
    name: `verify-${Date.now().toString(36)}`,
    env: { name: "VERIFY_ARGUMENTS", value: JSON.stringify(settings) },
    line: (text) => {
      say(text);
      if (!readyToSend.test(text)) return;
      striking = Promise.all([strike(blows, field), ...(down > 0 ? [outage(downAfter, down, field)] : [])]);
      // Waited for below; a failure before that is not to end the process.
      striking.catch(() => {});
    },
  });
  if (!striking && (blows.length > 0 || down > 0))
    throw new Problem("Nothing was killed: the verifier did not say when it began to send.");
  await striking;
  const memory = await memoryOf?.();
  print(stack, result, standIns);
  const grown = memory ? printMemory(memory, settings.seconds) : [];
  const killed = blows.map(({ kind, time }) => ({ kind, time }));
  const file = { stack, standIns, killed, outage: down, ...result, ...(memory && { memory, grown }) };
  if (values.json) await writeFile(values.json, `${JSON.stringify(file, null, 2)}\n`);
  return result.problems.length === 0 && grown.length === 0 ? 0 : 1;
}

function whole(name: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < least || value > most)
    throw new Problem(`--${name} must be a whole number from ${least} to ${most}, got "${text}".`, usage);
  return value;
}

/** Nodes say which of their parts are stand-ins for the real ones. */
async function standInsOf(cluster: Kubectl): Promise<string[]> {
  const { items } = await cluster.json("get", "nodes");
  const names = (items as { metadata: { labels?: Record<string, string> } }[]).flatMap(
    ({ metadata }) => metadata.labels?.["fivefold.dev/stand-ins"]?.split(".") ?? [],
  );
  return [...new Set(names)];
}

function print(stack: string, result: Result, standIns: readonly string[]): void {
  const { words, problems, rate, seconds, throughput, worstWindow, p50, p99 } = result;
  const rows: [string, string | number][] = [
    [words.sent, result.sent],
    [`  ${words.stored}`, result.stored],
    [`  ${words.deadLettered}`, result.deadLettered],
    [`  ${words.refused}`, result.refused],
    ["  unaccounted for", problems.length],
  ];
  if (throughput !== undefined) {
    rows.push(
      [`throughput, of ${rate}/s for ${seconds} s`, `${throughput.toFixed(1)}/s`],
      ["worst 10 seconds", `${worstWindow.toFixed(1)}/s (${((100 * worstWindow) / rate).toFixed(1)} %)`],
      [`${words.latency}, p50 / p99`, `${Math.round(p50)} ms / ${Math.round(p99)} ms`],
    );
  }
  const width = Math.max(...rows.map(([label]) => label.length));
  console.log(`\nLedger of ${stack}, seed ${result.seed}, run ${result.run}`);
  for (const [label, value] of rows) console.log(`  ${label.padEnd(width)}  ${value}`);
  for (const problem of problems.slice(0, mostProblemsShown)) console.log(`  ! ${problem}`);
  if (problems.length > mostProblemsShown) console.log(`  ! and ${problems.length - mostProblemsShown} more`);
  if (standIns.length > 0)
    console.log(`  Stand-in instead of the real server: ${standIns.join(", ")}. See "Stand-ins" in the README.`);
  console.log(problems.length === 0 ? "Every event is accounted for." : "NOT every event is accounted for.");
}

/** @returns what is wrong with it */
function printMemory(pods: readonly PodMemory[], seconds: number): string[] {
  const grown = growth(pods, seconds);
  const rows = pods.map(({ pod, middle, last, highest, limit, restarts }) => [
    pod,
    ...[middle, last, highest, limit ?? Number.NaN].map(mebibytes),
    String(restarts),
  ]);
  table([["memory of the pods", "middle third", "last third", "highest", "limit", "restarts"], ...rows]);
  for (const problem of grown) console.log(`  ! ${problem}`);
  if (grown.length > 0) return grown;
  console.log(
    seconds < leastSecondsForGrowth
      ? `Growth is judged from ${leastSecondsForGrowth} seconds on.`
      : "The memory of every pod stays flat.",
  );
  return grown;
}
