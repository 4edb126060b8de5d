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

const layers = {
  check: async () => ({ passed: 1, failed: await check([]) }),
  unit: () => vitest("unit"),
  e2e: () => vitest("e2e"),
} as const;
type Layer = keyof typeof layers;
const isLayer = (name: string): name is Layer => Object.hasOwn(layers, name);

/** `test [check|unit|e2e]...`: all layers, or those named. */
export async function run(args: readonly string[]): Promise<number> {
  const names = args.length > 0 ? args : Object.keys(layers);
  const wanted = names.map((name) => {
    if (!isLayer(name)) throw new Problem(`There is no layer "${name}".`, `Write: ${Object.keys(layers).join(", ")}`);
    return name;
  });
  let passed = 0;
  let failed = 0;
  for (const layer of wanted) {
    say(`== ${layer}`);
    const start = performance.now();
    const result = await layers[layer]();
    passed += result.failed > 0 && layer === "check" ? 0 : result.passed;
    failed += result.failed;
    say(`== ${layer}: ${Math.round((performance.now() - start) / 1000)} s`);
  }
  console.log(`${passed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

async function vitest(project: string): Promise<{ passed: number; failed: number }> {
  const folder = await mkdtemp(join(tmpdir(), "fivefold-test-"));
  const file = join(folder, "report.json");
  try {
    const code = await inherit(
      process.execPath,
      [
        join(repository, "node_modules/vitest/vitest.mjs"),
        ...["run", "--project", project, "--reporter=default", "--reporter=json", `--outputFile.json=${file}`],
      ],
      { ...process.env, FIVEFOLD_INSTANCE: process.env.FIVEFOLD_INSTANCE ?? testInstance },
      repository,
    );
    const report = JSON.parse(await readFile(file, "utf8"));
    const failed = report.numFailedTests + report.numFailedTestSuites;
    // A suite that does not even load has no failed test.
    return { passed: report.numPassedTests, failed: code === 0 ? failed : Math.max(1, report.numFailedTests) };
  } finally {
    await rm(folder, { recursive: true });
  }
}
