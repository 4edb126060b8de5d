import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { remembered } from "../../../components/core/bundle-cache.ts";

let folder = "";
let source = "";
let made = 0;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "fivefold-bundles-"));
  source = join(folder, "source.ts");
  writeFileSync(source, "one");
  made = 0;
});
afterEach(() => rmSync(folder, { recursive: true }));

const ask = (key = "key", cache = join(folder, "cache")) =>
  remembered(cache, key, () => ({ code: `code ${++made}`, inputs: [source] }));

it("makes a bundle once while its sources stay", () => {
  expect([ask(), ask()]).toEqual(["code 1", "code 1"]);
});

it("makes it anew when a source changes or goes", () => {
  ask();
  writeFileSync(source, "another");
  expect(ask()).toBe("code 2");
  rmSync(source);
  expect(ask()).toBe("code 3");
});

it("keeps bundles of other keys apart", () => {
  expect([ask("a"), ask("b"), ask("a")]).toEqual(["code 1", "code 2", "code 1"]);
});

it("makes it anew where what is remembered is broken, and works where nothing can be written", () => {
  ask();
  rmSync(join(folder, "cache"), { recursive: true });
  writeFileSync(join(folder, "cache"), "no folder");
  expect([ask(), ask()]).toEqual(["code 2", "code 3"]);
});
