/**
 * Runs in the cluster for `npm run verify -- iot`: plays the simulated devices against the gateway, watches the mart
 * fill, and accounts for every event in mart, lake and dead letters; or accounts for an earlier run again. Prints
 * progress, then one line `RESULT {json}`.
 */
import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
// The package exports its program only, not its data.
import seattle from "../../node_modules/vega-datasets/data/seattle-weather-hourly-normals.csv";
import { reasonOf } from "../kit/errors.ts";
import { readSettings } from "../kit/settings.ts";
import { topicReader } from "../kit/topic-reader.ts";
import { type DeadLetter, readDeadLetters } from "../verify/dead-letters.ts";
import { linesAfter } from "../verify/lake.ts";
import { account, type Entry, type Observation, type Speed, speed } from "../verify/ledger.ts";
import { connectMart, type Mart } from "../verify/mart.ts";
import type { Measurement } from "./events.ts";
import { Fleet, type GatewaySettings } from "./fleet.ts";
import { measure, objectKey } from "./measurement.ts";
import { type Hour, type Send, simulate } from "./simulation.ts";

interface Arguments {
  readonly rate: number;
  readonly seconds: number;
  readonly seed: number;
  /** Of an earlier run: it is accounted for again. */
  readonly run?: number;
}
/** The mart is asked this often; latencies are known no better. */
const pollMilliseconds = 100;
/** Without any progress for this long, what is missing counts as lost. */
const patienceMilliseconds = 60_000;
const clockDifferenceMilliseconds = 60_000;

const words = {
  sent: "events sent",
  stored: "in the lake and in the mart",
  deadLettered: "dead-lettered with the right reason",
  refused: "refused at the gateway",
  latency: "end to end",
};

/** All of a measurement that follows from what was sent. */
type Expected = Omit<Measurement, "received">;

const args = JSON.parse(process.env.VERIFY_ARGUMENTS ?? "{}") as Arguments;
const ports = "verify";
const gateway = readSettings<GatewaySettings>(ports, "gateway");
const { url: httpUrl } = readSettings<{ url: string }>(ports, "http");

/** What is sent, or was in an earlier run, and what the gateway said to it. */
interface Sent {
  readonly entries: ReadonlyMap<string, Entry>;
  /** Ids with the answer. */
  readonly refused: ReadonlyMap<string, string>;
}

async function main(): Promise<void> {
  const names = Object.keys(gateway.passwords);
  const run = args.run ?? Date.now();
  const sends = simulate({ ...args, series: hours(seattle), devices: names, firstSequence: run });
  const isOfThisRun = (id: string) => Number(id.slice(id.lastIndexOf("-") + 1)) >= run;
  const mart = await connectMart<Measurement>(readSettings(ports, "mart"));

  const { sent, speed } = args.run === undefined ? await send(sends, mart) : { sent: earlier(sends), speed: undefined };

  const byPayload = new Map(sends.map((send) => [send.payload, idOf(send)]));
  const readings = new Map(sends.flatMap(({ reading }) => (reading ? [[reading.id, measure(reading)] as const] : [])));
  const letters = async () => {
    const topics = ["raw-dead-letters", "readings-dead-letters"];
    const read = await Promise.all(topics.map((port) => readDeadLetters(topicReader(readSettings(ports, port)), run)));
    const identified = (of: "open" | "sentAgain") =>
      read.flatMap((topic) => topic[of]).flatMap((letter) => identify(letter, byPayload, readings));
    return { open: new Map(identified("open")), sentAgain: new Set(identified("sentAgain").map(([id]) => id)) };
  };
  // The last events may still be on their way to the dead letters, and Kafka may be about to start.
  const bad = sends.filter(({ fate }) => fate === "dead-lettered").map(idOf);
  const latest = Date.now() + patienceMilliseconds;
  const isLate = () => Date.now() > latest;
  const attempt = () => letters().catch((error) => (isLate() ? Promise.reject(error) : undefined));
  let buried = await attempt();
  while (!buried || !(isLate() || bad.every((id) => buried?.open.has(id)))) {
    await sleep(1_000);
    buried = await attempt();
  }
  const rows = (await mart.rows()).filter(({ id }) => isOfThisRun(id));
  const observation: Observation = {
    stores: new Map([
      ["mart", new Map(rows.map((row) => [row.id, { times: 1, right: isRight(row, readings.get(row.id)) }]))],
      ["lake", await inLake(run, readings, isOfThisRun)],
    ]),
    deadLetters: buried.open,
    refused: sent.refused,
    effects: new Map(
      [...Map.groupBy(rows, ({ device }) => device)].map(([device, own]) => [device, own.map(({ id }) => id)]),
    ),
    sentAgain: buried.sentAgain,
  };
  const ledger = account([...sent.entries.values()], observation, "bad-input");
  console.log(`RESULT ${JSON.stringify({ ...args, run, words, ...ledger, ...speed })}`);
  await mart.close();
}

/** Plays the devices, and waits until everything is stored or nothing comes any more. */
async function send(sends: readonly Send[], mart: Mart<Measurement>): Promise<{ sent: Sent; speed: Speed }> {
  say(
    `${sends.length} events from ${Object.keys(gateway.passwords).length} devices, ${args.rate} readings/s for ${args.seconds} s, seed ${args.seed}`,
  );
  const fleet = await Fleet.connect(gateway, httpUrl);
  say("all devices are connected: sending starts");

  const start = performance.now();
  const now = () => performance.now() - start;
  const seen = new Map<string, number>();
  const wanted = new Set(sends.filter(({ fate }) => fate === "stored").map(idOf));
  const watching = new AbortController();
  const watch = mart.watch(pollMilliseconds, watching.signal, (id) => {
    if (wanted.has(id) && !seen.has(id)) seen.set(id, now());
  });

  const entries = new Map<string, Entry>();
  const refused = new Map<string, string>();
  const enter = entering(entries);
  const answers: Promise<void>[] = [];
  let reported = 0;
  for (const send of sends) {
    const early = send.time - now();
    if (early > 1) await sleep(early);
    const id = enter(send, now());
    answers.push(
      fleet.send(send).then((answer) => {
        if (answer !== "accepted") refused.set(id, answer);
      }),
    );
    if (now() - reported > 10_000) {
      reported = now();
      say(`${Math.round(now() / 1000)} s: ${entries.size} sent, ${seen.size} stored`);
    }
  }
  await Promise.all(answers);
  say(`all sent after ${Math.round(now() / 1000)} s; waiting for the last`);

  let progress = { at: now(), stored: seen.size };
  while (seen.size < wanted.size && now() - progress.at < patienceMilliseconds) {
    await sleep(pollMilliseconds);
    if (seen.size > progress.stored) progress = { at: now(), stored: seen.size };
  }
  watching.abort();
  await watch;
  await fleet.close();
  const stored = [...seen].map(([id, seenAt]) => ({ sentAt: (entries.get(id) as Entry).sentAt, seenAt }));
  return { sent: { entries, refused }, speed: speed(stored, args.seconds) };
}

/** What an earlier run has sent; what the gateway said to it then is not known any more. */
function earlier(sends: readonly Send[]): Sent {
  say(`the events of the run ${args.run} are accounted for again; nothing is sent`);
  const entries = new Map<string, Entry>();
  const enter = entering(entries);
  for (const send of sends) enter(send, send.time);
  const refused = sends.filter(({ fate }) => fate === "refused").map((send) => [idOf(send), "then"] as const);
  return { entries, refused: new Map(refused) };
}

/** Enters each event once, with its place among those of its device, and tells its id. */
function entering(entries: Map<string, Entry>): (send: Send, sentAt: number) => string {
  const orders = new Map<string, number>();
  return (send, sentAt) => {
    const id = idOf(send);
    if (!entries.has(id)) {
      const order = (orders.get(send.device) ?? -1) + 1;
      orders.set(send.device, order);
      entries.set(id, { id, key: send.device, order, fate: send.fate, sentAt });
    }
    return id;
  };
}

/** A reading has its own id; what can be no reading is known by its payload. */
function idOf(send: Send): string {
  if (send.reading) return send.reading.id;
  return `${send.kind}-${send.device}-${createHash("sha256").update(send.payload).digest("hex").slice(0, 12)}`;
}

/** Dead letters of this run only: earlier runs' are still in the topic. */
function identify(
  letter: DeadLetter,
  byPayload: ReadonlyMap<string, string>,
  readings: ReadonlyMap<string, Expected>,
): [string, string][] {
  const id = byPayload.get(letter.value) ?? [...storedId(letter.value)].find((stored) => readings.has(stored));
  return id === undefined ? [] : [[id, letter.reason]];
}

/** Dead letters of `compute` carry the stored document. */
function* storedId(value: string): Generator<string> {
  try {
    const { id } = JSON.parse(value);
    if (typeof id === "string") yield id;
  } catch {
    // A raw payload that is no JSON.
  }
}

/** What the lake's objects hold of this run; clocks may differ a little. */
async function inLake(
  startedAt: number,
  readings: ReadonlyMap<string, Expected>,
  isOfThisRun: (id: string) => boolean,
): Promise<Map<string, { times: number; right: boolean }>> {
  const before = objectKey({ received: new Date(startedAt - clockDifferenceMilliseconds).toISOString() });
  const found = new Map<string, { times: number; right: boolean }>();
  for (const { key, line } of await linesAfter<Measurement>(readSettings(ports, "lake"), before)) {
    if (!isOfThisRun(line.id)) continue;
    const right = isRight(line, readings.get(line.id)) && key === objectKey(line);
    found.set(line.id, { times: (found.get(line.id)?.times ?? 0) + 1, right });
  }
  return found;
}

/** The store's copy of a measurement is what was to be computed from what was sent. */
function isRight(stored: Measurement, expected: Expected | undefined): boolean {
  if (!expected) return false;
  const time = (value: unknown) => new Date(value as string).getTime();
  return (
    stored.device === expected.device &&
    Number(stored.sequence) === expected.sequence &&
    time(stored.at) === time(expected.at) &&
    time(stored.hour) === time(expected.hour) &&
    stored.celsius === expected.celsius &&
    stored.fahrenheit === expected.fahrenheit
  );
}

function hours(csv: string): Hour[] {
  const [header, ...lines] = csv.trim().split("\n");
  const columns = header?.split(",") ?? [];
  const [date, temperature] = [columns.indexOf("date"), columns.indexOf("temperature")];
  return lines.map((line) => {
    const cells = line.split(",");
    return { at: new Date(`${cells[date]}Z`).toISOString(), celsius: Number(cells[temperature]) };
  });
}

function say(line: string): void {
  console.log(line);
}

main().catch((error: unknown) => {
  console.error(`verify stopped: ${reasonOf(error)}`);
  process.exit(1);
});
