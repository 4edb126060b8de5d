import { describe, expect, it } from "vitest";
import type { Namespace } from "../../../components/core/namespace.ts";
import { configuration, firstUsers } from "../../../components/redis/configuration.ts";
import { defaults, existingDefaults, mapDefaults } from "../../../components/redis/defaults.ts";
import { planExistingRedis, planMap, planRedis } from "../../../components/redis/plan.ts";
import { documentedDefaults } from "../documented.ts";
import { problemsOf } from "../problems.ts";

const namespace = { componentName: "payments" } as Namespace;

it("has the defaults that it documents", () => {
  expect(documentedDefaults("components/redis/redis.ts")).toEqual({ ...defaults, ...mapDefaults, ...existingDefaults });
});

describe("planRedis", () => {
  it("fills in what is not said", () => {
    expect(planRedis("grid", { namespace })).toEqual({
      replicas: 0,
      disk: "5Gi",
      memory: "256Mi",
      data: Math.floor(256 * 2 ** 20 * 0.6),
    });
  });

  it.each([-1, 6, 1.5, Number.NaN])("refuses %d replicas", (replicas) => {
    expect(problemsOf(() => planRedis("grid", { namespace, replicas }))).toEqual([
      `replicas: must be a whole number from 0 to 5, got ${replicas}`,
    ]);
  });

  it("names every problem at once", () => {
    const args = { namespace, replicas: -1, storage: "1GB" as never, memory: "64 MiB" as const };
    expect(problemsOf(() => planRedis("Grid", args))).toEqual([
      'name: write up to 40 lower-case letters, digits and dashes, starting with a letter, got "Grid"',
      "replicas: must be a whole number from 0 to 5, got -1",
      'storage: write a size such as "10 GiB", got "1GB"',
      'memory: must be 128 MiB or more, got "64 MiB"',
    ]);
  });
});

describe("planExistingRedis", () => {
  const account = { username: "u", password: "p" };

  it("takes an account, or an administrator", () => {
    expect(planExistingRedis("cloud", { host: "h", account })).toEqual({ port: 6379, credentials: account });
    const admin = { ...account, namespace };
    expect(planExistingRedis("cloud", { host: "h", port: 6380, admin })).toEqual({ port: 6380, credentials: account });
  });

  it.each([
    ["neither", {}],
    ["both", { account, admin: { ...account, namespace } }],
  ])("refuses %s", (_, args) => {
    expect(problemsOf(() => planExistingRedis("cloud", { host: "h", ...args }))).toEqual([
      "account, admin: give either an account that all consumers share, or an administrator who makes one for each",
    ]);
  });

  it("refuses what is no port", () => {
    expect(problemsOf(() => planExistingRedis("cloud", { host: "h", port: 70_000, account }))).toEqual([
      "port: must be from 1 to 65535, got 70000",
    ]);
  });
});

describe("planMap", () => {
  it("turns durations into milliseconds", () => {
    expect(planMap("payments", { keep: "1 day", retention: "2 hours" })).toEqual({
      name: "payments",
      keepMilliseconds: 86_400_000,
      retentionMilliseconds: 7_200_000,
    });
  });

  it("names every problem at once", () => {
    expect(problemsOf(() => planMap("a:b", { keep: "soon" as never, retention: "0 days" }))).toEqual([
      'name: write up to 40 lower-case letters, digits and dashes, starting with a letter, got "a:b"',
      'keep: write a duration such as "7 days", got "soon"',
      'retention: write a duration such as "7 days", got "0 days"',
    ]);
  });
});

describe("the configuration", () => {
  const plan = { replicas: 0, disk: "5Gi", memory: "256Mi", data: 1000 };
  const lines = (replicas: number) => configuration({ ...plan, replicas }, "s3cret").split("\n");

  it("acknowledges nothing before it is on disk, and evicts nothing", () => {
    expect(lines(0)).toEqual(
      expect.arrayContaining(["appendonly yes", "appendfsync always", "maxmemory 1000", "maxmemory-policy noeviction"]),
    );
  });

  it("listens with TLS only", () => {
    expect(lines(0)).toEqual(expect.arrayContaining(["port 0", "tls-port 6379", "tls-replication yes"]));
  });

  it("wants a copy of every write where there are replicas", () => {
    expect(lines(0).filter((line) => line.startsWith("min-replicas"))).toEqual([]);
    expect(lines(2)).toContain("min-replicas-to-write 1");
  });

  it("lets nobody in but the administrator, whose password it does not show", () => {
    expect(firstUsers("s3cret")).toMatch(/^user default off\nuser fivefold on #[0-9a-f]{64} ~\* &\* \+@all\n$/);
  });
});
