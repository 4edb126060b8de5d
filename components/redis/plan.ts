import { Check, defined } from "../core/check.ts";
import { isName, writeName } from "../core/names.ts";
import {
  type Duration,
  isDuration,
  isSize,
  toBytes,
  toMilliseconds,
  toQuantity,
  writeDuration,
  writeSize,
} from "../core/units.ts";
import { defaults, existingDefaults, mapDefaults } from "./defaults.ts";
import type { ExistingRedisArgs, MapArgs, RedisArgs } from "./redis.ts";

export interface RedisPlan {
  readonly replicas: number;
  readonly disk: string;
  readonly memory: string;
  /** What data may take, in bytes; the rest is for connections, replicas and rewriting the log. */
  readonly data: number;
}

export interface MapPlan {
  readonly name: string;
  readonly keepMilliseconds: number;
  readonly retentionMilliseconds: number;
}

const smallest = { storage: "1 GiB", memory: "128 MiB" } as const;
const mostReplicas = 5;
const shareOfData = 0.6;

/** @throws KitError naming every problem */
export function planRedis(name: string, args: RedisArgs): RedisPlan {
  const want = { ...defaults, ...defined(args) };
  const check = new Check(`Redis "${name}"`);
  check.that(isName(name), "name", writeName(name));
  check.that(
    Number.isInteger(want.replicas) && want.replicas >= 0 && want.replicas <= mostReplicas,
    "replicas",
    `must be a whole number from 0 to ${mostReplicas}, got ${want.replicas}`,
  );
  for (const setting of ["storage", "memory"] as const) {
    const value = want[setting];
    check.that(isSize(value), setting, writeSize(value));
    const enough = !isSize(value) || toBytes(value) >= toBytes(smallest[setting]);
    check.that(enough, setting, `must be ${smallest[setting]} or more, got ${JSON.stringify(value)}`);
  }
  check.done();
  return {
    replicas: want.replicas,
    disk: toQuantity(want.storage),
    memory: toQuantity(want.memory),
    data: Math.floor(toBytes(want.memory) * shareOfData),
  };
}

/** @throws KitError naming every problem */
export function planExistingRedis(name: string, args: ExistingRedisArgs) {
  const { port, account, admin } = { ...existingDefaults, ...defined(args) };
  const check = new Check(`ExistingRedis "${name}"`);
  check.that(isName(name), "name", writeName(name));
  check.that(Number.isInteger(port) && port > 0 && port < 65_536, "port", `must be from 1 to 65535, got ${port}`);
  check.that(
    (account === undefined) !== (admin === undefined),
    "account, admin",
    "give either an account that all consumers share, or an administrator who makes one for each",
  );
  check.done();
  const { username, password } = (account ?? admin) as NonNullable<typeof account>;
  return { port, credentials: { username, password } };
}

/** @throws KitError naming every problem */
export function planMap(name: string, args: MapArgs): MapPlan {
  const want = { ...mapDefaults, ...defined(args) };
  const check = new Check(`Map "${name}"`);
  check.that(isName(name), "name", writeName(name));
  const spans: Record<string, Duration> = { keep: want.keep, retention: want.retention };
  for (const [setting, value] of Object.entries(spans)) check.that(isDuration(value), setting, writeDuration(value));
  check.done();
  return {
    name,
    keepMilliseconds: toMilliseconds(want.keep),
    retentionMilliseconds: toMilliseconds(want.retention),
  };
}
