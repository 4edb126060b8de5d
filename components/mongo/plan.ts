import { Check, defined } from "../core/check.ts";
import { isName, writeName } from "../core/names.ts";
import { isSize, toBytes, toQuantity, writeSize } from "../core/units.ts";
import { defaults, existingDefaults, tokens } from "./defaults.ts";
import type { ExistingMongoArgs, MongoArgs } from "./mongo.ts";

export interface MongoPlan {
  readonly members: number;
  readonly database: string;
  readonly disk: string;
  readonly memory: string;
  /** WiredTiger's cache, in GiB. */
  readonly cache: number;
}

const GiB = 2 ** 30;
const smallest = { storage: "1 GiB", memory: "512 MiB" } as const;
/** MongoDB takes no smaller one, and by itself it takes half of what is above 1 GiB. */
const smallestCache = 0.25;

const isDatabase = (value: string): boolean => /^[A-Za-z0-9_-]{1,63}$/.test(value) && !reserved.includes(value);
const reserved = ["admin", "config", "local"];
const writeDatabase = (got: string): string =>
  `write up to 63 letters, digits, dashes and underscores, and not ${reserved.join(", ")}, got ${JSON.stringify(got)}`;

/** @throws KitError naming every problem */
export function planMongo(name: string, args: MongoArgs): MongoPlan {
  const { namespace, ...rest } = args;
  const want = { ...defaults, database: namespace.componentName, ...defined(rest) };
  const check = new Check(`Mongo "${name}"`);
  check.that(isName(name), "name", writeName(name));
  check.that(
    [1, 3, 5, 7].includes(want.members),
    "members",
    `must be 1, 3, 5 or 7, so that a majority can be found, got ${want.members}`,
  );
  check.that(isDatabase(want.database), "database", writeDatabase(want.database));
  for (const setting of ["storage", "memory"] as const) {
    const value = want[setting];
    check.that(isSize(value), setting, writeSize(value));
    const enough = !isSize(value) || toBytes(value) >= toBytes(smallest[setting]);
    check.that(enough, setting, `must be ${smallest[setting]} or more, got ${JSON.stringify(value)}`);
  }
  check.done();
  const half = (toBytes(want.memory) / GiB - 1) / 2;
  return {
    members: want.members,
    database: want.database,
    disk: toQuantity(want.storage),
    memory: toQuantity(want.memory),
    cache: Math.max(smallestCache, Math.floor(half * 100) / 100),
  };
}

/** @throws KitError naming every problem */
export function planExistingMongo(name: string, args: ExistingMongoArgs) {
  const { hosts, database, replicaSet, authSource, account, admin } = { ...existingDefaults, ...defined(args) };
  const check = new Check(`ExistingMongo "${name}"`);
  check.that(isName(name), "name", writeName(name));
  check.that(hosts.length > 0, "hosts", "name at least one member");
  for (const host of hosts) {
    const isHost = /^[A-Za-z0-9.-]+:\d{1,5}$/.test(host);
    check.that(isHost, "hosts", `write host and port such as "mongo-0.example.org:27017", got ${JSON.stringify(host)}`);
  }
  check.that(replicaSet !== "", "replicaSet", "write the name of the replica set, as rs.status() shows it");
  check.that(isDatabase(database), "database", writeDatabase(database));
  check.that(
    (account === undefined) !== (admin === undefined),
    "account, admin",
    "give either an account that all consumers share, or an administrator who makes one for each",
  );
  check.done();
  const { username, password } = (account ?? admin) as NonNullable<typeof account>;
  const ports = [...new Set(hosts.map((host) => Number(host.split(":")[1])))];
  return { authSource, credentials: { username, password }, ports };
}

/** @throws KitError if MongoDB does not allow the name */
export function checkCollection(name: string): void {
  const check = new Check(`Collection "${name}"`);
  const isCollection = /^[A-Za-z_][A-Za-z0-9_.-]{0,119}$/.test(name) && !name.startsWith("system.") && name !== tokens;
  check.that(
    isCollection,
    "name",
    `write up to 120 letters, digits, dots, dashes and underscores, and neither system.… nor ${tokens}, got ${JSON.stringify(name)}`,
  );
  check.done();
}
