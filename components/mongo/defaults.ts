import type { ExistingMongoArgs, MongoArgs } from "./mongo.ts";

export const defaults = { members: 1, storage: "10 GiB", memory: "512 MiB" } as const satisfies Partial<MongoArgs>;
export const existingDefaults = { authSource: "admin" } as const satisfies Partial<ExistingMongoArgs>;

export const port = 27017;
/** Of the user `mongodb` in the official image. */
export const user = 999;
export const replicaSet = "rs0";
/** The server's own administrator, for set-up jobs. */
export const administrator = "fivefold";
/** The collection in which relays keep how far they have come. */
export const tokens = "_relay_tokens";
