import { expect, it } from "vitest";
import { planChaos } from "../../local/chaos.ts";

const kinds = ["relay", "function", "kafka", "mongo"] as const;

it.each([1, 2, 3, 4, 5])("kills one pod of each kind while events flow (seed %i)", (seed) => {
  const blows = planChaos(seed, 60, kinds);
  expect(blows.map(({ kind }) => kind).sort()).toEqual(["function", "kafka", "mongo", "relay"]);
  for (const { time, which } of blows) {
    expect(time).toBeGreaterThanOrEqual(6_000);
    expect(time).toBeLessThanOrEqual(48_000);
    expect(which).toBeGreaterThanOrEqual(0);
    expect(which).toBeLessThan(1);
  }
  expect(blows.map(({ time }) => time)).toEqual(blows.map(({ time }) => time).sort((a, b) => a - b));
});

it("is the same for the same seed, and another for another", () => {
  expect(planChaos(7, 60, kinds)).toEqual(planChaos(7, 60, kinds));
  expect(planChaos(7, 60, kinds)).not.toEqual(planChaos(8, 60, kinds));
});
