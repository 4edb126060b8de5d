import { join } from "node:path";
import { say } from "../log.ts";
import { repository } from "../paths.ts";
import { inherit } from "../run.ts";

const checks: readonly (readonly string[])[] = [
  ["typescript/bin/tsc", "--noEmit", "--project", "."],
  ["@biomejs/biome/bin/biome", "check", "--error-on-warnings"],
];

/** `check`: the types and the style of the source code. */
export async function run(_args: readonly string[]): Promise<number> {
  let failed = 0;
  for (const [program = "", ...args] of checks) {
    const code = await inherit(
      process.execPath,
      [join(repository, "node_modules", program), ...args],
      process.env,
      repository,
    );
    if (code !== 0) say(`${program.split("/").at(-1)} found problems.`);
    failed += code === 0 ? 0 : 1;
  }
  return failed === 0 ? 0 : 1;
}
