import { isUtf8 } from "node:buffer";
import { BadInput } from "./errors.ts";
import type { Encoding } from "./schema.ts";

/**
 * Turns a payload into the value that a schema checks.
 *
 * @throws BadInput where the payload is no UTF-8 text, or no JSON where it should be
 */
export function decode(payload: string | Buffer, encoding: Encoding): unknown {
  if (typeof payload !== "string" && !isUtf8(payload)) throw new BadInput("The input is not UTF-8 text");
  const text = typeof payload === "string" ? payload : payload.toString("utf8");
  if (encoding === "text") return text;
  try {
    return JSON.parse(text);
  } catch {
    // The parser's own message quotes the text.
    throw new BadInput("The input is not JSON");
  }
}
