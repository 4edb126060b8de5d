import type { RelayOptions } from "./plan.ts";

/** Ten tries take about a minute. */
export const defaults = { retries: 10 } as const satisfies RelayOptions;
