/** Every command that a README shows is run by a test, or it is said here why not. */
import { spawnSync } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";

const root = resolve(import.meta.dirname, "../..");

/** Run here, word for word, with what they must say. */
const runHere: Readonly<Record<string, RegExp>> = {
  "npm run kubectl -- get pods -n iot": /gateway-0 +1\/1 +Running/,
  "npm run kubectl -- get pods -A": /iot +gateway-0 +1\/1 +Running/,
  "npm run -s kubectl -- get secret gateway-devices -n iot -o jsonpath='{.data.device-001}' | base64 -d": /^[\w-]{32}$/,
  "npm run pulumi -- preview -s iot": /\d+ unchanged/,
};

/** Run by other tests, maybe with other figures: the title of one. */
const runElsewhere: Readonly<Record<string, string>> = {
  "npm start": "ends with an exact ledger",
  "npm stop": "leaves nothing behind",
  "npm run verify -- iot --rate 500 --seconds 60": "accounts for every event of another seed, and writes the figures",
  "npm run verify -- iot --rate 500 --seconds 120 --outage 60 --memory": "loses nothing while every function is down",
  "npm start -- payments": "ends with an exact ledger of payments",
  "npm run verify -- payments --rate 100 --seconds 60": "decides each payment once, and refuses what is bad",
  "npm run reconcile -- payments": "reconciles all payments",
  "npm run rules -- functions/payments/rule-set.ts": "tells what another rule set would decide otherwise",
  "npm run verify -- iot --chaos": "accounts for every event while pods are killed",
  "npm run replay -- --list": "--list tells how many dead letters there are, and why",
  "npm run replay -- readings.dead-letters --dry-run": "--dry-run sends nothing, and knows filters",
  "npm run replay -- readings.dead-letters": "sends each once, and the ledger is exact",
  "npm run pulumi -- up -s platform": "deploys the platform by hand",
  "npm run pulumi -- destroy -s iot": "leaves nothing of the architecture",
};

const notRun: Readonly<Record<string, string>> = {
  "npm run bench:relay": "speed is measured on a quiet machine, never in a test",
  "npm test": "it is what runs this",
  "npm run test:unit": "`npm test` runs the same tests before these",
  "npm ci": "`npm start` has done it",
  "npm start -- --context NAME": "there is no second cluster",
  "npm stop -- --context NAME": "there is no second cluster",
  "npm run pulumi -- up -s iot": "`npm start` has run the same update",
  "npm run pulumi -- cancel -s iot": "it is for an update that was killed",
  "pulumi up -s platform": "`npm start` runs the same with the kit's own Pulumi, which is not on the path",
  "pulumi up -s iot": "`npm start` runs the same with the kit's own Pulumi, which is not on the path",
  "pulumi config set -s iot NAME VALUE": "it needs a name and a value",
  "pulumi config set platform platform-<suffix>": "it needs a suffix",
};

/** @param at where the architecture runs */
export function readme(at: { readonly instance: string }): void {
  const shown = [...new Set(readmes().flatMap((file) => commandsOf(readFileSync(join(root, file), "utf8"))))];
  const known = [runHere, runElsewhere, notRun].flatMap((commands) => Object.keys(commands));
  const tests = globSync("test/e2e/{*.test,iot/*,payments}.ts", { cwd: root }).map((file) =>
    readFileSync(join(root, file), "utf8"),
  );

  describe("the READMEs", () => {
    it("show no command that is neither run nor said not to be", () => {
      expect(shown.filter((command) => !known.includes(command))).toEqual([]);
    });

    it("show every command that is run for their sake", () => {
      expect(known.filter((command) => !shown.includes(command))).toEqual([]);
    });

    it.each(Object.entries(runElsewhere))("%s is run by %j", (_, title) => {
      expect(tests.filter((text) => text.includes(JSON.stringify(title)))).toHaveLength(1);
    });

    it.each(Object.entries(runHere))("%s", { timeout: 120_000 }, (command, says) => {
      const env = { ...process.env, FIVEFOLD_INSTANCE: at.instance, NO_COLOR: "1" };
      const { status, stdout, stderr } = spawnSync(command, { shell: true, cwd: root, env, encoding: "utf8" });
      expect(stdout).toMatch(says);
      expect(status, stderr).toBe(0);
    });
  });
}

const readmes = () => ["README.md", ...globSync("stacks/*/README.md", { cwd: root })];

const program = /^(npm|npx|pulumi|kubectl) /;

/** The lines of shell blocks without prompts and comments, and what else, in a block or in a line, begins with a program's name. */
function commandsOf(text: string): string[] {
  const commands: string[] = [];
  let language: string | undefined;
  for (const line of text.split("\n")) {
    const fence = /^```(.*)$/.exec(line);
    if (fence) language = language === undefined ? fence[1] : undefined;
    else if (language === undefined)
      commands.push(...[...line.matchAll(/`([^`]+)`/g)].flatMap(([, code = ""]) => (program.test(code) ? [code] : [])));
    else {
      const command = line.replace(/^\$ /, "").replace(/(^|\s+)#.*$/, "");
      const isShell = ["sh", "bash", "console"].includes(language);
      if (isShell ? command !== "" : program.test(command)) commands.push(command);
    }
  }
  return commands;
}
