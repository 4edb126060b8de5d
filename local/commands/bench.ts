import { writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { keys } from "../../bench/relay/event.ts";
import { added, bars, misses, rateOf, ratio, type Trigger } from "../../bench/relay/figures.ts";
import { benchRelay, type Results } from "../../bench/relay/run.ts";
import { Problem } from "../problem.ts";
import { table } from "../table.ts";

const usage = "Use: npm run bench:relay -- [--json FILE] [--context NAME]";

/** `bench relay`: the relay beside Fission's own trigger for Kafka. Fails where it is not as far ahead as it should be. */
export async function run(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { json: { type: "string" }, context: { type: "string" } },
  });
  if (positionals.join(" ") !== "relay") throw new Problem("What is to be measured?", usage);
  let missed: readonly string[] = [];
  await benchRelay(values.context, async (results) => {
    missed = misses(results);
    print(results, missed);
    const all = { ...results, ratio: ratio(results), added: added(results), bars, missed };
    if (values.json) await writeFile(values.json, `${JSON.stringify(all, null, 2)}\n`);
  });
  return missed.length === 0 ? 0 : 1;
}

function print(results: Results, missed: readonly string[]): void {
  const { rounds, kills, firstCalls, nextCalls, latency, recordBytes } = results;
  const { node, kubernetes, standIns, killedBy } = results.conditions;
  const each = (of: (trigger: Trigger) => string | number) => [of("relay"), of("fission")];
  const perSecond = (trigger: Trigger) => rounds[trigger].map((round) => Math.round(round.eventsPerSecond)).join(", ");
  const outOfOrder = (trigger: Trigger) =>
    [...rounds[trigger], kills[trigger]].reduce((sum, round) => sum + round.outOfOrder, 0);
  const rows: (string | number)[][] = [
    ["", "relay", "Fission's own trigger"],
    ["events/s from one partition, median", ...each((trigger) => Math.round(rateOf(rounds[trigger])))],
    ["  each round", ...each(perSecond)],
    ["events out of their key's order", ...each(outOfOrder)],
    [
      `pod killed (${killedBy})`,
      ...each((trigger) => `after ${kills[trigger].deliveredBefore} of ${kills[trigger].events}`),
    ],
    ["  events lost", ...each((trigger) => kills[trigger].lost)],
    ["  events repeated", ...each((trigger) => kills[trigger].repeated)],
    ["  until the next event", ...each((trigger) => `${kills[trigger].secondsUntilNext.toFixed(1)} s`)],
  ];
  const pair = ({ p50, p99 }: { p50: number; p99: number }) => `p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`;
  const single: (string | number)[][] = [
    ["relay against Fission's own trigger", `${ratio(results).toFixed(1)} times the events/s (bar: ${bars.ratio})`],
    [
      `added by the relay at ${latency.eventsPerSecond} events/s`,
      `${pair(added(results))} (bar: p99 ${bars.addedP99} ms; the difference of the next two)`,
    ],
    ["  from Kafka to the function", `${pair(latency.relay)} (${latency.relay.samples} events)`],
    ["  function called directly", `${pair(latency.direct)} (${latency.direct.samples} events)`],
    [
      "first call of a function",
      `${pair(firstCalls)} (bar: p50 ${bars.firstCallP50} ms; ${firstCalls.samples} functions)`,
    ],
    [
      "next calls",
      `${pair(nextCalls)} (bar: p99 ${bars.nextCallP99} ms; ${nextCalls.samples} calls, one after another)`,
    ],
  ];
  console.log(`\nThe relay beside Fission's own trigger, on ${node}, Kubernetes ${kubernetes}`);
  console.log(
    `  One partition of records of ${recordBytes} bytes with ${keys} keys, the same function on the same node; rounds by turns.`,
  );
  console.log("  The relay reads through TLS and SCRAM, Fission's trigger in plain text: it knows no passwords.\n");
  table(rows);
  console.log("");
  table(single);
  console.log(`  Timers of this machine were late by ${pair(latency.timersLate)}, by which anything may be late here.`);
  if (standIns.length > 0) console.log(`  Stand-ins on this node: ${standIns.join(", ")}`);
  for (const miss of missed) console.log(`  ! ${miss}`);
  console.log(missed.length === 0 ? "Every bar is reached." : "NOT every bar is reached.");
}
