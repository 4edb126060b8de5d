/**
 * Runs in the cluster for `refusals.ts`: tries what must be refused, with credentials that are right for something else.
 * Afterwards it sends one honest reading on each way: once those are stored, so would be everything that was tried before.
 * Prints one line `RESULT {json}`.
 */
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { objectKey } from "../../../../functions/iot/measurement.ts";
import { linesAfter } from "../../../../functions/verify/lake.ts";
import { refusalOf } from "./attempt.ts";
import { basic, functionAttempts, passwordOf, post } from "./functions.ts";
import { gatewayAttempts, listen, publish } from "./gateway.ts";
import { asAdministrator, kafkaAttempts } from "./kafka.ts";
import { forgedObject, lakeAttempts, reader } from "./lake.ts";
import { forgedRelations, martAttempts, rowsOf } from "./mart.ts";
import { documentsOf, mongoAttempts } from "./mongo.ts";
import { csv, forged, honest, httpDevice, idOf, victim } from "./readings.ts";

const attempts = {
  ...gatewayAttempts,
  ...kafkaAttempts,
  ...mongoAttempts,
  ...lakeAttempts,
  ...martAttempts,
  ...functionAttempts,
};

const devices = [victim, httpDevice];
/** In milliseconds. */
const patience = { attempt: 15_000, stores: 60_000 };

async function main(): Promise<void> {
  const began = Date.now();
  const outcomes: Record<string, unknown> = {};
  for (const [name, attempt] of Object.entries(attempts)) {
    const answer = await Promise.race([attempt().catch(refusalOf), sleep(patience.attempt, "kept waiting")]);
    outcomes[name] = typeof answer === "string" || typeof answer === "number" ? answer : "allowed";
    console.log(`${name}: ${outcomes[name]}`);
  }

  console.log("what is sent as it should be");
  const stopListening = await listen();
  await publish(victim, `devices/${victim}/readings`, csv(honest));
  await post(honest, basic(httpDevice, passwordOf(httpDevice)));
  const latest = Date.now() + patience.stores;
  let stores = await whatStoresHold(began);
  const isThere = (held: readonly string[]) =>
    devices.every((device) => held.some((id) => id.endsWith(idOf(device, honest))));
  while (!Object.values(stores).every(isThere) && Date.now() < latest) {
    await sleep(500);
    stores = await whatStoresHold(began);
  }
  console.log("what the topics hold");
  const refused = {
    heard: await stopListening(),
    relations: await forgedRelations(),
    object: await forgedObject(),
  };
  console.log(`RESULT ${JSON.stringify({ outcomes, honest, stores, topics: await whatTopicsHold(began), refused })}`);
}

const isOurs = (text: string) => [forged, honest].some((sequence) => text.includes(String(sequence)));

/** Ids of the forged and of the honest readings in each store. */
async function whatStoresHold(since: number) {
  const ids = [forged, honest].flatMap((sequence) => devices.map((device) => idOf(device, sequence)));
  const lines = await linesAfter<{ id: string }>(
    reader,
    objectKey({ received: new Date(since - 60_000).toISOString() }),
  );
  return {
    readings: await documentsOf(passwordIn("mongo"), ids),
    mart: await rowsOf(forged, honest),
    lake: lines
      .map(({ line }) => line.id)
      .filter(isOurs)
      .sort(),
  };
}

/** Their records in each topic. */
async function whatTopicsHold(since: number) {
  const held: Record<string, string[]> = {};
  for (const topic of ["raw", "raw.dead-letters", "readings.dead-letters"]) {
    const records = asAdministrator(passwordIn("kafka"), topic);
    const found: string[] = [];
    for await (const { key, value } of records.read(await records.since(since), await records.ends()))
      if (isOurs(value.toString())) found.push(`${key}: ${value}`);
    held[topic] = found.sort();
    await records.close();
  }
  return held;
}

/** Of an administrator, to see what nobody else may. */
const passwordIn = (server: string) => readFileSync(`/administrator/${server}/password`, "utf8");

main().then(
  () => process.exit(0),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
