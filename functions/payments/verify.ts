/**
 * Runs in the cluster for `npm run verify -- payments`, and for `npm run reconcile` and `npm run rules`: reads what the
 * stores hold. Prints progress, then one line `RESULT {json}`.
 */
import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod";
import type { DocumentsSettings } from "../kit/clients/documents.ts";
import type { GridSettings } from "../kit/clients/grid.ts";
import { reasonOf } from "../kit/errors.ts";
import { readSettings } from "../kit/settings.ts";
import { readDocuments } from "../verify/documents.ts";
import { type MapReader, mapReader } from "../verify/grid.ts";
import type { Alert, Confirmation, FrontEnd, Payment, Transaction } from "./events.ts";
import type { FrontEndSettings } from "./front-ends/front-end.ts";
import { type Reconciliation, reconcile, type Stores } from "./reconciliation.ts";
import { RuleSet, reportDifferences } from "./rules.ts";
import { isOfRun } from "./simulation.ts";
import { type VerificationArgs, verify } from "./verification.ts";

type Arguments =
  | VerificationArgs
  /** Compares all that the stores hold. */
  | { readonly reconcile: true }
  /** Compares what is recorded with what these rules would decide. */
  | { readonly rules: unknown };

const ports = "verify";
const args = JSON.parse(process.env.VERIFY_ARGUMENTS ?? "{}") as Arguments;

const onTheWayMilliseconds = 5_000;

const words = {
  sent: "payments and bad requests sent",
  stored: "decided once, then recorded and confirmed, or alerted",
  deadLettered: "dead-lettered",
  refused: "refused as they must be",
  latency: "decision",
};

async function main(): Promise<void> {
  const grid = mapReader<Payment>(readSettings<GridSettings>(ports, "payments"));
  try {
    console.log(`RESULT ${JSON.stringify(await resultOf(args, grid))}`);
  } finally {
    grid.close();
  }
}

async function resultOf(args: Arguments, grid: MapReader<Payment>): Promise<object> {
  if ("rules" in args) {
    const { data: rules, error } = RuleSet.safeParse(args.rules);
    if (!rules) throw new Error(`That is no rule set: ${z.prettifyError(error)}`);
    const recorded = [...(await grid.values(() => true)).values()];
    for (const line of reportDifferences(recorded, rules)) console.log(line);
    return { compared: recorded.length };
  }
  if ("reconcile" in args) {
    const { problems, ...counts } = await settledReconciliation(() => readStores(grid, 0, () => true));
    return { ...counts, problems: Object.fromEntries(problems) };
  }
  const frontEnd = (name: FrontEnd) => readSettings<FrontEndSettings>(ports, name);
  const frontEnds = { terminal: frontEnd("terminal"), shop: frontEnd("shop"), wallet: frontEnd("wallet") };
  const read = (run: number) => readStores(grid, run, (key) => isOfRun(key, run));
  return { ...(await verify(args, { frontEnds, read, say: (line) => console.log(line) })), words };
}

/** @param since milliseconds since 1970 */
async function readStores(grid: MapReader<Payment>, since: number, wanted: (key: string) => boolean): Promise<Stores> {
  const collection = async <Document>(port: string) => {
    const all = await readDocuments<Document>(readSettings<DocumentsSettings>(ports, port), "recorded", since);
    return new Map([...all].filter(([key]) => wanted(key)));
  };
  const [deadLetters, alerts, confirmations, transactions] = await Promise.all([
    grid.deadLetters(since),
    collection<Alert>("alerts"),
    collection<Confirmation>("confirmations"),
    collection<Transaction>("transactions"),
  ]);
  // What is decided is read after what follows from it: a payment decided meanwhile only lacks what is still to come.
  const stream = (await grid.written(since)).filter(({ key }) => wanted(key));
  const values = await grid.values(wanted);
  const letters = new Map([...deadLetters].filter(([key]) => wanted(key)));
  return { grid: values, stream, transactions, confirmations, alerts, deadLetters: letters };
}

/** What does not add up twice in a row, some seconds apart: what is on its way only takes a moment. */
async function settledReconciliation(read: () => Promise<Stores>): Promise<Reconciliation> {
  const first = reconcile(await read());
  if (first.problems.size === 0) return first;
  await sleep(onTheWayMilliseconds);
  const second = reconcile(await read());
  return { ...second, problems: new Map([...second.problems].filter(([key]) => first.problems.has(key))) };
}

main().catch((error: unknown) => {
  console.error(`stopped: ${reasonOf(error)}`);
  process.exit(1);
});
