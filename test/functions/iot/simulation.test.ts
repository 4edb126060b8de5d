import { describe, expect, it } from "vitest";
import { simulate } from "../../../functions/iot/simulation.ts";

const args = {
  series: Array.from({ length: 100 }, (_, hour) => ({
    at: new Date(Date.UTC(2010, 0, 1, hour)).toISOString(),
    celsius: hour / 10,
  })),
  devices: Array.from({ length: 20 }, (_, index) => `device-${index}`),
  rate: 100,
  seconds: 60,
  seed: 7,
  firstSequence: 1000,
};
const sends = simulate(args);
const of = (kind: string) => sends.filter((send) => send.kind === kind);

describe("simulate", () => {
  it("is the same for the same seed, and another for another", () => {
    expect(simulate(args)).toEqual(sends);
    expect(simulate({ ...args, seed: 8 })).not.toEqual(sends);
  });

  it("sends distinct readings at the rate, evenly", () => {
    const readings = sends.filter(({ kind }) => kind === "reading" || kind === "late");
    expect(readings).toHaveLength(6000);
    expect(new Set(readings.map(({ reading }) => reading?.id)).size).toBe(6000);
    for (let second = 0; second < 60; second++)
      expect(readings.filter(({ time }) => Math.floor(time / 1000) === second)).toHaveLength(100);
  });

  it("mixes in every kind", () => {
    for (const kind of ["late", "duplicate", "malformed", "wrong-password", "other-device"])
      expect(of(kind).length, kind).toBeGreaterThan(0);
  });

  it("sends late readings after younger ones of their device", () => {
    for (const late of of("late")) {
      const before = sends.filter(
        ({ device, time, kind }) => device === late.device && time < late.time && kind === "reading",
      );
      expect(before.some(({ reading }) => (reading?.sequence ?? 0) > (late.reading?.sequence ?? 0))).toBe(true);
    }
  });

  it("spoils payloads that are no reading, each different from every other", () => {
    const payloads = of("malformed").map(({ payload }) => payload);
    expect(new Set(payloads).size).toBe(payloads.length);
    const good = new Set(sends.filter(({ reading }) => reading).map(({ payload }) => payload));
    expect(payloads.filter((payload) => good.has(payload))).toEqual([]);
  });
});
