/** The formats that devices speak: JSON, CSV and SenML (RFC 8428). */
import * as z from "zod";
import { BadInput } from "../kit/errors.ts";
import { Reading } from "./events.ts";
import { round } from "./measurement.ts";

/** What a payload says; a device may name itself. */
interface Said {
  readonly sequence: unknown;
  readonly at: unknown;
  readonly celsius: unknown;
}

/**
 * Reads what a device sent, whichever its format.
 *
 * @throws BadInput saying what is wrong, without quoting it
 */
export function parseReading(device: string, payload: string): Reading {
  const text = payload.trim();
  const { name, said } = read(device, text);
  const { sequence } = said;
  const reading = Reading.safeParse({ id: `${device}-${sequence}`, device, ...said });
  if (!reading.success) throw new BadInput(`${name}: ${problems(reading.error)}`);
  return reading.data;
}

function read(device: string, text: string): { readonly name: string; readonly said: Said } {
  switch (text[0]) {
    case "{":
      return { name: "JSON", said: readJson(device, text) };
    case "[":
      return { name: "SenML", said: readSenml(device, text) };
    default:
      return { name: "CSV", said: readCsv(text) };
  }
}

const moment = z.iso.datetime({ offset: true }).transform((at) => new Date(at).toISOString());

const JsonReading = z.object({
  device: z.string().optional(),
  sequence: z.int(),
  at: moment,
  celsius: z.number().optional(),
  fahrenheit: z.number().optional(),
  temperature: z.number().optional(),
  unit: z.enum(["C", "F", "K"]).optional(),
});

/** `{"sequence": 7, "at": "…", "celsius": 21.5}`, or `fahrenheit`, or `temperature` with `unit` C, F or K. */
function readJson(device: string, text: string): Said {
  const { sequence, at, celsius, fahrenheit, temperature, unit, ...said } = parse(JsonReading, "JSON", text);
  if (said.device !== undefined && said.device !== device)
    throw new BadInput("JSON: device: is not the one that sent it");
  const given = [celsius, fahrenheit, temperature].filter((value) => value !== undefined);
  if (given.length !== 1) throw new BadInput("JSON: give the temperature once: celsius, fahrenheit or temperature");
  if ((temperature === undefined) !== (unit === undefined))
    throw new BadInput("JSON: temperature and unit go together");
  return { sequence, at, celsius: toCelsius(given[0] as number, unit ?? (fahrenheit === undefined ? "C" : "F")) };
}

const sequenceText = z
  .string()
  .regex(/^\d{1,15}$/, "must be a whole number")
  .transform(Number);
const decimalText = z
  .string()
  .regex(/^[-+]?\d+(\.\d+)?$/, "must be a decimal number")
  .transform(Number);
const CsvReading = z.tuple([sequenceText, moment, decimalText]);

/** `7,2026-01-01T00:00:00Z,21.5` */
function readCsv(text: string): Said {
  if (/[\r\n]/.test(text)) throw new BadInput("CSV: must be one line");
  const fields = text.split(",").map((field) => field.trim());
  if (fields.length !== 3) throw new BadInput("CSV: must have three fields: sequence, at, celsius");
  const names = ["sequence", "at", "celsius"];
  const line = CsvReading.safeParse(fields);
  if (!line.success) throw new BadInput(`CSV: ${problems(line.error, (path) => names[Number(path[0])])}`);
  const [sequence, at, celsius] = line.data;
  return { sequence, at, celsius };
}

const SenmlRecord = z
  .looseObject({
    bver: z.int().max(10).optional(),
    bn: z.string().optional(),
    bt: z.number().optional(),
    bu: z.string().optional(),
    bv: z.number().optional(),
    n: z.string().optional(),
    u: z.string().optional(),
    t: z.number().optional(),
    v: z.number().optional(),
  })
  // RFC 8428, 4.4
  .refine((record) => !Object.keys(record).some((field) => field.endsWith("_")), "has a field that must be understood");
const Senml = z.array(SenmlRecord).min(1);

/** Smaller times count from now (RFC 8428, 4.5.3), which is over by the time that the pack is read. */
const firstAbsoluteTime = 2 ** 28;

/** Records named `temperature` (unit Cel or K) and `sequence`; other measurements in the pack are passed over. */
function readSenml(device: string, text: string): Said {
  const records = resolve(parse(Senml, "SenML", text));
  for (const { prefix } of records) {
    if (prefix !== "" && prefix !== `urn:dev:${device}:`) {
      throw new BadInput("SenML: bn or n names another device than the one that sent it");
    }
  }
  const temperature = only(records, "temperature");
  const sequence = only(records, "sequence");
  const unit = temperature.unit === "Cel" ? "C" : temperature.unit;
  if (unit !== "C" && unit !== "K") throw new BadInput('SenML: the temperature must have the unit "Cel" or "K"');
  if (!(temperature.time >= firstAbsoluteTime && temperature.time < 1e11)) {
    throw new BadInput("SenML: the temperature must have an absolute time (bt, t) in seconds");
  }
  const at = new Date(Math.round(temperature.time * 1000)).toISOString();
  return { sequence: sequence.value, at, celsius: toCelsius(temperature.value, unit) };
}

interface SenmlValue {
  readonly prefix: string;
  readonly name: string;
  readonly unit: string | undefined;
  readonly time: number;
  readonly value: number | undefined;
}

/** Base values hold for their record and all after it. */
function resolve(pack: z.infer<typeof Senml>): SenmlValue[] {
  let [bn, bt, bv] = ["", 0, 0];
  let bu: string | undefined;
  return pack.map((record) => {
    bn = record.bn ?? bn;
    bt = record.bt ?? bt;
    bv = record.bv ?? bv;
    bu = record.bu ?? bu;
    const name = bn + (record.n ?? "");
    const end = name.lastIndexOf(":") + 1;
    const hasValue = record.v !== undefined || (record.bv !== undefined && record.n !== undefined);
    return {
      prefix: name.slice(0, end),
      name: name.slice(end),
      unit: record.u ?? bu,
      time: bt + (record.t ?? 0),
      value: hasValue ? bv + (record.v ?? 0) : undefined,
    };
  });
}

function only(records: readonly SenmlValue[], wanted: string): SenmlValue & { readonly value: number } {
  const [found, ...more] = records.filter(({ name }) => name === wanted);
  if (!found || more.length > 0) throw new BadInput(`SenML: there must be one record "${wanted}"`);
  const { value } = found;
  if (value === undefined) throw new BadInput(`SenML: the record "${wanted}" has no number as its value`);
  return { ...found, value };
}

function toCelsius(degrees: number, unit: "C" | "F" | "K"): number {
  switch (unit) {
    case "C":
      return degrees;
    case "F":
      return round(((degrees - 32) * 5) / 9);
    case "K":
      return round(degrees - 273.15);
  }
}

function parse<S extends z.ZodType>(schema: S, format: string, text: string): z.infer<S> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new BadInput(`${format}: the text is not JSON`);
  }
  const result = schema.safeParse(value);
  if (!result.success) throw new BadInput(`${format}: ${problems(result.error)}`);
  return result.data;
}

/** The library's messages tell what was expected; none of those that can arise here quotes what was sent. */
function problems(
  error: z.ZodError,
  nameOf = (path: readonly PropertyKey[]): string | undefined => path.join("."),
): string {
  const lines = error.issues.map(({ path, message }) => [nameOf(path), message].filter(Boolean).join(": "));
  return lines.slice(0, 5).join("; ");
}
