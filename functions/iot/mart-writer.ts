import type { In, Needs } from "../kit/contract.ts";
import { handle } from "../kit/handle.ts";
import { martWriter } from "./contracts.ts";

export async function writeToMart(
  measurement: In<typeof martWriter>,
  { mart }: Needs<typeof martWriter>,
): Promise<void> {
  await mart.insertOnce(measurement);
}

export default handle(martWriter, writeToMart);
