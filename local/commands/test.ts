import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { say } from "../log.ts";
import { repository } from "../paths.ts";
import { Problem } from "../problem.ts";
import { inherit } from "../run.ts";
import { run as check } from "./check.ts";

/** Beside a node of the user's own, never on it. */
const testInstance = "fivefold-test";

interface Result {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

const layers: Readonly<Record<string, () => Promise<Result>>> = {
  check: async () => {
    const failed = await check([]);
    return { passed: failed === 0 ? 1 : 0, failed, skipped: 0 };
  },
  unit: () => vitest("unit"),
  e2e: () => vitest("e2e"),
};

/** `test [check|unit|e2e]...`: all layers, or those named. */
export async function run(args: readonly string[]): Promise<number> {
  const names = args.length > 0 ? args : Object.keys(layers);
  const unknown = names.find((name) => !Object.hasOwn(layers, name));
  if (unknown) throw new Problem(`There is no layer "${unknown}".`, `Write: ${Object.keys(layers).join(", ")}`);
  const results: Result[] = [];
  for (const name of names) {
    say(`== ${name}`);
    const start = performance.now();
    const result = await layers[name]?.();
    if (result) results.push(result);
    say(`== ${name}: ${Math.round((performance.now() - start) / 1000)} s`);
  }
  const sum = (of: keyof Result) => results.reduce((all, result) => all + result[of], 0);
  console.log(`${sum("passed")} passed, ${sum("failed")} failed, ${sum("skipped")} skipped`);
  return sum("failed") === 0 ? 0 : 1;
}

async function vitest(project: string): Promise<Result> {
  const folder = await mkdtemp(join(tmpdir(), "fivefold-test-"));
  const file = join(folder, "report.json");
  try {
    const code = await inherit(
      process.execPath,
      [
        join(repository, "node_modules/vitest/vitest.mjs"),
        ...["run", "--project", project, "--reporter=default", "--reporter=json", `--outputFile.json=${file}`],
      ],
      { ...process.env, FIVEFOLD_INSTANCE: testInstance },
      repository,
    );
    if (!existsSync(file)) return { passed: 0, failed: 1, skipped: 0 };
    const report = JSON.parse(await readFile(file, "utf8"));
    // A suite that does not even load has no failed test.
    const failed = code === 0 ? 0 : Math.max(1, report.numFailedTests);
    return { passed: report.numPassedTests, failed, skipped: report.numPendingTests };
  } finally {
    await rm(folder, { recursive: true });
  }
}
