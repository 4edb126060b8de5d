/** An event that no retry can help: it becomes a dead letter (or HTTP 422) at once. The message must not quote the event's values. */
export class BadInput extends Error {
  override readonly name = "BadInput";
}

/** What is needed cannot be reached: no event is to blame, and none loses a try by it. A request is answered with HTTP 503. */
export class Unavailable extends Error {
  override readonly name = "Unavailable";
}

const longest = 1000;

/** What went wrong, in one short line fit for a header or a log. */
export function reasonOf(error: unknown): string {
  return describe(error).replaceAll(/\s+/g, " ").slice(0, longest);
}

/** Errors of clients often say little themselves; what they gather or what caused them says more. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return "an unknown error";
  const { message, name, cause } = error;
  const inner = error instanceof AggregateError ? error.errors.at(-1) : cause;
  if (inner instanceof Error) return [message, describe(inner)].filter(Boolean).join(" ");
  const { code } = error as { code?: unknown };
  return message || (typeof code === "string" ? code : name);
}
