import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { readSettings } from "../../../functions/kit/settings.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "settings-"));
  mkdirSync(join(folder, "ingest-ports"));
  vi.stubEnv("FIVEFOLD_SETTINGS", folder);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});
const write = (port: string, text: string) => writeFileSync(join(folder, "ingest-ports", port), text);

it("reads a port's file", () => {
  write("raw", '{"topic":"raw"}');
  expect(readSettings("ingest", "raw")).toEqual({ topic: "raw" });
});

it("names port and file where it is missing", () => {
  const file = join(folder, "ingest-ports", "raw");
  const message = `Settings of port "raw" of "ingest" are missing: there is no file ${file}`;
  expect(() => readSettings("ingest", "raw")).toThrow(message);
});

it("says where it looks when nothing tells it otherwise", () => {
  vi.stubEnv("FIVEFOLD_SETTINGS", undefined);
  expect(() => readSettings("no-such-function", "raw")).toThrow(
    "there is no file /secrets/<namespace>/no-such-function-ports/raw",
  );
});

it.each(["", "{", "secret", "null", "7", "[]", '"secret"'])("refuses the content %j without quoting it", (content) => {
  write("raw", content);
  const file = join(folder, "ingest-ports", "raw");
  expect(() => readSettings("ingest", "raw")).toThrow(
    new Error(`Settings of port "raw" of "ingest" are no JSON object: ${file}`),
  );
});
