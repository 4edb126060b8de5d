import type { Schema } from "./schema.ts";

const most = 10;

/** A checked value, or what is wrong with it: where, never what is there. */
export type Checked<Value> = { readonly value: Value } | { readonly problem: string };

export async function check<Value>(schema: Schema<Value>, value: unknown): Promise<Checked<Value>> {
  const result = await schema["~standard"].validate(value);
  if (!result.issues) return { value: result.value };
  const paths = new Set(result.issues.map((issue) => pathOf(issue.path)));
  const more = paths.size > most ? ` and ${paths.size - most} more` : "";
  return { problem: `does not fit its schema at ${[...paths].slice(0, most).join(", ")}${more}` };
}

function pathOf(path: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined): string {
  const keys = (path ?? []).map((segment) => String(typeof segment === "object" ? segment.key : segment));
  return keys.length > 0 ? keys.join(".") : "its top level";
}
