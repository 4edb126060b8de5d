/** What `npm run verify -- payments` does: plays the customers, waits until all is decided, and accounts for every payment. */
import { setTimeout as sleep } from "node:timers/promises";
import { type Speed, speed } from "../verify/ledger.ts";
import { FrontEnd } from "./events.ts";
import {
  type Client,
  type FrontEndSettings,
  frontEndClient,
  type Request,
  requestOf,
  type Told,
} from "./front-ends/front-end.ts";
import { account, type Ledger } from "./ledger.ts";
import { reconcile, type Stores } from "./reconciliation.ts";
import { badRequest, type Send, simulate } from "./simulation.ts";

export interface VerificationArgs {
  readonly rate: number;
  readonly seconds: number;
  readonly seed: number;
  /** Of an earlier run: it is accounted for again. */
  readonly run?: number;
}

export interface Surroundings {
  readonly frontEnds: Readonly<Record<FrontEnd, FrontEndSettings>>;
  /** What the stores hold of the run that began then. */
  readonly read: (run: number) => Promise<Stores>;
  readonly say: (line: string) => void;
  /** Without any progress for this long, what is missing counts as lost.
   *  @default 60_000 */
  readonly patienceMilliseconds?: number;
}

export type Verification = VerificationArgs & { readonly run: number } & Ledger & Partial<Speed>;

const pauseMilliseconds = 1_000;

export async function verify(args: VerificationArgs, surroundings: Surroundings): Promise<Verification> {
  const { say } = surroundings;
  const run = args.run ?? Date.now();
  const sends = simulate({ ...args, run });
  if (args.run === undefined) {
    say(`${sends.length} requests, ${args.rate} payments/s for ${args.seconds} s, seed ${args.seed}: sending starts`);
    const { told, latencies } = await play(sends, surroundings);
    const stores = await settled(sends, run, surroundings);
    return { ...args, run, ...account(sends, stores, told), ...speed(latencies, args.seconds) };
  }
  say(`the payments of the run ${run} are accounted for again; nothing is sent`);
  return { ...args, run, ...account(sends, await settled(sends, run, surroundings)) };
}

interface Played {
  /** By the id of the send, all answers. */
  readonly told: ReadonlyMap<string, readonly Told[]>;
  /** Of each payment, from its first request to that request's answer. */
  readonly latencies: readonly { readonly sentAt: number; readonly seenAt: number }[];
}

async function play(sends: readonly Send[], { frontEnds, say }: Surroundings): Promise<Played> {
  const start = performance.now();
  const now = () => performance.now() - start;
  const clients = mapFrontEnds((frontEnd) => frontEndClient(frontEnds[frontEnd]));
  const strangers = mapFrontEnds((frontEnd) => frontEndClient(withWrongKey(frontEnds[frontEnd])));
  const told = new Map<string, Told[]>();
  const answered = new Map<string, Promise<unknown>>();
  const latencies: { sentAt: number; seenAt: number }[] = [];
  const requests = new Map<string, Request>();

  const ask = ({ id, sale, must }: Send): Promise<Told> => {
    const settings = frontEnds[sale.frontEnd];
    const client = ("fault" in must && must.fault === "wrong-key" ? strangers : clients)[sale.frontEnd];
    return client.send((attempt) => {
      if ("fault" in must) return badRequest({ id, sale, must, time: 0 }, must.fault, settings);
      // The first request of each sending is the same to the last byte: of a wallet with the same signature, replayed.
      const request = attempt === 1 ? requests.get(id) : undefined;
      const made = request ?? requestOf(sale, settings, attempt);
      if (attempt === 1) requests.set(id, made);
      return made;
    });
  };

  let reported = 0;
  for (const send of sends) {
    const early = send.time - now();
    if (early > 1) await sleep(early);
    const { id, must } = send;
    const isFirst = !told.has(id);
    const answers = told.get(id) ?? [];
    told.set(id, answers);
    const before = "after" in must && must.after !== undefined ? answered.get(must.after) : undefined;
    const answer = (async () => {
      await before;
      const sentAt = now();
      answers.push(await ask(send));
      if (isFirst && "kind" in must) latencies.push({ sentAt, seenAt: now() });
    })();
    answered.set(id, Promise.all([answered.get(id), answer]));
    if (now() - reported > 10_000) {
      reported = now();
      say(`${Math.round(now() / 1000)} s: ${told.size} sent, ${latencies.length} payments answered`);
    }
  }
  await Promise.all(answered.values());
  say(`all answered after ${Math.round(now() / 1000)} s; waiting for what follows`);
  for (const client of [...Object.values(clients), ...Object.values(strangers)]) client.close();
  return { told, latencies };
}

function mapFrontEnds(make: (frontEnd: FrontEnd) => Client): Record<FrontEnd, Client> {
  return Object.fromEntries(FrontEnd.options.map((frontEnd) => [frontEnd, make(frontEnd)])) as Record<FrontEnd, Client>;
}

function withWrongKey(settings: FrontEndSettings): FrontEndSettings {
  const credentials = Object.keys(settings.credentials).map((name) => [name, "wrong"]);
  return { ...settings, credentials: Object.fromEntries(credentials) };
}

/** What the stores hold once all adds up, or nothing changes any more. A store that cannot be read is asked again. */
async function settled(
  sends: readonly Send[],
  run: number,
  { read, patienceMilliseconds = 60_000 }: Surroundings,
): Promise<Stores> {
  const wanted = new Set(sends.flatMap(({ id, must }) => ("kind" in must ? [id] : []))).size;
  let last = { at: Date.now(), state: "" };
  for (;;) {
    const late = () => Date.now() - last.at > patienceMilliseconds;
    const stores = await read(run).catch((error: unknown) => (late() ? Promise.reject(error) : undefined));
    if (stores) {
      const { approved, declined, held, problems } = reconcile(stores);
      if (problems.size === 0 && approved + declined >= wanted && held === 0) return stores;
      const state = JSON.stringify([approved, declined, held, [...problems.keys()]]);
      if (state !== last.state) last = { at: Date.now(), state };
      else if (late()) return stores;
    }
    await sleep(pauseMilliseconds);
  }
}
