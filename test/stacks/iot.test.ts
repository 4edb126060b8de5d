/** The stack reads as its diagram: what is wired, and what follows from it. */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { deploy } from "../harness.ts";

it("has one relay, one set of credentials and one dead-letter topic for each arrow", async () => {
  const deployment = await deploy(() => import("../../stacks/iot/index.ts"));
  const names = (type: string) => deployment.of(type).map(({ name }) => name);
  expect(names("fivefold:relay:Relay").sort()).toEqual(["gateway-to-raw", "raw-to-normalize", "readings-to-compute"]);
  expect(names("fivefold:faas:Function").sort()).toEqual([
    "compute",
    "ingest",
    "lake-writer",
    "mart-writer",
    "normalize",
  ]);
  expect(names("fivefold:kafka:Topic").sort()).toEqual([
    "bus-raw",
    "bus-raw.dead-letters",
    "bus-readings.dead-letters",
  ]);
  expect(
    deployment
      .of("kafka:index/userScramCredential:UserScramCredential")
      .map(({ name }) => name)
      .sort(),
  ).toEqual([
    "gateway-to-raw-to-bus-target",
    "ingest-to-bus-raw",
    "raw-to-normalize-to-bus-dead-letters",
    "raw-to-normalize-to-bus-source",
    "readings-to-compute-to-bus-dead-letters",
    "verify-raw-dead-letters-to-bus-source",
    "verify-readings-dead-letters-to-bus-source",
  ]);
});

it("stays short enough to be read as a diagram", () => {
  const lines = readFileSync(new URL("../../stacks/iot/index.ts", import.meta.url), "utf8").split("\n");
  const code = lines.filter(
    (line) => line.trim() && !/^\s*(\/\/|\/?\*)/.test(line) && !/^(import|} from| {2}\w+,$)/.test(line),
  );
  expect(code.length).toBeLessThanOrEqual(65);
});
