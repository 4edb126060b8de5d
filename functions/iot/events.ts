import * as z from "zod";
import { text } from "../kit/schema.ts";

/** What a device sent, byte for byte: JSON, CSV or SenML. The record's key is the device. */
export const RawReading = text(
  z
    .string()
    .min(1)
    .max(64 * 1024),
);

/** One reading in the kit's own form. `id` is `<device>-<sequence>`, so the same reading sent twice is stored once. */
export const Reading = z.object({
  id: z.string(),
  device: z.string(),
  /** The device's own count of its readings. */
  sequence: z.int().min(0),
  /** When it was measured. */
  at: z.iso.datetime(),
  celsius: z.number().min(-90).max(90),
});
export type Reading = z.infer<typeof Reading>;

/** A reading as the kit keeps it. */
export const StoredReading = z.object({
  ...Reading.shape,
  /** When it came for the first time. */
  received: z.iso.datetime(),
});
export type StoredReading = z.infer<typeof StoredReading>;

/** What the change of a stored reading tells: which one. */
export const ReadingChange = StoredReading.pick({ id: true, device: true });

/** A reading with what was computed from it, as the lake and the mart hold it. */
export const Measurement = z.object({
  ...StoredReading.shape,
  fahrenheit: z.number(),
  /** The full hour it belongs to. */
  hour: z.iso.datetime(),
});
export type Measurement = z.infer<typeof Measurement>;
