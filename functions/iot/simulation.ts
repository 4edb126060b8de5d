/**
 * Simulated devices that replay a real series of hourly temperatures. Everything follows from the seed: which reading
 * is sent when, by whom, how, and what must become of it.
 */
import { uniformFloat64 } from "pure-rand/distribution/uniformFloat64";
import { uniformInt } from "pure-rand/distribution/uniformInt";
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";
import type { Reading } from "./events.ts";

export interface Hour {
  readonly at: string;
  readonly celsius: number;
}

export interface SimulationArgs {
  readonly series: readonly Hour[];
  readonly devices: readonly string[];
  /** Distinct readings per second, all devices together; duplicates, malformed and refused ones come on top. */
  readonly rate: number;
  readonly seconds: number;
  readonly seed: number;
  /** Sequence numbers start here, so that runs do not meet. */
  readonly firstSequence: number;
}

/** What must become of an event. */
export type Fate = "stored" | "dead-lettered" | "refused";

export interface Send {
  /** Milliseconds after the start. */
  readonly time: number;
  readonly device: string;
  readonly via: "mqtt" | "http";
  readonly contentType: "application/json" | "text/csv";
  readonly payload: string;
  readonly fate: Fate;
  /** What is special about it. */
  readonly kind: "reading" | "late" | "duplicate" | "malformed" | "wrong-password" | "other-device";
  /** The reading that must be stored. */
  readonly reading?: Reading;
}

type Format = "json" | "csv" | "senml";

const share = { late: 0.02, duplicate: 0.02, malformed: 0.01, refused: 0.005 };
const roundLength = 20;
const longestRepeat = 2_000;

/** Every send of one run, in the order of time. */
export function simulate({ series, devices, rate, seconds, seed, firstSequence }: SimulationArgs): Send[] {
  const random = xoroshiro128plus(seed);
  const chance = (probability: number) => uniformFloat64(random) < probability;
  const upTo = (most: number) => uniformInt(random, 0, most);

  const fleet = devices.map((device, index) => ({
    device,
    via: index % 5 === 4 ? ("http" as const) : ("mqtt" as const),
    format: formatOf(index),
    queue: [] as { reading: Reading; late: boolean }[],
    next: upTo(series.length - 1),
    count: 0,
  }));
  type Device = (typeof fleet)[number];

  const measure = (device: Device): Reading => {
    const hour = series[device.next++ % series.length] as Hour;
    const sequence = firstSequence + device.count++;
    return { id: readingId(device.device, sequence), device: device.device, sequence, ...hour };
  };
  const describe = (device: Device) => ({
    device: device.device,
    via: device.via,
    contentType: device.format === "csv" ? ("text/csv" as const) : ("application/json" as const),
  });

  const sends: Send[] = [];
  for (let slot = 0; slot < rate * seconds; slot++) {
    const time = (slot * 1000) / rate;
    const device = fleet[slot % fleet.length] as Device;
    // Some readings of each round are held back until its younger ones are out.
    if (device.queue.length === 0) {
      const round = Array.from({ length: roundLength }, (_, place) => ({
        reading: measure(device),
        late: place < roundLength - 1 && chance(share.late),
      }));
      device.queue.push(...round.filter(({ late }) => !late), ...round.filter(({ late }) => late));
    }
    const { reading, late } = device.queue.shift() as { reading: Reading; late: boolean };
    const send = { ...describe(device), payload: write(device.format, reading), fate: "stored" as const, reading };
    sends.push({ ...send, time, kind: late ? "late" : "reading" });
    if (chance(share.duplicate)) sends.push({ ...send, time: time + upTo(longestRepeat), kind: "duplicate" });
    if (chance(share.malformed))
      sends.push({
        ...describe(device),
        ...spoil(device.format, measure(device), upTo(3), device.via),
        time,
        kind: "malformed",
      });
    if (chance(share.refused))
      sends.push({
        ...describe(device),
        payload: write(device.format, measure(device)),
        fate: "refused",
        time,
        kind: device.via === "http" ? "wrong-password" : "other-device",
      });
  }
  return sends.sort((a, b) => a.time - b.time);
}

export const readingId = (device: string, sequence: number): string => `${device}-${sequence}`;

/** SenML only over MQTT: every fifth device speaks HTTP, and those take turns with JSON and CSV. */
function formatOf(index: number): Format {
  if (index % 5 === 4) return index % 2 ? "json" : "csv";
  return (["json", "csv", "senml"] as const)[index % 3] as Format;
}

function write(format: Format, { device, sequence, at, celsius }: Reading): string {
  switch (format) {
    case "json":
      return JSON.stringify({ sequence, at, celsius });
    case "csv":
      return `${sequence},${at},${celsius}`;
    case "senml":
      return JSON.stringify([
        { bn: `urn:dev:${device}:`, bt: Date.parse(at) / 1000, n: "temperature", u: "Cel", v: celsius },
        { n: "sequence", v: sequence },
      ]);
  }
}

/** Four ways to be wrong in each format; each payload stays unique by its sequence number. */
function spoil(format: Format, reading: Reading, way: number, via: "mqtt" | "http"): { payload: string; fate: Fate } {
  const good = write(format, reading);
  // Fission's Node runtime parses JSON itself and refuses what is none before the function sees it.
  if (way === 0 && format === "csv") return { payload: good.slice(0, good.lastIndexOf(",")), fate: "dead-lettered" };
  if (way === 0) return { payload: good.slice(0, -1), fate: via === "http" ? "refused" : "dead-lettered" };
  const wrong = [
    { ...reading, celsius: 451 },
    { ...reading, at: "yesterday" },
    { ...reading, celsius: Number.NaN },
  ];
  const spoiled = wrong[way - 1] as Reading;
  return { payload: write(format, spoiled), fate: "dead-lettered" };
}
