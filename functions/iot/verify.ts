/**
 * Runs in the cluster for `npm run verify -- iot`: plays the simulated devices against the gateway, watches the mart
 * fill, and accounts for every event in mart, lake and dead letters. Prints progress, then one line `RESULT {json}`.
 */
import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { Client as Postgres } from "pg";
// The package exports its program only, not its data.
import seattle from "../../node_modules/vega-datasets/data/seattle-weather-hourly-normals.csv";
import { signed } from "../kit/aws.ts";
import type { ObjectsSettings } from "../kit/clients/objects.ts";
import type { RowsSettings } from "../kit/clients/rows.ts";
import { httpClient } from "../kit/http.ts";
import { readSettings } from "../kit/settings.ts";
import { type DeadLetter, markDeadLetters } from "../verify/dead-letters.ts";
import { account, type Entry, type Observation, speed } from "../verify/ledger.ts";
import type { Measurement } from "./events.ts";
import { Fleet, type GatewaySettings } from "./fleet.ts";
import { measure, objectKey, writeObject } from "./measurement.ts";
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

const args = JSON.parse(process.env.VERIFY_ARGUMENTS ?? "{}") as Arguments;
const ports = "verify";
const gateway = readSettings<GatewaySettings>(ports, "gateway");
const { url: httpUrl } = readSettings<{ url: string }>(ports, "http");
const martSettings = readSettings<RowsSettings>(ports, "mart");
const lakeSettings = readSettings<ObjectsSettings>(ports, "lake");

async function main(): Promise<void> {
  const names = Object.keys(gateway.passwords);
  const firstSequence = Date.now();
  const sends = simulate({ ...args, series: hours(seattle), devices: names, firstSequence });
  const isOfThisRun = (id: string) => Number(id.slice(id.lastIndexOf("-") + 1)) >= firstSequence;
  say(
    `${sends.length} events from ${names.length} devices, ${args.rate} readings/s for ${args.seconds} s, seed ${args.seed}`,
  );

  const mart = await connectMart();
  const deadLetters = await Promise.all(
    ["raw-dead-letters", "readings-dead-letters"].map((port) => markDeadLetters(readSettings(ports, port))),
  );
  const fleet = await Fleet.connect(gateway, httpUrl);
  say(`${names.length} devices connected`);

  const start = performance.now();
  const now = () => performance.now() - start;
  const sent = new Map<string, Entry>();
  const refused = new Map<string, string>();
  const seen = new Map<string, { at: number; row: MartRow }>();
  const wanted = new Set(sends.filter(({ fate }) => fate === "stored").map(({ reading }) => reading?.id));

  const watching = new AbortController();
  const watch = watchMart(mart, martSettings.table, isOfThisRun, watching.signal, (row) => {
    if (!seen.has(row.id)) seen.set(row.id, { at: now(), row });
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
  const rows = await allRows(mart, martSettings.table, isOfThisRun);
  await mart.end();
  const observation: Observation = {
    stores: new Map([
      ["mart", new Map(rows.map((row) => [row.id, { times: 1, right: sameRow(row, readings.get(row.id)) }]))],
      ["lake", await lakeObjects(readings, isOfThisRun)],
    ]),
    deadLetters: buried,
    refused,
    effects: new Map(
      [...Map.groupBy(rows, ({ device }) => device)].map(([device, own]) => [device, own.map(({ id }) => id)]),
    ),
  };
  const ledger = account([...sent.values()], observation, "bad-input");
  const stored = [...seen].flatMap(([id, { at }]) => {
    const entry = sent.get(id);
    return entry ? [{ sentAt: entry.sentAt, seenAt: at }] : [];
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
  readings: ReadonlyMap<string, Measurement>,
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

type MartRow = Measurement & { readonly stored: number };

async function connectMart(): Promise<Postgres> {
  const { host, port, database, username: user, password, ca } = martSettings;
  const mart = new Postgres({ host, port, database, user, password, ssl: ca ? { ca } : true });
  await mart.connect();
  return mart;
}

async function watchMart(
  mart: Postgres,
  table: string,
  isOfThisRun: (id: string) => boolean,
  signal: AbortSignal,
  found: (row: MartRow) => void,
): Promise<void> {
  // Rows become visible in the order of commits, not of their numbers: look back a little each time.
  const lookBack = 1_000;
  let last = await mart
    .query(`select coalesce(max(stored), 0) as last from ${table}`)
    .then(({ rows }) => Number(rows[0].last));
  while (!signal.aborted) {
    const { rows } = await mart.query<{ id: string; stored: string }>({
      text: `select id, stored from ${table} where stored > $1 order by stored`,
      values: [last - lookBack],
    });
    for (const row of rows) if (isOfThisRun(row.id)) found(row as never);
    last = Math.max(last, Number(rows.at(-1)?.stored ?? last));
    await sleep(pollMilliseconds);
  }
}

async function allRows(mart: Postgres, table: string, isOfThisRun: (id: string) => boolean): Promise<MartRow[]> {
  const { rows } = await mart.query(`select * from ${table} order by stored`);
  return rows.filter(({ id }) => isOfThisRun(id));
}

function sameRow(row: MartRow, expected: Measurement | undefined): boolean {
  if (!expected) return false;
  const time = (value: unknown) => new Date(value as string).getTime();
  return (
    row.device === expected.device &&
    Number(row.sequence) === expected.sequence &&
    time(row.at) === time(expected.at) &&
    time(row.hour) === time(expected.hour) &&
    row.celsius === expected.celsius &&
    row.fahrenheit === expected.fahrenheit
  );
}

/** The lake's list holds the MD5 of every object, so that each content is checked without being fetched. */
async function lakeObjects(
  readings: ReadonlyMap<string, Measurement>,
  isOfThisRun: (id: string) => boolean,
): Promise<Map<string, { times: number; right: boolean }>> {
  const { endpoint, bucket, ca, ...access } = lakeSettings;
  const http = httpClient(ca);
  const ask = signed(http, "s3", access);
  const found = new Map<string, { times: number; right: boolean }>();
  let after = "";
  for (;;) {
    const query = new URLSearchParams({ "list-type": "2", "max-keys": "1000", "start-after": after });
    const url = new URL(`${endpoint}/${bucket}?${query}`);
    const { status, body } = await ask({ method: "GET", url, headers: {}, body: "", timeoutMilliseconds: 30_000 });
    if (status !== 200) throw new Error(`the lake cannot be listed: ${status} ${body.slice(0, 200)}`);
    const objects = [...body.matchAll(/<Contents>.*?<\/Contents>/gs)].map(([xml]) => ({
      key: /<Key>(.*?)<\/Key>/.exec(xml)?.[1] ?? "",
      etag: /<ETag>(?:&#34;|&quot;|")?([0-9a-f]{32})/.exec(xml)?.[1],
    }));
    for (const { key, etag } of objects) {
      const id = key.slice(key.lastIndexOf("/") + 1).replace(/\.json$/, "");
      if (!isOfThisRun(id)) continue;
      const expected = readings.get(id);
      const right =
        expected !== undefined &&
        key === objectKey(expected) &&
        etag === createHash("md5").update(writeObject(expected)).digest("hex");
      found.set(id, { times: (found.get(id)?.times ?? 0) + 1, right });
    }
    const last = objects.at(-1)?.key;
    if (!/<IsTruncated>true/.test(body) || !last) break;
    after = last;
  }
  http.close();
  return found;
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
