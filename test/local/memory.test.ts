import { describe, expect, it } from "vitest";
import { growth, summary } from "../../local/memory.ts";

const mebibyte = 2 ** 20;

describe("summary", () => {
  it("takes means of the middle and the last third, and the highest of all", () => {
    const bytes = [500, 20, 30, 100, 140, 120, 200, 300, 250];
    const samples = bytes.map((bytes, at) => ({ time: at * 10, bytes }));
    expect(summary(samples, 90)).toEqual({ middle: 120, last: 250, highest: 500 });
  });

  it("has no mean where nothing was seen", () => {
    expect(summary([{ time: 80, bytes: 7 }], 90)).toEqual({ middle: Number.NaN, last: 7, highest: 7 });
  });
});

describe("growth", () => {
  const pod = { pod: "iot/bus-0", middle: 400 * mebibyte, last: 400 * mebibyte, highest: 0, restarts: 0 };

  it.each([
    ["nothing that stays", pod, []],
    ["nothing that shrinks", { ...pod, last: 1 }, []],
    ["nothing within 5 %", { ...pod, last: 420 * mebibyte }, []],
    ["more than 5 %", { ...pod, last: 421 * mebibyte }, ["iot/bus-0: its memory grows, from 400 MiB to 421 MiB"]],
    ["nothing within 8 MiB", { ...pod, middle: 10 * mebibyte, last: 18 * mebibyte }, []],
    [
      "more than 8 MiB",
      { ...pod, middle: 10 * mebibyte, last: 19 * mebibyte },
      ["iot/bus-0: its memory grows, from 10 MiB to 19 MiB"],
    ],
    ["a pod that was not seen throughout", { ...pod, middle: Number.NaN }, ["iot/bus-0: was not there all the time"]],
    ["restarts", { ...pod, restarts: 2 }, ["iot/bus-0: its containers were started again 2 times"]],
  ])("tells of %s", (_, one, problems) => {
    expect(growth([one], 600)).toEqual(problems);
  });

  it("is not judged in a short time, restarts are", () => {
    expect(growth([{ ...pod, last: 900 * mebibyte, restarts: 1 }], 599)).toEqual([
      "iot/bus-0: its containers were started again 1 times",
    ]);
  });
});
