import { expect, it } from "vitest";
import { attempt, run } from "../../local/run.ts";

it("returns what a program says", async () => {
  expect(await run("cat", [], { input: "hello" })).toBe("hello");
});

it("shows the last that a failed program said", async () => {
  const script = 'for i in $(seq 1 40); do echo "line $i" >&2; done; exit 3';
  const error = await run("/bin/sh", ["-c", script]).catch((e: Error) => e.message);
  expect(error).toContain("failed (3)");
  expect(error).toContain("line 40");
  expect(error).not.toContain("line 20\n");
});

it("says that a program is not there", async () => {
  expect(await attempt("no-such-program", [])).toMatchObject({ code: 127, stderr: "no-such-program: not found" });
});

it("ends a program that takes too long", async () => {
  expect((await attempt("sleep", ["5"], { timeoutSeconds: 0.05 })).code).toBeNull();
});

it("does not mind a program that does not read its input", async () => {
  expect((await attempt("true", [], { input: "x".repeat(1e6) })).code).toBe(0);
});
