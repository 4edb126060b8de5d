import { describe, expect, it } from "vitest";
import type { Namespace } from "../../../components/core/namespace.ts";
import { defaults, existingDefaults } from "../../../components/mongo/defaults.ts";
import type { ExistingMongoArgs } from "../../../components/mongo/mongo.ts";
import { checkCollection, planExistingMongo, planMongo } from "../../../components/mongo/plan.ts";
import { problemsOf } from "../problems.ts";

const namespace = { componentName: "iot" } as Namespace;

describe("planMongo", () => {
  it("fills in what is not said", () => {
    expect(planMongo("store", { namespace })).toEqual({
      members: 1,
      database: "iot",
      disk: "10Gi",
      memory: "512Mi",
      cache: 0.25,
    });
  });

  it.each([
    ["512 MiB", 0.25],
    ["1.5 GiB", 0.25],
    ["2 GiB", 0.5],
    ["8 GiB", 3.5],
  ] as const)("gives of %s a cache of %d GiB", (memory, cache) => {
    expect(planMongo("store", { namespace, memory }).cache).toBe(cache);
  });

  it.each([0, 2, 4, 9, 1.5, Number.NaN])("refuses %d members", (members) => {
    expect(problemsOf(() => planMongo("store", { namespace, members }))).toEqual([
      `members: must be 1, 3, 5 or 7, so that a majority can be found, got ${members}`,
    ]);
  });

  it("names every problem at once", () => {
    const args = { namespace, members: 2, database: "admin", storage: "1GB" as never, memory: "100 MiB" as const };
    expect(problemsOf(() => planMongo("", args))).toEqual([
      'name: write up to 40 lower-case letters, digits and dashes, starting with a letter, got ""',
      "members: must be 1, 3, 5 or 7, so that a majority can be found, got 2",
      'database: write up to 63 letters, digits, dashes and underscores, and not admin, config, local, got "admin"',
      'storage: write a size such as "10 GiB", got "1GB"',
      'memory: must be 512 MiB or more, got "100 MiB"',
    ]);
  });

  it("has the defaults that it documents", () => {
    expect(defaults).toEqual({ members: 1, storage: "10 GiB", memory: "512 MiB" });
    expect(existingDefaults).toEqual({ authSource: "admin" });
  });
});

describe("planExistingMongo", () => {
  const account = { username: "u", password: "p" };
  const args: ExistingMongoArgs = { hosts: ["a.example.org:27017"], replicaSet: "rs", database: "iot", account };

  it("collects the ports", () => {
    const hosts = ["a.example.org:27017", "b.example.org:27017", "c.example.org:27018"];
    expect(planExistingMongo("atlas", { ...args, hosts })).toEqual({
      authSource: "admin",
      credentials: account,
      ports: [27017, 27018],
    });
  });

  it("names every problem at once", () => {
    const wrong = {
      ...args,
      hosts: ["mongodb://a", "b"],
      replicaSet: "",
      database: "a.b",
      admin: { ...account, namespace },
    };
    expect(problemsOf(() => planExistingMongo("atlas", wrong))).toEqual([
      'hosts: write host and port such as "mongo-0.example.org:27017", got "mongodb://a"',
      'hosts: write host and port such as "mongo-0.example.org:27017", got "b"',
      "replicaSet: write the name of the replica set, as rs.status() shows it",
      'database: write up to 63 letters, digits, dashes and underscores, and not admin, config, local, got "a.b"',
      "account, admin: give either an account that all consumers share, or an administrator who makes one for each",
    ]);
  });

  it("wants a member", () => {
    expect(problemsOf(() => planExistingMongo("atlas", { ...args, hosts: [] }))).toEqual([
      "hosts: name at least one member",
    ]);
  });
});

describe("checkCollection", () => {
  it.each(["readings", "readings.hourly", "_x"])("takes %s", (name) => {
    expect(problemsOf(() => checkCollection(name))).toEqual([]);
  });

  it.each(["", "a$b", "system.users", "_relay_tokens", "1a", "a b"])("refuses %j", (name) => {
    expect(problemsOf(() => checkCollection(name))).toHaveLength(1);
  });
});
