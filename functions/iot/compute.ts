import type { In, Needs } from "../kit/contract.ts";
import { handle } from "../kit/handle.ts";
import { compute } from "./contracts.ts";
import { measure } from "./measurement.ts";

/** Computes what follows from a stored reading, and has it written to lake and mart. */
export async function computeMeasurement(
  { id }: In<typeof compute>,
  { readings, lake, mart }: Needs<typeof compute>,
): Promise<void> {
  const reading = await readings.get(id);
  if (!reading) throw new Error("The reading is not stored yet");
  const measurement = measure(reading);
  const key = reading.device;
  await Promise.all([lake.call(measurement, { key }), mart.call(measurement, { key })]);
}

export default handle(compute, computeMeasurement);
