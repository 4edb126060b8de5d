import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import { repository } from "../../local/paths.ts";
import { attempt } from "../../local/run.ts";

// Processes are started, on a machine that may be busy.
vi.setConfig({ testTimeout: 30_000, hookTimeout: 30_000 });

const fivefold = (...args: string[]) =>
  attempt(process.execPath, ["--disable-warning=ExperimentalWarning", join(repository, "local/cli.ts"), ...args]);

describe.concurrent("the command line", () => {
  it("shows its commands", async () => {
    const { code, stdout } = await fivefold("--help");
    expect(code).toBe(0);
    for (const command of ["start", "stop", "verify", "pulumi", "kubectl", "node", "test", "check"])
      expect(stdout).toContain(`\n  ${command}`);
  });

  it("shows the use of one command", async () => {
    expect((await fivefold("stop", "--help")).stdout).toMatch(/^Usage: node fivefold.mjs stop/);
  });

  it.each([
    [[], 2, ""],
    [["foo"], 1, 'There is no command "foo".'],
    [["constructor"], 1, "There is no command"],
  ] as const)("refuses %j", async (args, code, message) => {
    const result = await fivefold(...args);
    expect(result.code).toBe(code);
    expect(result.stderr).toContain(message);
    expect(result.stderr).not.toMatch(/^ +at /m);
  });

  it.each([
    [["stop", "--contxt", "x"], "Unknown option '--contxt'"],
    [["start", "iot", "ml"], '"ml" is one word too many.'],
    [["node", "dance"], "What should the node do?"],
    [["node", "stop", "now"], '"now" is one word too many.'],
  ])("explains %j", async (args, message) => {
    const result = await fivefold(...args);
    expect(result.code).toBe(1);
    expect(result.stderr).toContain(message);
    expect(result.stderr).not.toMatch(/^ +at /m);
  });
});
