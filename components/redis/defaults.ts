import type { ExistingRedisArgs, MapArgs, RedisArgs } from "./redis.ts";

export const defaults = { replicas: 0, storage: "5 GiB", memory: "256 MiB" } as const satisfies Partial<RedisArgs>;
export const existingDefaults = { port: 6379 } as const satisfies Partial<ExistingRedisArgs>;
export const mapDefaults = { keep: "30 days", retention: "7 days" } as const satisfies MapArgs;

export const port = 6379;
/** Of the user `valkey` in the official image. */
export const user = 999;
/** The server's own administrator, for set-up jobs and replicas. */
export const administrator = "fivefold";
