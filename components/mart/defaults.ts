import type { MartArgs } from "./mart.ts";

export const defaults = { storage: "10 GiB", memory: "256 MiB" } as const satisfies Partial<MartArgs>;

export const port = 5432;
/** Of the user `postgres` in the official image. */
export const user = 999;
/** The server's own administrator, for set-up jobs. */
export const administrator = "fivefold";
