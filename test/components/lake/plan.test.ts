import { describe, expect, it } from "vitest";
import type { Namespace } from "../../../components/core/namespace.ts";
import { defaults, existingDefaults } from "../../../components/lake/defaults.ts";
import { checkBucket, checkUser, planExistingLake, planLake } from "../../../components/lake/plan.ts";
import { problemsOf } from "../problems.ts";

const namespace = { componentName: "iot" } as Namespace;

describe("planLake", () => {
  it("fills in what is not said", () => {
    expect(planLake("lake", { namespace })).toEqual({
      disk: "10Gi",
      memory: "512Mi",
      heap: 384 * 2 ** 20,
      volumeSize: 92,
      volumes: 100,
    });
  });

  it.each(["1 GiB", "10 GiB", "500 GiB", "50 TiB"] as const)("has room for several buckets on %s", (storage) => {
    const { volumeSize, volumes } = planLake("lake", { namespace, storage });
    const bytes = Number.parseFloat(storage) * (storage.endsWith("TiB") ? 2 ** 40 : 2 ** 30);
    expect(volumes).toBeGreaterThanOrEqual(3 * 7);
    expect(volumeSize).toBeLessThanOrEqual(30_000);
    expect(volumes * volumeSize * 2 ** 20).toBeLessThanOrEqual(0.9 * bytes);
    expect(volumes * volumeSize * 2 ** 20).toBeGreaterThan(0.8 * bytes);
  });

  it("names every problem at once", () => {
    expect(problemsOf(() => planLake("-", { namespace, storage: "100 MiB", memory: "lots" as never }))).toEqual([
      'name: write up to 40 lower-case letters, digits and dashes, starting with a letter, got "-"',
      'storage: must be 1 GiB or more, got "100 MiB"',
      'memory: write a size such as "10 GiB", got "lots"',
    ]);
  });

  it("has the defaults that it documents", () => {
    expect({ ...defaults, ...existingDefaults }).toEqual({ storage: "10 GiB", memory: "512 MiB", region: "us-east-1" });
  });
});

describe("planExistingLake", () => {
  const keys = { accessKeyId: "a", secretAccessKey: "b" };

  it.each([
    ["https://s3.eu-central-1.amazonaws.com", "https://s3.eu-central-1.amazonaws.com", 443],
    ["https://minio.example.org:9000/", "https://minio.example.org:9000", 9000],
  ])("takes %s", (endpoint, origin, port) => {
    expect(planExistingLake("s3", { ...keys, endpoint })).toEqual({ endpoint: origin, region: "us-east-1", port });
  });

  it.each([
    "s3.example.org",
    "http://s3.example.org",
    "https://s3.example.org/bucket",
    "https://me@s3.example.org",
    "",
  ])("refuses the endpoint %j", (endpoint) => {
    expect(problemsOf(() => planExistingLake("s3", { ...keys, endpoint, region: "" }))).toEqual([
      `endpoint: write a URL such as "https://s3.eu-central-1.amazonaws.com", got ${JSON.stringify(endpoint)}`,
      'region: write a region such as "us-east-1"',
    ]);
  });
});

describe("names", () => {
  it.each(["measurements", "raw-2026", "abc"])("takes the bucket %s", (name) => {
    expect(problemsOf(() => checkBucket(name))).toEqual([]);
  });

  it.each(["ab", "Measurements", "a/b", "-ab", "ab-", "a".repeat(64), "a..b"])("refuses the bucket %s", (name) => {
    expect(problemsOf(() => checkBucket(name))).toEqual([
      `name: write 3 to 63 lower-case letters, digits and dashes, got ${JSON.stringify(name)}`,
    ]);
  });

  it("refuses a user that is too long", () => {
    expect(problemsOf(() => checkUser("lake", "u".repeat(64)))).toEqual([]);
    expect(problemsOf(() => checkUser("lake", "u".repeat(65)))).toHaveLength(1);
  });
});
