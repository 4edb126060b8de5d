import { describe, expect, it } from "vitest";
import { deadLetters, defaults, existingDefaults, topicDefaults } from "../../../components/kafka/defaults.ts";
import { planExistingKafka, planKafka, planTopic, type TopicHost } from "../../../components/kafka/plan.ts";
import { documentedDefaults } from "../documented.ts";
import { problemsOf } from "../problems.ts";

const plan = (settings: object) => planKafka("bus", "iot", settings);

describe("planKafka", () => {
  it("fills in what is not said", () => {
    expect(plan({ tunnelPort: 21_000 })).toEqual({
      brokers: 1,
      controllers: 1,
      disk: "10Gi",
      memory: "1Gi",
      heapMebibytes: 512,
      retention: "7 days",
      tunnelPort: 21_000,
      replication: { factor: 1, minInSync: 1 },
    });
  });

  it("has the defaults that it documents", () => {
    const { retention, ...others } = defaults;
    expect(documentedDefaults("components/kafka/plan.ts")).toEqual({ ...others, ...topicDefaults, retention });
    expect(documentedDefaults("components/kafka/existing.ts")).toEqual({ retention, ...existingDefaults });
  });

  it.each([
    { brokers: 1, controllers: 1, factor: 1, minInSync: 1 },
    { brokers: 2, controllers: 1, factor: 2, minInSync: 1 },
    { brokers: 3, controllers: 3, factor: 3, minInSync: 2 },
    { brokers: 7, controllers: 3, factor: 3, minInSync: 2 },
  ])("keeps copies of records on $brokers brokers", ({ brokers, controllers, factor, minInSync }) => {
    expect(plan({ brokers })).toMatchObject({ brokers, controllers, replication: { factor, minInSync } });
  });

  it("lets no undefined erase a default", () => {
    expect(plan({ brokers: undefined, storage: undefined })).toMatchObject({ brokers: 1, disk: "10Gi" });
  });

  it("gives half of the memory to the heap", () => {
    expect(plan({ memory: "3 GiB" })).toMatchObject({ memory: "3Gi", heapMebibytes: 1536 });
    expect(plan({ memory: "513 MiB" }).heapMebibytes).toBe(256);
  });

  it("derives ports that stay the same and are seldom another's", () => {
    const ports = ["iot", "payments", "ml", "iot-test"].flatMap((stack) =>
      ["bus", "audit"].map((name) => planKafka(name, stack, {}).tunnelPort),
    );
    expect(new Set(ports).size).toBe(ports.length);
    for (const port of ports) {
      expect(port).toBeGreaterThanOrEqual(20_000);
      expect(port).toBeLessThan(32_000);
      expect(port % 10).toBe(0);
    }
    expect(planKafka("bus", "iot", {}).tunnelPort).toBe(planKafka("bus", "iot", { brokers: 3 }).tunnelPort);
  });

  it.each([
    [{ brokers: 0 }, "brokers: must be a whole number from 1 to 100, got 0"],
    [{ brokers: 1.5 }, "brokers: must be a whole number from 1 to 100, got 1.5"],
    [{ brokers: Number.NaN }, "brokers: must be a whole number from 1 to 100, got NaN"],
    [{ brokers: 101 }, "brokers: must be a whole number from 1 to 100, got 101"],
    [{ storage: "50gb" }, 'storage: write a size such as "10 GiB", got "50gb"'],
    [{ storage: "0 GiB" }, 'storage: write a size such as "10 GiB", got "0 GiB"'],
    [{ memory: "a lot" }, 'memory: write a size such as "10 GiB", got "a lot"'],
    [{ memory: "256 MiB" }, 'memory: a broker needs "512 MiB" or more, got "256 MiB"'],
    [{ retention: "forever" }, 'retention: write a duration such as "7 days", got "forever"'],
    [{ tunnelPort: 80 }, "tunnelPort: must be a whole number from 1024 to 65436, got 80"],
    [{ tunnelPort: 65_500 }, "tunnelPort: must be a whole number from 1024 to 65436, got 65500"],
  ])("refuses %j", (settings, problem) => {
    expect(problemsOf(() => plan(settings))).toEqual([problem]);
  });

  it("names every problem at once", () => {
    const settings = { brokers: 0, storage: "50gb", memory: "1 MiB" } as object;
    expect(problemsOf(() => planKafka("Bus", "iot", settings))).toEqual([
      'name: write up to 40 lower-case letters, digits and dashes, starting with a letter, got "Bus"',
      "brokers: must be a whole number from 1 to 100, got 0",
      'storage: write a size such as "10 GiB", got "50gb"',
      'memory: a broker needs "512 MiB" or more, got "1 MiB"',
    ]);
    expect(() => planKafka("Bus", "iot", settings)).toThrow(/^Kafka "Bus"\n {2}- name/);
  });
});

describe("planTopic", () => {
  const host: TopicHost = {
    retention: "7 days",
    replication: { factor: 3, minInSync: 2 },
    taken: new Set(["raw"]),
  };

  it("fills in what is not said", () => {
    expect(planTopic("bus", "alerts", {}, host)).toEqual({
      name: "alerts",
      partitions: topicDefaults.partitions,
      replicationFactor: 3,
      config: { "retention.ms": "604800000", "min.insync.replicas": "2" },
    });
  });

  it("takes what is said", () => {
    const planned = planTopic("bus", "Raw_2.b-c", { partitions: 12, retention: "3 hours" }, host);
    expect(planned).toMatchObject({ name: "Raw_2.b-c", partitions: 12, config: { "retention.ms": "10800000" } });
  });

  it.each([
    ["", {}, 'name: write up to 236 letters, digits, dots, dashes and underscores, got ""'],
    ["__offsets", {}, 'name: write up to 236 letters, digits, dots, dashes and underscores, got "__offsets"'],
    ["a b", {}, 'name: write up to 236 letters, digits, dots, dashes and underscores, got "a b"'],
    ["raw", {}, "name: there is a topic of this name already"],
    ["a", { partitions: 0 }, "partitions: must be a whole number from 1 to 10000, got 0"],
    ["a", { partitions: 2.5 }, "partitions: must be a whole number from 1 to 10000, got 2.5"],
    ["a", { retention: "7d" }, 'retention: write a duration such as "7 days", got "7d"'],
  ])("refuses %j with %j", (name, settings, problem) => {
    expect(problemsOf(() => planTopic("bus", name, settings as object, host))).toEqual([problem]);
  });

  it("names every problem at once", () => {
    const settings = { partitions: -1, retention: "soon" } as object;
    expect(problemsOf(() => planTopic("bus", "raw", settings, host))).toHaveLength(3);
    expect(() => planTopic("bus", "raw", settings, host)).toThrow(/^Topic "raw" of Kafka "bus"\n/);
  });

  it("leaves room for the suffix of dead letters", () => {
    const longest = "x".repeat(249 - deadLetters.suffix.length);
    expect(problemsOf(() => planTopic("bus", longest, {}, host))).toEqual([]);
    expect(problemsOf(() => planTopic("bus", `${longest}x`, {}, host))).toHaveLength(1);
  });
});

describe("planExistingKafka", () => {
  const account = { username: "u", password: "p" };

  it("fills in what is not said", () => {
    expect(planExistingKafka("msk", { bootstrap: ["a:9096", "b:9096", "c:9097"], account })).toEqual({
      ports: [9096, 9097],
      retention: "7 days",
      replication: { factor: 3, minInSync: 2 },
    });
  });

  it("names every problem at once", () => {
    const args = { bootstrap: ["a", "b:0", "https://c:9092", "d:9092"], replication: 0, retention: "x" } as never;
    expect(problemsOf(() => planExistingKafka("msk", args))).toEqual([
      'bootstrap: write "host:port", got "a"',
      'bootstrap: write "host:port", got "b:0"',
      'bootstrap: write "host:port", got "https://c:9092"',
      "admin, account: give an administrator who makes topics and users, an account that all consumers share, or both",
      "replication: must be a whole number from 1, got 0",
      'retention: write a duration such as "7 days", got "x"',
    ]);
    expect(problemsOf(() => planExistingKafka("msk", { bootstrap: [], account }))).toEqual([
      "bootstrap: name at least one broker",
    ]);
  });
});
