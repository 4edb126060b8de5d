/**
 * Runs in the cluster for `npm run verify -- payments`: reads what the stores hold for `verification.ts`. Prints progress,
 * then one line `RESULT {json}`.
 */
import type { DocumentsSettings } from "../kit/clients/documents.ts";
import type { GridSettings } from "../kit/clients/grid.ts";
import { reasonOf } from "../kit/errors.ts";
import { readSettings } from "../kit/settings.ts";
import { readDocuments } from "../verify/documents.ts";
import { mapReader } from "../verify/grid.ts";
import type { Alert, Confirmation, Payment, Transaction } from "./events.ts";
import type { FrontEndSettings } from "./front-ends/front-end.ts";
import type { Stores } from "./reconciliation.ts";
import { isOfRun } from "./simulation.ts";
import { type VerificationArgs, verify } from "./verification.ts";

const ports = "verify";
const args = JSON.parse(process.env.VERIFY_ARGUMENTS ?? "{}") as VerificationArgs;

const words = {
  sent: "payments and bad requests sent",
  stored: "decided once, then recorded and confirmed, or alerted",
  deadLettered: "dead-lettered",
  refused: "refused as they must be",
  latency: "decision",
};

async function main(): Promise<void> {
  const grid = mapReader<Payment>(readSettings<GridSettings>(ports, "payments"));
  const collection = async <Document>(port: string, run: number) => {
    const all = await readDocuments<Document>(readSettings<DocumentsSettings>(ports, port), "recorded", run);
    return new Map([...all].filter(([key]) => isOfRun(key, run)));
  };
  const read = async (run: number): Promise<Stores> => {
    const wanted = (key: string) => isOfRun(key, run);
    const [deadLetters, alerts, confirmations, transactions] = await Promise.all([
      grid.deadLetters(run),
      collection<Alert>("alerts", run),
      collection<Confirmation>("confirmations", run),
      collection<Transaction>("transactions", run),
    ]);
    // What is decided is read after what follows from it: a payment decided meanwhile is only not there yet.
    const stream = (await grid.written(run)).filter(({ key }) => wanted(key));
    const values = await grid.values(wanted);
    const ofRun = new Map([...deadLetters].filter(([key]) => wanted(key)));
    return { grid: values, stream, transactions, confirmations, alerts, deadLetters: ofRun };
  };
  const frontEnd = (name: string) => readSettings<FrontEndSettings>(ports, name);
  const frontEnds = { terminal: frontEnd("terminal"), shop: frontEnd("shop"), wallet: frontEnd("wallet") };
  const result = await verify(args, { frontEnds, read, say: (line) => console.log(line) });
  grid.close();
  console.log(`RESULT ${JSON.stringify({ ...result, words })}`);
}

main().catch((error: unknown) => {
  console.error(`verify stopped: ${reasonOf(error)}`);
  process.exit(1);
});
