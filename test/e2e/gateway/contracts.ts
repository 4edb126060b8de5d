import * as z from "zod";
import { endpoint } from "../../../functions/kit/contract.ts";

const entry = new URL("mirror.ts", import.meta.url);

/** Answers with what it was asked. */
export const mirror = endpoint({ name: "mirror", entry, in: z.unknown(), out: z.unknown() });

/** The same under another name. */
export const plain = { ...mirror, name: "plain" };
