/** What the two triggers carry, and the contracts of the one function that both call. */
import * as z from "zod";
import { contract, endpoint } from "../../functions/kit/contract.ts";

export const Event = z.object({ id: z.int(), key: z.string(), text: z.string() });
export type Event = z.infer<typeof Event>;

export const keys = 100;
/** About 300 bytes for each record. */
const text = "x".repeat(260);

/** The events are numbered through; by turns for each key. */
export const eventOf = (id: number): Event => ({ id, key: keyOf(id), text });

export const keyOf = (id: number): string => `key-${id % keys}`;

/** Called with one event by Fission's own trigger; without any, and with `?from=`, it answers what it has seen. */
export const count = endpoint({
  name: "count",
  entry: new URL("./count.ts", import.meta.url),
  in: Event.optional(),
});

/** The same function, called with batches by the relay. */
export const countBatches = contract({ name: count.name, entry: count.entry, in: Event });

/** What the function answers: how many events it has seen, and which from a place on, in the order it saw them. */
export interface Seen {
  readonly count: number;
  readonly ids: readonly number[];
  /** When, in milliseconds. */
  readonly times: readonly number[];
}
