import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { runJob, verifierOf } from "../job.ts";
import { Problem } from "../problem.ts";
import { kubectl } from "../toolchain/kubectl.ts";

const usage =
  "Use: npm run rules -- FILE [--stack payments] [--context NAME]\nFILE is JSON, or a module that exports ruleSet.";

/** `rules FILE`: what another rule set would have decided otherwise, of the payments that are recorded. */
export async function run(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { stack: { type: "string", default: "payments" }, context: { type: "string" } },
  });
  const [file, ...rest] = positionals;
  if (!file || rest.length > 0) throw new Problem("Which rule set is to be compared?", usage);
  const rules = await ruleSetOf(file);
  const cluster = await kubectl(values.context);
  await runJob(cluster, await verifierOf(cluster, values.stack), {
    name: `rules-${Date.now().toString(36)}`,
    env: { name: "VERIFY_ARGUMENTS", value: JSON.stringify({ rules }) },
    line: console.log,
  });
  return 0;
}

async function ruleSetOf(file: string): Promise<unknown> {
  const path = resolve(file);
  try {
    if (file.endsWith(".json")) return JSON.parse(await readFile(path, "utf8"));
    const { ruleSet } = await import(pathToFileURL(path).href);
    if (ruleSet !== undefined) return ruleSet;
  } catch (error) {
    throw new Problem(`The rule set cannot be read from ${file}: ${(error as Error).message}`, usage);
  }
  throw new Problem(`${file} exports no ruleSet.`, usage);
}
