/** What is computed from a reading, and how the lake holds it. */
import type { Measurement, Reading } from "./events.ts";

export function measure<R extends Reading>(reading: R): R & Pick<Measurement, "fahrenheit" | "hour"> {
  const hour = new Date(reading.at);
  hour.setUTCMinutes(0, 0, 0);
  return { ...reading, fahrenheit: round((reading.celsius * 9) / 5 + 32), hour: hour.toISOString() };
}

/** The same for the same measurement, however often it is written. Measurements of a second share an object. */
export function objectKey({ received }: Pick<Measurement, "received">): string {
  const [date, hour, minute, second] = received.split(/[T:.Z]/);
  return `${measurementsUnder}date=${date}/hour=${hour}/${minute}-${second}.jsonl`;
}

export const measurementsUnder = "measurements/";

/** Without the noise of binary fractions, and without a zero below zero. */
export function round(degrees: number): number {
  return Math.round(degrees * 1e4) / 1e4 + 0;
}
