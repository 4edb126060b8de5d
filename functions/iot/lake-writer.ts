import type { In, Needs } from "../kit/contract.ts";
import { handle } from "../kit/handle.ts";
import { lakeWriter } from "./contracts.ts";
import { objectKey, writeObject } from "./measurement.ts";

export function writeToLake(
  measurement: In<typeof lakeWriter>,
  { lake }: Pick<Needs<typeof lakeWriter>, "lake">,
): Promise<void> {
  return lake.put(objectKey(measurement), writeObject(measurement), "application/json");
}

export default handle(lakeWriter, writeToLake);
