import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { alive, locked } from "../lock.ts";
import { say, step } from "../log.ts";
import { goProgram } from "../toolchain/go.ts";
import { callApi } from "./api.ts";
import { audit } from "./audit.ts";
import { clearNode } from "./clear.ts";
import { archives, importImages } from "./images.ts";
import { accessTo, logs, type Place, placeOf, portFile, processesFile } from "./place.ts";
import { start } from "./start.ts";

/** How long a busy machine may keep the API server from answering before the node counts as broken. */
const secondsToAnswer = 20;

/**
 * Brings the node up, or finds that it is; then it gets what images it lacks, because the kit may be newer than the node.
 * What an earlier run left is cleared first, other than its images.
 */
export async function startNode(instance: string): Promise<void> {
  const place = placeOf(instance);
  const problems = await nodeProblems(instance);
  if (problems.length === 0) {
    say(`The node "${instance}" is up.`);
    const wanted = await archives();
    return locked(join(place.data, "lock"), () => importImages(place, wanted));
  }
  if (isStarted(place)) say(`The node "${instance}" is started anew, without what was on it. ${problems.join(" ")}`);
  await audit(place.data);
  const programs = {
    node: await goProgram("node"),
    coredns: await goProgram("coredns"),
    volumes: await goProgram("volumes"),
  };
  const wanted = await archives();
  await locked(join(place.data, "lock"), async () => {
    if ((await nodeProblems(instance)).length === 0) return;
    await clearNode(place);
    await step(`Starting the node "${instance}"`, () => start(place, programs, wanted));
  });
}

/** Ends the node and removes all of it but its images. */
export async function stopNode(instance: string): Promise<void> {
  const place = placeOf(instance);
  await locked(join(place.data, "lock"), () => step(`Stopping the node "${instance}"`, () => clearNode(place)));
}

/** Why the node is not up, in the user's words; nothing if it is. */
export async function nodeProblems(instance: string): Promise<string[]> {
  const place = placeOf(instance);
  if (!isStarted(place)) return ["It is not started."];
  if (!existsSync(portFile(place))) return ["The machine was restarted."];
  const text = await readFile(processesFile(place), "utf8");
  const dead = Object.entries(JSON.parse(text) as Record<string, number>).flatMap(([name, pid]) =>
    alive(pid) ? [] : [name],
  );
  if (dead.length > 0) return [`Of its programs have ended: ${dead.join(", ")}. Their logs are in ${logs(place)}.`];
  const access = await accessTo(place);
  const deadline = Date.now() + secondsToAnswer * 1000;
  for (;;) {
    const { status, text: answer } = await callApi(access, "/readyz");
    if (status === 200) return [];
    if (Date.now() > deadline) return [`The API server does not answer: ${answer}`];
    await wait(500);
  }
}

const isStarted = (place: Place) => existsSync(processesFile(place));
