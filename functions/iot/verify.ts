/**
 * Runs in the cluster for `npm run verify -- iot`: plays the simulated devices against the gateway, watches the mart
 * fill, and accounts for every event in mart, lake and dead letters. Prints progress, then one line `RESULT {json}`.
 */
import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
// The package exports its program only, not its data.
import seattle from "../../node_modules/vega-datasets/data/seattle-weather-hourly-normals.csv";
import { readSettings } from "../kit/settings.ts";
import { type DeadLetter, markDeadLetters } from "../verify/dead-letters.ts";
import { linesAfter } from "../verify/lake.ts";
import { account, type Entry, type Observation, speed } from "../verify/ledger.ts";
import { connectMart } from "../verify/mart.ts";
import type { Measurement } from "./events.ts";
import { Fleet, type GatewaySettings } from "./fleet.ts";
import { measure, objectKey } from "./measurement.ts";
import { type Hour, type Send, simulate } from "./simulation.ts";

interface Arguments {
  readonly rate: number;
  readonly seconds: number;
  readonly seed: number;
}
/** The mart is asked this often; latencies are known no better. */
const pollMilliseconds = 100;
/** Without any progress for this long, what is missing counts as lost. */
const patienceMilliseconds = 60_000;
const clockDifferenceMilliseconds = 60_000;

/** All of a measurement that follows from what was sent. */
type Expected = Omit<Measurement, "received">;

const args = JSON.parse(process.env.VERIFY_ARGUMENTS ?? "{}") as Arguments;
const ports = "verify";
const gateway = readSettings<GatewaySettings>(ports, "gateway");
const { url: httpUrl } = readSettings<{ url: string }>(ports, "http");

async function main(): Promise<void> {
  const names = Object.keys(gateway.passwords);
  const firstSequence = Date.now();
  const sends = simulate({ ...args, series: hours(seattle), devices: names, firstSequence });
  const isOfThisRun = (id: string) => Number(id.slice(id.lastIndexOf("-") + 1)) >= firstSequence;
  say(
    `${sends.length} events from ${names.length} devices, ${args.rate} readings/s for ${args.seconds} s, seed ${args.seed}`,
  );

  const mart = await connectMart<Measurement>(readSettings(ports, "mart"));
  const deadLetters = await Promise.all(
    ["raw-dead-letters", "readings-dead-letters"].map((port) => markDeadLetters(readSettings(ports, port))),
  );
  const fleet = await Fleet.connect(gateway, httpUrl);
  say(`${names.length} devices connected`);

  const start = performance.now();
  const now = () => performance.now() - start;
  const sent = new Map<string, Entry>();
  const refused = new Map<string, string>();
  const seen = new Map<string, number>();
  const wanted = new Set(sends.filter(({ fate }) => fate === "stored").map(({ reading }) => reading?.id));

  const watching = new AbortController();
  const watch = mart.watch(pollMilliseconds, watching.signal, (id) => {
    if (isOfThisRun(id) && !seen.has(id)) seen.set(id, now());
  });

  // Devices
  const orders = new Map<string, number>();
  const answers: Promise<void>[] = [];
  let reported = 0;
  for (const send of sends) {
    const early = send.time - now();
    if (early > 1) await sleep(early);
    const id = idOf(send);
    if (!sent.has(id)) {
      const order = (orders.get(send.device) ?? -1) + 1;
      orders.set(send.device, order);
      sent.set(id, { id, key: send.device, order, fate: send.fate, sentAt: now() });
    }
    answers.push(
      fleet.send(send).then((answer) => {
        if (answer !== "accepted") refused.set(id, answer);
      }),
    );
    if (now() - reported > 10_000) {
      reported = now();
      say(`${Math.round(now() / 1000)} s: ${sent.size} sent, ${seen.size} stored`);
    }
  }
  await Promise.all(answers);
  say(`all sent after ${Math.round(now() / 1000)} s; waiting for the last`);

  // Until all is there, or nothing comes any more
  let progress = { at: now(), stored: seen.size };
  while (seen.size < wanted.size && now() - progress.at < patienceMilliseconds) {
    await sleep(pollMilliseconds);
    if (seen.size > progress.stored) progress = { at: now(), stored: seen.size };
  }
  watching.abort();
  await watch;
  await fleet.close();

  // What is where
  const byPayload = new Map(sends.map((send) => [send.payload, idOf(send)]));
  const readings = new Map(sends.flatMap(({ reading }) => (reading ? [[reading.id, measure(reading)] as const] : [])));
  // The last events may still be on their way to the dead letters.
  const bad = sends.filter(({ fate }) => fate === "dead-lettered").map(idOf);
  const buried = new Map<string, string>();
  for (const latest = now() + patienceMilliseconds; ; await sleep(1_000)) {
    const letters = (await Promise.all(deadLetters.map((topic) => topic.read()))).flat();
    for (const letter of letters)
      for (const [id, reason] of identify(letter, byPayload, readings)) buried.set(id, reason);
    if (bad.every((id) => buried.has(id)) || now() > latest) break;
  }
  const rows = (await mart.rows()).filter(({ id }) => isOfThisRun(id));
  await mart.close();
  const observation: Observation = {
    stores: new Map([
      ["mart", new Map(rows.map((row) => [row.id, { times: 1, right: isRight(row, readings.get(row.id)) }]))],
      ["lake", await inLake(firstSequence, readings, isOfThisRun)],
    ]),
    deadLetters: buried,
    refused,
    effects: new Map(
      [...Map.groupBy(rows, ({ device }) => device)].map(([device, own]) => [device, own.map(({ id }) => id)]),
    ),
  };
  const ledger = account([...sent.values()], observation, "bad-input");
  const stored = [...seen].flatMap(([id, seenAt]) => {
    const entry = sent.get(id);
    return entry ? [{ sentAt: entry.sentAt, seenAt }] : [];
  });
  console.log(`RESULT ${JSON.stringify({ ...args, ...ledger, ...speed(stored, args.seconds) })}`);
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

main().catch((error: Error) => {
  console.error(`verify stopped: ${error.message}`);
  process.exit(1);
});
