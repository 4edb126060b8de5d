/**
 * Runs in the cluster for `npm run bench:relay`: writes the events, has one trigger after the other deliver them, and
 * reads from the function what arrived. It asks its host for what it cannot do itself by lines such as `START relay`,
 * `STOP relay` and `KILL relay`, and ends with one line `RESULT {json}`.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { Admin, ProduceAcks, Producer, stringSerializers } from "@platformatic/kafka";
import { httpClient } from "../../functions/kit/http.ts";
import { now } from "./clock.ts";
import { eventOf, type Seen } from "./event.ts";
import {
  account,
  eventsPerSecond,
  type Figures,
  type Kill,
  type Latency,
  longestPause,
  type Round,
  type Trigger,
  times,
} from "./figures.ts";
import { type ProgramSettings, settingsVariable } from "./program-settings.ts";

const events = 80_000;
const rounds = 3;
/** Of a round, from its first event on. */
const roundMilliseconds = 8_000;
const nextCalls = 1_000;
/** Of the events, the last ones are used where a pod is killed. */
const killEvents = 16_000;
/** The kill is asked for after so many, as it takes effect only some time later. */
const killAfter = 800;
/** Longer than a group waits for a member that was killed. */
const patienceMilliseconds = 30_000;
const settledMilliseconds = 3_000;
const latencyEventsPerSecond = 100;
/** Of a stretch, of which there are so many each way. */
const latencyEvents = 700;
const latencyStretches = 3;
/** Not counted: until then the relay still gathers events for as long as it did when many came. */
const warmUpEvents = 300;

const settings = JSON.parse(process.env[settingsVariable] ?? "") as ProgramSettings;
const { topic } = settings;
const { exchange } = httpClient();
const connection = { clientId: "bench", bootstrapBrokers: [...settings.bootstrap] };
const admin = new Admin(connection);
const producer = new Producer({ ...connection, serializers: stringSerializers });

async function main(): Promise<void> {
  await clear();
  const firstCalls = await measureFirstCalls();
  const measuredCalls = await measureNextCalls();
  say(`first call p50 ${firstCalls.p50.toFixed(1)} ms, next calls p99 ${measuredCalls.p99.toFixed(1)} ms`);

  await admin.createTopics({ topics: [topic], partitions: 1, replicas: 1 });
  await produce();
  const measured: Record<Trigger, Round[]> = { fission: [], relay: [] };
  for (let number = 1; number <= rounds; number += 1)
    for (const trigger of ["fission", "relay"] as const) {
      const round = await measureRound(trigger);
      measured[trigger].push(round);
      say(`round ${number} of ${rounds}, ${trigger}: ${Math.round(round.eventsPerSecond)} events/s`);
    }
  const kills = { fission: await measureKill("fission"), relay: await measureKill("relay") };
  const latency = await measureLatency();
  say(`latency p99 through the relay ${latency.relay.p99.toFixed(1)} ms, directly ${latency.direct.p99.toFixed(1)} ms`);
  const figures: Figures = {
    recordBytes: JSON.stringify(eventOf(0)).length,
    rounds: measured,
    kills,
    firstCalls,
    nextCalls: measuredCalls,
    latency,
  };
  console.log(`RESULT ${JSON.stringify(figures)}`);
  process.exit(0);
}

async function measureFirstCalls() {
  const measured: number[] = [];
  for (const url of settings.freshUrls) measured.push(await call(url, 0));
  return times(measured);
}

async function measureNextCalls() {
  const measured: number[] = [];
  for (let id = 0; id < nextCalls; id += 1) measured.push(await call(settings.functionUrl, id));
  return times(measured);
}

/** How long a call with one event takes. */
async function call(url: string, id: number): Promise<number> {
  const startedAt = now();
  await ask("POST", url, JSON.stringify(eventOf(id)));
  return now() - startedAt;
}

async function produce(): Promise<void> {
  const each = 1_000;
  for (let from = 0; from < events; from += each) await send(Array.from({ length: each }, (_, at) => from + at));
  say(`${events} events are in the topic`);
}

async function send(ids: readonly number[]): Promise<void> {
  const messages = ids.map((id) => {
    const event = eventOf(id);
    return { topic, partition: 0, key: event.key, value: JSON.stringify(event) };
  });
  await producer.send({ messages, acks: ProduceAcks.ALL });
}

async function measureRound(trigger: Trigger): Promise<Round> {
  await start(trigger, 0);
  const end = now() + roundMilliseconds;
  await until((count) => count >= events || now() > end);
  const seen = await read();
  await stop(trigger);
  const delivered = seen.ids.length;
  // What comes after the end of the round is not lost.
  const { repeated, outOfOrder } = account(seen.ids, 0, 0);
  return { delivered, eventsPerSecond: eventsPerSecond(seen.times, roundMilliseconds), lost: 0, repeated, outOfOrder };
}

/** How long events take to the function, by turns through the relay and called directly. */
async function measureLatency(): Promise<Latency> {
  // What has delivered so many is warm.
  await start("relay", 0);
  await until((count) => count >= events);
  await clear();
  const since = new Map<number, number>();
  const late: number[] = [];
  let next = events;
  const paced = async (count: number, send: (id: number) => Promise<void>): Promise<number[]> => {
    const ids = Array.from({ length: count }, () => next++);
    const startedAt = now();
    const sent: Promise<void>[] = [];
    for (const [at, id] of ids.entries()) {
      const early = startedAt + (at * 1000) / latencyEventsPerSecond - now();
      if (early > 0) await sleep(early);
      late.push(Math.max(0, now() - startedAt - (at * 1000) / latencyEventsPerSecond));
      sent.push(send(id));
    }
    await Promise.all(sent);
    return ids;
  };
  const throughRelay = async (id: number) => {
    await send([id]);
    // Only from now on it is the relay's turn.
    since.set(id, now());
  };
  const directly = async (id: number) => {
    since.set(id, now());
    await call(settings.functionUrl, id);
  };
  await paced(warmUpEvents, throughRelay);
  const ids: Record<keyof Pick<Latency, "relay" | "direct">, number[]> = { relay: [], direct: [] };
  for (let stretch = 0; stretch < latencyStretches; stretch += 1) {
    ids.direct.push(...(await paced(latencyEvents, directly)));
    ids.relay.push(...(await paced(latencyEvents, throughRelay)));
  }
  await until((count) => count >= next - events);
  const seen = await read();
  await stop("relay");
  const seenAt = new Map(seen.ids.map((id, at) => [id, seen.times[at] ?? Number.NaN]));
  const took = (id: number) => (seenAt.get(id) ?? Number.NaN) - (since.get(id) ?? Number.NaN);
  return {
    eventsPerSecond: latencyEventsPerSecond,
    relay: times(ids.relay.map(took)),
    direct: times(ids.direct.map(took)),
    timersLate: times(late),
  };
}

async function measureKill(trigger: Trigger): Promise<Kill> {
  const from = events - killEvents;
  await start(trigger, from);
  await until((count) => count >= killAfter, 20);
  request("KILL", trigger);
  let last = { count: 0, at: now() };
  let complete = false;
  for (;;) {
    await sleep(200);
    const count = await counted();
    if (count > last.count) last = { count, at: now() };
    if (!complete && count >= killEvents) complete = new Set((await read()).ids).size >= killEvents;
    if (now() - last.at > (complete ? settledMilliseconds : patienceMilliseconds)) break;
  }
  const seen = await read();
  await stop(trigger);
  const pause = longestPause(seen.times);
  if (pause.milliseconds < settledMilliseconds)
    throw new Error(`${trigger} had delivered everything before it was killed: the events are too few`);
  say(`${trigger} was killed after ${pause.before} of ${killEvents} events`);
  return {
    events: killEvents,
    deliveredBefore: pause.before,
    secondsUntilNext: pause.milliseconds / 1000,
    ...account(seen.ids, from, events),
  };
}

/** Starts a trigger at an offset, with a function that has seen nothing; ends with the first event that arrives. */
async function start(trigger: Trigger, offset: number): Promise<void> {
  await setOffset(trigger, offset);
  await clear();
  request("START", trigger);
  await until((count) => count > 0, 50);
}

async function stop(trigger: Trigger): Promise<void> {
  request("STOP", trigger);
  await setOffset(trigger, 0);
}

/** Works only once the group has no members any more. */
async function setOffset(trigger: Trigger, offset: number): Promise<void> {
  const groupId = settings.groups[trigger];
  const partitionOffsets = [{ partition: 0, offset: BigInt(offset) }];
  const end = now() + 2 * patienceMilliseconds;
  for (;;) {
    try {
      return await admin.alterConsumerGroupOffsets({ groupId, topics: [{ name: topic, partitionOffsets }] });
    } catch (error) {
      if (now() > end) throw error;
      await sleep(500);
    }
  }
}

async function until(holds: (count: number) => boolean, everyMilliseconds = 200): Promise<void> {
  const end = now() + 4 * patienceMilliseconds;
  while (!holds(await counted())) {
    if (now() > end) throw new Error("the function is given no events any more");
    await sleep(everyMilliseconds);
  }
}

async function counted(): Promise<number> {
  return JSON.parse(await ask("GET", settings.functionUrl)).count;
}

async function read(): Promise<Seen> {
  return JSON.parse(await ask("GET", `${settings.functionUrl}?from=0`));
}

async function clear(): Promise<void> {
  await ask("DELETE", settings.functionUrl);
}

async function ask(method: string, url: string, body = ""): Promise<string> {
  const headers = { "content-type": "application/json" };
  const answer = await exchange({ method, url: new URL(url), headers, body, timeoutMilliseconds: 20_000 });
  if (answer.status !== 200) throw new Error(`${method} ${url} was answered with status ${answer.status}`);
  return answer.body;
}

function request(what: "START" | "STOP" | "KILL", trigger: Trigger): void {
  console.log(`${what} ${trigger}`);
}

function say(line: string): void {
  console.log(line);
}

main().catch((error: Error) => {
  console.error(`bench stopped: ${error.message}`);
  process.exit(1);
});
