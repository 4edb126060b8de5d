/** Columns that the server fills: in which order and when it stored the row. */
export const ownColumns = [
  ["stored", "bigint generated always as identity"],
  ["stored_at", "timestamptz not null default clock_timestamp()"],
] as const;
