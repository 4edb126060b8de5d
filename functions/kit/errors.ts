/** An event that no retry can help: it becomes a dead letter (or HTTP 422) at once. The message must not quote the event's values. */
export class BadInput extends Error {
  override readonly name = "BadInput";
}

const longest = 1000;

/** What went wrong, in one short line fit for a header or a log. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return "an unknown error";
  // Node's errors of refused connections have a code, but no message.
  const code = (error as { code?: unknown }).code;
  return (error.message || (typeof code === "string" ? code : error.name)).replaceAll(/\s+/g, " ").slice(0, longest);
}
