import type { In, Needs } from "../kit/contract.ts";
import { BadInput } from "../kit/errors.ts";
import { type EventContext, handle } from "../kit/handle.ts";
import { normalize } from "./contracts.ts";
import { parseReading } from "./formats.ts";

/** Stores what a device sent in the kit's own form; the device is the record's key. */
export async function storeReading(
  payload: In<typeof normalize>,
  { readings }: Needs<typeof normalize>,
  { key }: Pick<EventContext, "key">,
): Promise<void> {
  if (!key) throw new BadInput("The record has no key, so it is not known which device sent it");
  const reading = parseReading(key, payload);
  await readings.insertOnce(reading.id, { ...reading, received: new Date().toISOString() });
}

export default handle(normalize, storeReading);
