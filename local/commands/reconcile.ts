import { writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { runJob, verifierOf } from "../job.ts";
import { Problem } from "../problem.ts";
import { kubectl } from "../toolchain/kubectl.ts";

const usage = "Use: npm run reconcile -- payments [--json FILE] [--context NAME]";
const mostShown = 20;

/** What the program in the cluster answers. */
interface Reconciliation {
  readonly approved: number;
  readonly declined: number;
  readonly held: number;
  /** What does not add up, by the payment's key. */
  readonly problems: Readonly<Record<string, readonly string[]>>;
}

/** `reconcile STACK`: compares what data grid, stream, database and confirmations hold of every payment. */
export async function run(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { json: { type: "string" }, context: { type: "string" } },
  });
  const [stack, ...rest] = positionals;
  if (!stack || rest.length > 0) throw new Problem("Which architecture is to be reconciled?", usage);
  const cluster = await kubectl(values.context);
  const result = await runJob<Reconciliation>(cluster, await verifierOf(cluster, stack), {
    name: `reconcile-${Date.now().toString(36)}`,
    env: { name: "VERIFY_ARGUMENTS", value: JSON.stringify({ reconcile: true }) },
  });
  const problems = Object.entries(result.problems);
  const { approved, declined, held } = result;
  console.log(`${approved} payments approved, ${declined} declined, ${held} held.`);
  for (const [key, found] of problems.slice(0, mostShown)) console.log(`  ! ${key}: ${found.join("; ")}`);
  if (problems.length > mostShown) console.log(`  ! and ${problems.length - mostShown} more`);
  console.log(
    problems.length === 0
      ? "Data grid, stream, database, confirmations and alerts agree."
      : `${problems.length} payments do NOT add up.`,
  );
  if (values.json) await writeFile(values.json, `${JSON.stringify({ stack, ...result }, null, 2)}\n`);
  return problems.length === 0 ? 0 : 1;
}
