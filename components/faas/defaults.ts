import type { FunctionOptions } from "./plan.ts";

export const defaults = { replicas: 1 } as const satisfies FunctionOptions;
