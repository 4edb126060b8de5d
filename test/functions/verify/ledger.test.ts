import { describe, expect, it } from "vitest";
import { account, type Entry, type Observation, speed } from "../../../functions/verify/ledger.ts";

const entry = (id: string, order: number, fate: Entry["fate"] = "stored"): Entry => ({
  id,
  key: "device-1",
  order,
  fate,
  sentAt: order,
});
const there = { times: 1, right: true };
const seen = (changes: Partial<Observation> = {}): Observation => ({
  stores: new Map([
    [
      "mart",
      new Map([
        ["a", there],
        ["b", there],
      ]),
    ],
    [
      "lake",
      new Map([
        ["a", there],
        ["b", there],
      ]),
    ],
  ]),
  deadLetters: new Map([["bad", "bad-input"]]),
  refused: new Map([["intruder", "HTTP 401"]]),
  effects: new Map([["device-1", ["a", "b"]]]),
  sentAgain: new Set(),
  ...changes,
});
const entries = [entry("a", 0), entry("b", 1), entry("bad", 2, "dead-lettered"), entry("intruder", 3, "refused")];
const problems = (changes: Partial<Observation>, of = entries) => account(of, seen(changes), "bad-input").problems;
const stores = (mart: object, lake: object) =>
  new Map([
    ["mart", new Map(Object.entries(mart))],
    ["lake", new Map(Object.entries(lake))],
  ]) as Observation["stores"];

describe("account", () => {
  it("lets a dead letter that was sent again take effect late", () => {
    expect(problems({ effects: new Map([["device-1", ["b", "a"]]]), sentAgain: new Set(["a"]) })).toEqual([]);
  });

  it("is exact where everything is where it must be", () => {
    expect(account(entries, seen(), "bad-input")).toEqual({
      sent: 4,
      stored: 2,
      deadLettered: 1,
      refused: 1,
      problems: [],
    });
  });

  it.each<[string, Partial<Observation>, string[]]>([
    ["missing in one store", { stores: stores({ a: there, b: there }, { a: there }) }, ["b: missing in the lake"]],
    [
      "stored twice",
      { stores: stores({ a: there, b: there }, { a: { times: 2, right: true }, b: there }) },
      ["a: 2 times in the lake"],
    ],
    [
      "wrong content",
      { stores: stores({ a: { times: 1, right: false }, b: there }, { a: there, b: there }) },
      ["a: wrong content in the mart"],
    ],
    [
      "stored though bad",
      { stores: stores({ a: there, b: there, bad: there }, { a: there, b: there }) },
      ["bad: in the mart, but must be dead-lettered"],
    ],
    [
      "never sent",
      { stores: stores({ a: there, b: there, ghost: there }, { a: there, b: there }) },
      ["ghost: in the mart, but was never sent"],
    ],
    ["no dead letter", { deadLetters: new Map() }, ["bad: no dead letter"]],
    [
      "wrong reason",
      { deadLetters: new Map([["bad", "failed"]]) },
      ['bad: dead-lettered for "failed" instead of "bad-input"'],
    ],
    [
      "a good one dead-lettered too",
      {
        deadLetters: new Map([
          ["bad", "bad-input"],
          ["a", "failed"],
        ]),
      },
      ['a: dead-lettered ("failed"), but must be stored'],
    ],
    ["an intruder taken", { refused: new Map() }, ["intruder: taken, but must be refused"]],
    [
      "a good one refused",
      {
        refused: new Map([
          ["intruder", "HTTP 401"],
          ["a", "HTTP 401"],
        ]),
      },
      ["a: refused (HTTP 401), but must be stored"],
    ],
    [
      "out of order",
      { effects: new Map([["device-1", ["b", "a"]]]) },
      ["device-1: a took effect after younger events"],
    ],
  ])("%s", (_, changes, expected) => {
    expect(problems(changes)).toEqual(expected);
  });
});

describe("speed", () => {
  const steady = (latency: (second: number) => number) =>
    Array.from({ length: 3000 }, (_, i) => ({ sentAt: i * 10, seenAt: i * 10 + latency(i / 100) }));

  it("finds a steady rate", () => {
    const { throughput, worstWindow, p50, p99 } = speed(
      steady(() => 50),
      30,
    );
    expect([throughput, worstWindow, p50, p99]).toEqual([100, 100, 50, 50]);
  });

  it("finds the seconds in which nothing came", () => {
    const { worstWindow } = speed(
      steady((second) => (second >= 12 && second < 17 ? 50 + (17 - second) * 1000 : 50)),
      30,
    );
    expect(worstWindow).toBeCloseTo(50, 0);
  });
});
