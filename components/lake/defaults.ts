import type { ExistingLakeArgs, LakeArgs } from "./lake.ts";

export const defaults = { storage: "10 GiB", memory: "512 MiB" } as const satisfies Partial<LakeArgs>;
export const existingDefaults = { region: "us-east-1" } as const satisfies Partial<ExistingLakeArgs>;

export const port = 8333;
/** SeaweedFS needs no user of its own in the image. */
export const user = 1000;
