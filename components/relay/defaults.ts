import type { RelayOptions } from "./plan.ts";

/** Ten tries take about a minute, in which a database that was killed is back. */
export const defaults = { retries: 10 } as const satisfies RelayOptions;
