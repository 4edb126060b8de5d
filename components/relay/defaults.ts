import type { RelayOptions } from "./plan.ts";

export const defaults = { retries: 5 } as const satisfies RelayOptions;
