import { describe, expect, it } from "vitest";
import {
  account,
  eventsPerSecond,
  type Figures,
  type Kill,
  longestPause,
  misses,
  quantile,
  type Round,
} from "../../../bench/relay/figures.ts";

// Events 1, 101 and 201 are of one key.
describe("the account of what was delivered", () => {
  it("finds nothing wrong with events of one key in order", () =>
    expect(account([2, 1, 0, 101], 0, 3)).toEqual({ lost: 0, repeated: 0, outOfOrder: 0 }));

  it("counts what never came", () => expect(account([0, 2], 0, 4)).toMatchObject({ lost: 2 }));

  it("counts each further delivery", () => expect(account([0, 1, 0, 0], 0, 2)).toMatchObject({ repeated: 2 }));

  it("takes no repeated event for one out of order", () =>
    expect(account([1, 101, 1, 101, 201], 0, 0)).toEqual({ lost: 0, repeated: 2, outOfOrder: 0 }));

  it("counts events after a later one of their key", () =>
    expect(account([201, 1, 101], 0, 0)).toMatchObject({ outOfOrder: 2 }));
});

describe("events per second", () => {
  it("are counted from the first event to the last", () => expect(eventsPerSecond([500, 600, 700], 1000)).toBe(10));
  it("leave out what came after the window", () => expect(eventsPerSecond([0, 100, 200, 9000], 1000)).toBe(10));
  it("are none where there are no two events", () => expect(eventsPerSecond([5], 1000)).toBe(0));
});

it("finds the longest pause", () =>
  expect(longestPause([0, 10, 20, 9000, 9010])).toEqual({ before: 3, milliseconds: 8980 }));

it.each([
  [0.5, 2],
  [0.99, 4],
  [0, 1],
])("takes the quantile %d of values in any order", (share, expected) =>
  expect(quantile([3, 1, 4, 2], share)).toBe(expected),
);

describe("the bars", () => {
  const fine = { lost: 0, repeated: 0, outOfOrder: 0 };
  const round = (eventsPerSecond: number): Round => ({ ...fine, delivered: 1000, eventsPerSecond });
  const kill: Kill = { ...fine, events: 100, deliveredBefore: 10, secondsUntilNext: 11 };
  const times = (p50: number, p99: number) => ({ samples: 100, p50, p99 });
  const figures: Figures = {
    recordBytes: 300,
    rounds: { relay: [round(5000), round(100), round(6000)], fission: [round(500)] },
    kills: { relay: { ...kill, repeated: 7 }, fission: { ...kill, lost: 9 } },
    firstCalls: times(150, 999),
    nextCalls: times(5, 20),
    latency: { eventsPerSecond: 100, relay: times(8, 29), direct: times(3, 9), timersLate: times(0, 1) },
  };

  it("are reached at their very values, by the median of the rounds", () => expect(misses(figures)).toEqual([]));

  it.each<[string, Partial<Figures>]>([
    ["9.9 times", { rounds: { ...figures.rounds, relay: [round(4950)] } }],
    ["order", { rounds: { ...figures.rounds, relay: [{ ...round(9000), outOfOrder: 1 }] } }],
    ["lost 1", { kills: { ...figures.kills, relay: { ...kill, lost: 1 } } }],
    ["first call", { firstCalls: times(151, 200) }],
    ["next calls", { nextCalls: times(1, 21) }],
    ["latency", { latency: { ...figures.latency, direct: times(3, 8) } }],
  ])("name the one that is missed: %s", (name, changed) =>
    expect(misses({ ...figures, ...changed })).toEqual([expect.stringContaining(name)]),
  );
});
