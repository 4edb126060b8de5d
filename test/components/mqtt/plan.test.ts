import { describe, expect, it } from "vitest";
import { defaults, mostDevices } from "../../../components/mqtt/defaults.ts";
import { checkFilter, planMqttGateway } from "../../../components/mqtt/plan.ts";
import { documentedDefaults } from "../documented.ts";
import { problemsOf } from "../problems.ts";

const devices = ["d1", "d2"];

describe("planMqttGateway", () => {
  it("fills in what is not said", () => {
    expect(planMqttGateway("gateway", { devices })).toEqual({
      devices,
      disk: "1Gi",
      memory: "512Mi",
      queue: 128 * 2 ** 20,
      serviceType: "ClusterIP",
      hosts: [],
    });
  });

  it("has the defaults that it documents", () => {
    expect(documentedDefaults("components/mqtt/plan.ts")).toEqual(defaults);
  });

  it("takes what is said", () => {
    const hosts = ["mqtt.example.org", "*.devices.example.org"];
    const settings = { devices, storage: "20 GiB", memory: "2 GiB", exposure: "load-balancer", hosts } as const;
    expect(planMqttGateway("gateway", settings)).toEqual({
      devices,
      disk: "20Gi",
      memory: "2Gi",
      queue: 512 * 2 ** 20,
      serviceType: "LoadBalancer",
      hosts,
    });
  });

  it.each([
    [{ devices: [] }, `devices: name 1 to ${mostDevices} devices, got 0`],
    [{ devices: ["a", "b", "a"] }, 'devices: "a" is named 2 times'],
    [{ devices: ["Sensor"] }, 'devices: write up to 63 lower-case letters, digits and dashes, got "Sensor"'],
    [{ devices: ["a/b"] }, 'devices: write up to 63 lower-case letters, digits and dashes, got "a/b"'],
    [{ devices: ["+"] }, 'devices: write up to 63 lower-case letters, digits and dashes, got "+"'],
    [{ devices: [".relay"] }, 'devices: write up to 63 lower-case letters, digits and dashes, got ".relay"'],
    [{ devices: ["a:b"] }, 'devices: write up to 63 lower-case letters, digits and dashes, got "a:b"'],
    [{ devices: ["a\nb"] }, 'devices: write up to 63 lower-case letters, digits and dashes, got "a\\nb"'],
    [{ devices: [""] }, 'devices: write up to 63 lower-case letters, digits and dashes, got ""'],
    [{ storage: "50gb" }, 'storage: write a size such as "10 GiB", got "50gb"'],
    [{ memory: "1 KiB" }, 'memory: a gateway needs "64 MiB" or more, got "1 KiB"'],
    [{ exposure: "internet" }, 'exposure: write "cluster" or "load-balancer", got "internet"'],
    [{ hosts: ["https://a.b"] }, 'hosts: write a host name such as "mqtt.example.org", got "https://a.b"'],
  ])("refuses %j", (settings, problem) => {
    expect(problemsOf(() => planMqttGateway("gateway", { devices, ...settings } as never))).toEqual([problem]);
  });

  it("names every problem at once", () => {
    const settings = { devices: ["a", "a", "B"], memory: "much", exposure: "x" } as never;
    expect(problemsOf(() => planMqttGateway("2nd", settings))).toEqual([
      'name: write up to 40 lower-case letters, digits and dashes, starting with a letter, got "2nd"',
      'devices: "a" is named 2 times',
      'devices: write up to 63 lower-case letters, digits and dashes, got "B"',
      'memory: write a size such as "10 GiB", got "much"',
      'exposure: write "cluster" or "load-balancer", got "x"',
    ]);
  });

  it("takes as many devices as fit", () => {
    const many = Array.from({ length: mostDevices }, (_, index) => `device-${index}`);
    expect(planMqttGateway("gateway", { devices: many }).devices).toHaveLength(mostDevices);
    expect(problemsOf(() => planMqttGateway("gateway", { devices: [...many, "one-more"] }))).toHaveLength(1);
  });
});

describe("checkFilter", () => {
  it.each(["devices/+/readings", "devices/d1/readings"])("takes %j", (filter) => {
    expect(problemsOf(() => checkFilter("gateway", filter, devices))).toEqual([]);
  });

  it.each(["#", "devices/#", "devices/+/state", "devices/d9/readings", "devices/d1+/readings", ""])(
    "refuses %j",
    (filter) => {
      expect(problemsOf(() => checkFilter("gateway", filter, devices))).toEqual([
        'filter: devices publish to "devices/<device>/readings": write "devices/+/readings", or the name of one device in place of the +',
      ]);
    },
  );
});
