/** What is computed from a reading, and how the lake holds it. */
import type { Measurement, Reading } from "./events.ts";

export function measure({ id, device, sequence, at, celsius }: Reading): Measurement {
  const hour = new Date(at);
  hour.setUTCMinutes(0, 0, 0);
  return { id, device, sequence, at, celsius, fahrenheit: round((celsius * 9) / 5 + 32), hour: hour.toISOString() };
}

/** The same for the same measurement, so that writing it twice leaves one object. */
export function objectKey({ id, hour }: Measurement): string {
  return `measurements/date=${hour.slice(0, 10)}/hour=${hour.slice(11, 13)}/${id}.json`;
}

/** The same bytes for the same measurement. */
export function writeObject({ id, device, sequence, at, celsius, fahrenheit, hour }: Measurement): string {
  return JSON.stringify({ id, device, sequence, at, celsius, fahrenheit, hour });
}

/** Without the noise of binary fractions, and without a zero below zero. */
export function round(degrees: number): number {
  return Math.round(degrees * 1e4) / 1e4 + 0;
}
