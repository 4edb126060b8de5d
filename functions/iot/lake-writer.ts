import type { In, Needs } from "../kit/contract.ts";
import { handle } from "../kit/handle.ts";
import { lakeWriter } from "./contracts.ts";
import { objectKey } from "./measurement.ts";

export async function writeToLake(
  measurement: In<typeof lakeWriter>,
  { lake }: Needs<typeof lakeWriter>,
): Promise<void> {
  await lake.addLine(objectKey(measurement), measurement);
}

export default handle(lakeWriter, writeToLake);
