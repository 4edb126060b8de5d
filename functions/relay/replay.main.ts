/** Runs as a Job for `npm run replay`: with the settings of a relay, on the dead letters that it wrote. Prints one line `RESULT {json}`. */
import { setTimeout as sleep } from "node:timers/promises";
import { readSettings } from "../kit/settings.ts";
import { deadLetters, type Letter } from "./dead-letters.ts";
import { messageOf, systemClock } from "./event.ts";
import { Publishers } from "./kafka.ts";
import { letterPlace } from "./letter-place.ts";
import { Metrics } from "./metrics.ts";
import { type Choice, choose, mostReplays, replay, type Survey, survey } from "./replay.ts";
import { nameOf, parseSettings, type RelaySettings } from "./settings.ts";
import { targetOf } from "./targets/target.ts";

interface Arguments extends Choice {
  /** Only tells what there is. */
  readonly dryRun?: boolean;
}

const saySeconds = 10;
const mostShown = 20;

async function main(settings: RelaySettings, args: Arguments): Promise<void> {
  const name = nameOf(settings);
  if (!settings.deadLetters) throw new Error(`The relay ${name} has no dead letters`);
  const publishers = new Publishers(name);
  const place = letterPlace(settings.deadLetters, publishers);
  const { topic, publisher } = place;
  const reader = place.reader();
  try {
    const found = await survey(reader, name);
    const chosen = choose(found, args);
    if (args.dryRun) return tell(topic, name, found, chosen);
    const metrics = new Metrics();
    const run = replay(chosen, found, {
      reader,
      publisher,
      topic,
      target: targetOf(settings, publishers),
      deadLetters: deadLetters(publisher, topic, name),
      limits: settings,
      clock: systemClock,
      metrics,
      log: (level, message, { error = "" } = {}) => level !== "info" && console.log(`${message} ${error}`),
    });
    const interrupted = once("SIGTERM");
    for (let running = true; running; ) {
      running = await Promise.race([
        run.finished.then(() => false),
        interrupted.then(() => false),
        sleep(saySeconds * 1000, true, { ref: false }),
      ]);
      if (running) console.log(`${run.sent()} of ${chosen.length} sent`);
    }
    await run.stop();
    const { deadLettered: failed } = metrics;
    result({ topic, relay: name, chosen: chosen.length, sent: run.sent() - failed, failed, ...counts(found) });
  } finally {
    await publishers.close();
    await reader.close();
  }
}

function tell(topic: string, relay: string, found: Survey, chosen: readonly Letter[]): void {
  for (const { id, origin, key, reason, message, time, replays } of chosen.slice(0, mostShown)) {
    const from = [origin.topic, origin.partition, origin.offset].filter(Boolean).join("/");
    const again = replays > 0 ? `, sent again ${replays} times` : "";
    console.log(`  ${id}  ${time}  ${from}  key ${key ?? "(none)"}  ${reason}: ${message}${again}`);
  }
  if (chosen.length > mostShown) console.log(`  and ${chosen.length - mostShown} more`);
  const reasons = [...Map.groupBy(chosen, ({ reason }) => reason)].map(([reason, letters]) => {
    const times = letters.map(({ time }) => time).sort();
    return { reason, letters: letters.length, oldest: times.at(0), youngest: times.at(-1) };
  });
  result({ topic, relay, chosen: chosen.length, reasons, ...counts(found) });
}

const counts = ({ open, uncertain }: Survey) => ({
  open: open.length,
  uncertain: uncertain.size,
  circling: open.filter(({ replays }) => replays >= mostReplays).length,
});

function result(result: object): void {
  console.log(`RESULT ${JSON.stringify(result)}`);
}

const once = (signal: NodeJS.Signals) => new Promise<void>((resolve) => process.once(signal, () => resolve()));

try {
  const settings = parseSettings(readSettings(process.env.FIVEFOLD_NAME ?? "relay", "relay"));
  main(settings, JSON.parse(process.env.REPLAY_ARGUMENTS ?? "{}")).catch(fail);
} catch (error) {
  fail(error);
}

function fail(error: unknown): void {
  console.error(`replay stopped: ${messageOf(error)}`);
  process.exit(1);
}
