/** Event schemas: any library that implements Standard Schema (zod, valibot, arktype). */
import type { StandardSchemaV1 } from "@standard-schema/spec";

export type Schema<Value> = StandardSchemaV1<unknown, Value>;

/** The type of the values that a schema accepts. */
export type ValueOf<S> = S extends StandardSchemaV1<infer _, infer Value> ? Value : never;

export type Encoding = "json" | "text";

const encoding = Symbol.for("fivefold.encoding");

/** Marks a schema of strings whose events travel as bare UTF-8 text instead of JSON. */
export function text<S extends StandardSchemaV1<string, string>>(schema: S): S {
  return Object.defineProperty(schema, encoding, { value: "text" satisfies Encoding });
}

/** How events of a schema travel on a topic. */
export function encodingOf(schema: Schema<unknown>): Encoding {
  return (schema as { [encoding]?: Encoding })[encoding] ?? "json";
}
