import { describe, expect, it } from "vitest";
import { parseReading } from "../../../functions/iot/formats.ts";
import { BadInput } from "../../../functions/kit/errors.ts";

const device = "thermo-1";
const at = "2026-01-02T03:04:05.000Z";
const reading = { id: "thermo-1-7", device, sequence: 7, at, celsius: 21.5 };
const json = { sequence: 7, at, celsius: 21.5 };
const time = Date.parse(at) / 1000;
const pack = [
  { bn: `urn:dev:${device}:`, bt: time, n: "temperature", u: "Cel", v: 21.5 },
  { n: "sequence", v: 7 },
];

function refuses(payload: unknown, reason: string | RegExp) {
  const parse = () => parseReading(device, typeof payload === "string" ? payload : JSON.stringify(payload));
  expect(parse).toThrow(BadInput);
  expect(parse).toThrow(reason);
}

describe("JSON", () => {
  it.each([
    ["celsius", json],
    ["its own device", { ...json, device }],
    ["more than is asked for", { ...json, humidity: 50 }],
    ["another time zone", { ...json, at: "2026-01-02T05:04:05+02:00" }],
    ["no milliseconds", { ...json, at: "2026-01-02T03:04:05Z" }],
    ["fahrenheit", { sequence: 7, at, fahrenheit: 70.7 }],
    ["temperature in C", { sequence: 7, at, temperature: 21.5, unit: "C" }],
    ["temperature in F", { sequence: 7, at, temperature: 70.7, unit: "F" }],
    ["temperature in K", { sequence: 7, at, temperature: 294.65, unit: "K" }],
  ])("with %s", (_, payload) => expect(parseReading(device, ` ${JSON.stringify(payload)}\n`)).toEqual(reading));

  it.each([
    ["cut off", '{"sequence":7,"at"', "JSON: the text is not JSON"],
    ["no sequence", { ...json, sequence: undefined }, "JSON: sequence: Invalid input: expected"],
    ["a negative sequence", { ...json, sequence: -1 }, "JSON: sequence: Too small"],
    ["a fraction as sequence", { ...json, sequence: 7.5 }, "JSON: sequence: Invalid input: expected int"],
    ["a huge sequence", { ...json, sequence: 2 ** 60 }, "JSON: sequence: Too big"],
    ["a text as sequence", { ...json, sequence: "7" }, "JSON: sequence: Invalid input"],
    ["no time", { ...json, at: undefined }, "JSON: at: Invalid input"],
    ["a word as time", { ...json, at: "yesterday" }, "JSON: at: Invalid ISO datetime"],
    ["a time without zone", { ...json, at: "2026-01-02T03:04:05" }, "JSON: at: Invalid ISO datetime"],
    ["a day that does not exist", { ...json, at: "2026-02-30T03:04:05Z" }, "JSON: at: Invalid ISO datetime"],
    ["no temperature", { sequence: 7, at }, "JSON: give the temperature once"],
    ["two temperatures", { ...json, fahrenheit: 70.7 }, "JSON: give the temperature once"],
    ["temperature without unit", { sequence: 7, at, temperature: 21.5 }, "JSON: temperature and unit go together"],
    ["a unit without temperature", { ...json, unit: "C" }, "JSON: temperature and unit go together"],
    ["an unknown unit", { sequence: 7, at, temperature: 21.5, unit: "R" }, "JSON: unit: Invalid option"],
    ["null as temperature", { ...json, celsius: null }, "JSON: celsius: Invalid input: expected number"],
    ["a text as temperature", { ...json, celsius: "21.5" }, "JSON: celsius: Invalid input: expected number"],
    ["too hot", { ...json, celsius: 451 }, "JSON: celsius: Too big: expected number to be <=90"],
    ["too cold", { ...json, celsius: -90.1 }, "JSON: celsius: Too small: expected number to be >=-90"],
    ["too hot in fahrenheit", { sequence: 7, at, fahrenheit: 451 }, "JSON: celsius: Too big"],
    ["another device", { ...json, device: "thermo-2" }, "JSON: device: is not the one that sent it"],
  ])("with %s is refused", (_, payload, reason) => refuses(payload, reason));
});

describe("CSV", () => {
  it.each([`7,${at},21.5`, `7, ${at} ,+21.50\r\n`, "007,2026-01-02T05:04:05+02:00,21.5"])("%j", (line) => {
    expect(parseReading(device, line)).toEqual(reading);
  });

  it.each([
    ["two fields", `7,${at}`, "CSV: must have three fields"],
    ["four fields", `7,${at},21.5,x`, "CSV: must have three fields"],
    ["a decimal comma", `7,${at},21,5`, "CSV: must have three fields"],
    ["two lines", `7,${at},21.5\n8,${at},21.5`, "CSV: must be one line"],
    ["a negative sequence", `-7,${at},21.5`, "CSV: sequence: must be a whole number"],
    ["an endless sequence", `${"7".repeat(16)},${at},21.5`, "CSV: sequence: must be a whole number"],
    ["no sequence", `,${at},21.5`, "CSV: sequence: must be a whole number"],
    ["a word as time", "7,yesterday,21.5", "CSV: at: Invalid ISO datetime"],
    ["no number", `7,${at},NaN`, "CSV: celsius: must be a decimal number"],
    ["hexadecimal", `7,${at},0x15`, "CSV: celsius: must be a decimal number"],
    ["no temperature", `7,${at},`, "CSV: celsius: must be a decimal number"],
    ["too hot", `7,${at},451`, "CSV: celsius: Too big"],
    ["something else", "hello", "CSV: must have three fields"],
    ["blanks only", "  \n", "CSV: must have three fields"],
  ])("with %s is refused", (_, line, reason) => refuses(line, reason));
});

describe("SenML", () => {
  const [first, second] = pack as [object, object];
  it.each([
    ["base fields", pack],
    [
      "full names",
      [
        { n: `urn:dev:${device}:temperature`, t: time, u: "Cel", v: 21.5 },
        { n: `urn:dev:${device}:sequence`, v: 7 },
      ],
    ],
    [
      "no device",
      [
        { n: "temperature", t: time, u: "Cel", v: 21.5 },
        { n: "sequence", v: 7 },
      ],
    ],
    [
      "the sequence first",
      [
        { bn: `urn:dev:${device}:`, n: "sequence", v: 7 },
        { n: "temperature", t: time, u: "Cel", v: 21.5 },
      ],
    ],
    ["base time and offset", [{ ...first, bt: time + 60, t: -60 }, second]],
    ["a base unit", [{ bu: "Cel", bt: time, n: "temperature", v: 21.5 }, second]],
    [
      "a base value",
      [
        { n: "temperature", bt: time, u: "Cel", bv: 20, v: 1.5 },
        { n: "sequence", v: -13 },
      ],
    ],
    ["kelvin", [{ ...first, u: "K", v: 294.65 }, second]],
    [
      "a record of base fields alone",
      [{ bn: `urn:dev:${device}:`, bt: time }, { n: "temperature", u: "Cel", v: 21.5 }, second],
    ],
    ["other measurements", [...pack, { n: "humidity", u: "%RH", v: 50 }, { n: "door", vb: true }]],
    ["fields that may be passed over", [{ ...first, bver: 10, ut: 5, new: 1 }, second]],
  ])("with %s", (_, payload) => expect(parseReading(device, JSON.stringify(payload))).toEqual(reading));

  it("keeps milliseconds", () => {
    const [{ at }] = [parseReading(device, JSON.stringify([{ ...first, bt: time + 0.123 }, second]))];
    expect(at).toBe("2026-01-02T03:04:05.123Z");
  });

  it.each([
    ["cut off", JSON.stringify(pack).slice(0, -1), "SenML: the text is not JSON"],
    ["no records", [], "SenML: Too small"],
    ["a record that is none", [7], "SenML: 0: Invalid input: expected object"],
    [
      "another device as base name",
      [{ ...first, bn: "urn:dev:thermo-2:" }, second],
      "SenML: bn or n names another device",
    ],
    [
      "another device as name",
      [first, { bn: "", n: "urn:dev:thermo-2:sequence", v: 7 }],
      "SenML: bn or n names another",
    ],
    ["no temperature", [second], 'SenML: there must be one record "temperature"'],
    ["two temperatures", [first, first, second], 'SenML: there must be one record "temperature"'],
    ["no sequence", [first], 'SenML: there must be one record "sequence"'],
    ["null as temperature", [{ ...first, v: null }, second], "SenML: 0.v: Invalid input: expected number"],
    ["no value", [{ ...first, v: undefined, vs: "warm" }, second], 'SenML: the record "temperature" has no number'],
    ["no unit", [{ ...first, u: undefined }, second], "SenML: the temperature must have the unit"],
    ["another unit", [{ ...first, u: "m" }, second], "SenML: the temperature must have the unit"],
    ["null as time", [{ ...first, bt: null }, second], "SenML: 0.bt: Invalid input: expected number"],
    ["no time", [{ ...first, bt: undefined }, second], "SenML: the temperature must have an absolute time"],
    ["a time from now", [{ ...first, bt: -5 }, second], "SenML: the temperature must have an absolute time"],
    [
      "milliseconds as time",
      [{ ...first, bt: time * 1000 }, second],
      "SenML: the temperature must have an absolute time",
    ],
    ["a fraction as sequence", [first, { n: "sequence", v: 7.5 }], "SenML: sequence: Invalid input: expected int"],
    ["too hot", [{ ...first, v: 451 }, second], "SenML: celsius: Too big"],
    ["a later version", [{ ...first, bver: 11 }, second], "SenML: 0.bver: Too big"],
    ["a field to be understood", [{ ...first, future_: 1 }, second], "SenML: 0: has a field that must be understood"],
  ])("with %s is refused", (_, payload, reason) => refuses(payload, reason));
});

it("never quotes what was sent", () => {
  const secret = "x5ecret";
  const payloads = [
    secret,
    `${secret},${secret},${secret}`,
    `{"${secret}`,
    `{"${secret}":1}`,
    JSON.stringify({ sequence: secret, at: secret, celsius: secret, unit: secret, device }),
    JSON.stringify({ ...json, device: secret }),
    JSON.stringify([{ bn: secret, [secret]: 1, n: secret, u: secret, v: secret }]),
    JSON.stringify([{ n: `${secret}:temperature`, [`${secret}_`]: 1 }]),
  ];
  for (const payload of payloads) {
    const error = (() => {
      try {
        return parseReading(device, payload);
      } catch (error) {
        return error;
      }
    })();
    expect(error).toBeInstanceOf(BadInput);
    expect((error as Error).message).not.toContain("ecret");
  }
});
