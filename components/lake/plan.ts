import { Check, defined } from "../core/check.ts";
import { isName, writeName } from "../core/names.ts";
import { isSize, toBytes, toQuantity, writeSize } from "../core/units.ts";
import { defaults, existingDefaults } from "./defaults.ts";
import type { ExistingLakeArgs, LakeArgs } from "./lake.ts";

export interface LakePlan {
  readonly disk: string;
  readonly memory: string;
  /** Go's soft limit, in bytes: what is above it is for peaks. */
  readonly heap: number;
  /** SeaweedFS packs objects into volumes of this many MiB. */
  readonly volumeSize: number;
  readonly volumes: number;
}

const MiB = 2 ** 20;
const smallest = { storage: "1 GiB", memory: "384 MiB" } as const;

/** A bucket opens seven volumes at once, so even a small disk needs many; SeaweedFS takes at most 30 GB for one. */
const volume = { smallest: 32 * MiB, largest: 30_000 * MiB, wanted: 100 };

/** @throws KitError naming every problem */
export function planLake(name: string, args: LakeArgs): LakePlan {
  const want = { ...defaults, ...defined(args) };
  const check = new Check(`Lake "${name}"`);
  check.that(isName(name), "name", writeName(name));
  for (const setting of ["storage", "memory"] as const) {
    const value = want[setting];
    check.that(isSize(value), setting, writeSize(value));
    const enough = !isSize(value) || toBytes(value) >= toBytes(smallest[setting]);
    check.that(enough, setting, `must be ${smallest[setting]} or more, got ${JSON.stringify(value)}`);
  }
  check.done();
  // A tenth stays free: for names and attributes of objects, and for volumes that are being cleaned up.
  const space = toBytes(want.storage) * 0.9;
  const size = Math.min(Math.max(space / volume.wanted, volume.smallest), volume.largest);
  return {
    disk: toQuantity(want.storage),
    memory: toQuantity(want.memory),
    heap: Math.floor(toBytes(want.memory) * 0.75),
    volumeSize: Math.floor(size / MiB),
    volumes: Math.floor(space / (Math.floor(size / MiB) * MiB)),
  };
}

/** @throws KitError naming every problem */
export function planExistingLake(
  name: string,
  args: ExistingLakeArgs,
): { endpoint: string; region: string; port: number } {
  const { endpoint, region } = { ...existingDefaults, ...defined(args) };
  const check = new Check(`ExistingLake "${name}"`);
  check.that(isName(name), "name", writeName(name));
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  const isEndpoint = url?.protocol === "https:" && url.pathname === "/" && !url.search && !url.username;
  check.that(
    isEndpoint,
    "endpoint",
    `write a URL such as "https://s3.eu-central-1.amazonaws.com", got ${JSON.stringify(endpoint)}`,
  );
  check.that(region !== "", "region", `write a region such as "${existingDefaults.region}"`);
  check.done();
  return { endpoint: url?.origin ?? "", region, port: Number(url?.port || 443) };
}

/** @throws KitError naming every problem */
export function checkBucket(name: string): void {
  const check = new Check(`Bucket "${name}"`);
  const isBucket = /^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/.test(name);
  check.that(isBucket, "name", `write 3 to 63 lower-case letters, digits and dashes, got ${JSON.stringify(name)}`);
  check.done();
}

/** @throws KitError where the server would refuse the name */
export function checkUser(lake: string, user: string): void {
  const check = new Check(`Lake "${lake}"`);
  check.that(user.length <= 64, "consumer", `the user ${user} must have at most 64 characters`);
  check.done();
}
