import { Check, defined } from "../core/check.ts";
import { isName, writeName } from "../core/names.ts";
import { isSize, type Size, toBytes, toQuantity, writeSize } from "../core/units.ts";
import { defaults, mostDevices, topics } from "./defaults.ts";

export interface MqttGatewaySettings {
  /** Names of the devices: lower-case letters, digits and dashes. */
  readonly devices: readonly string[];
  /**
   * Disk for what is accepted and not yet read.
   *
   * @default "1 GiB"
   */
  readonly storage?: Size;
  /**
   * Memory of the gateway. A quarter of it may fill with readings while nobody reads them; what comes then is dropped.
   *
   * @default "512 MiB"
   */
  readonly memory?: Size;
  /**
   * From where devices reach the gateway: from inside the cluster, or from outside through a load balancer.
   *
   * @default "cluster"
   */
  readonly exposure?: "cluster" | "load-balancer";
  /**
   * Further names or wildcards under which devices reach the gateway, for its certificate.
   *
   * @default - none
   */
  readonly hosts?: readonly string[];
}

export interface MqttGatewayPlan {
  readonly devices: readonly string[];
  readonly disk: string;
  readonly memory: string;
  /** Bytes of readings that wait for one reader. */
  readonly queue: number;
  readonly serviceType: "ClusterIP" | "LoadBalancer";
  readonly hosts: readonly string[];
}

const device = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const host = /^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const smallestMemory = 64 * 2 ** 20;

/** @throws KitError naming every mistake in the settings */
export function planMqttGateway(name: string, settings: MqttGatewaySettings): MqttGatewayPlan {
  const want = { ...defaults, hosts: [], ...defined(settings) };
  const check = new Check(`MqttGateway ${JSON.stringify(name)}`);
  check.that(isName(name), "name", writeName(name));
  check.that(
    want.devices.length >= 1 && want.devices.length <= mostDevices,
    "devices",
    `name 1 to ${mostDevices} devices, got ${want.devices.length}`,
  );
  const times = new Map<string, number>();
  for (const each of want.devices) times.set(each, (times.get(each) ?? 0) + 1);
  for (const [each, count] of times) {
    check.that(
      device.test(each),
      "devices",
      `write up to 63 lower-case letters, digits and dashes, got ${JSON.stringify(each)}`,
    );
    check.that(count === 1, "devices", `${JSON.stringify(each)} is named ${count} times`);
  }
  check.that(isSize(want.storage), "storage", writeSize(want.storage));
  check.that(isSize(want.memory), "memory", writeSize(want.memory));
  check.that(
    !isSize(want.memory) || toBytes(want.memory) >= smallestMemory,
    "memory",
    `a gateway needs "64 MiB" or more, got ${JSON.stringify(want.memory)}`,
  );
  check.that(
    want.exposure === "cluster" || want.exposure === "load-balancer",
    "exposure",
    `write "cluster" or "load-balancer", got ${JSON.stringify(want.exposure)}`,
  );
  for (const each of want.hosts)
    check.that(host.test(each), "hosts", `write a host name such as "mqtt.example.org", got ${JSON.stringify(each)}`);
  check.done();
  return {
    devices: want.devices,
    disk: toQuantity(want.storage),
    memory: toQuantity(want.memory),
    queue: Math.floor(toBytes(want.memory) / 4),
    serviceType: want.exposure === "cluster" ? "ClusterIP" : "LoadBalancer",
    hosts: want.hosts,
  };
}

/** @throws KitError if devices publish nothing that the filter matches */
export function checkFilter(gateway: string, filter: string, devices: readonly string[]): void {
  const [, which] = /^devices\/([^/#]+)\/readings$/.exec(filter) ?? [];
  const check = new Check(`Topic ${JSON.stringify(filter)} of MqttGateway ${JSON.stringify(gateway)}`);
  check.that(
    which !== undefined && (which === "+" || devices.includes(which)),
    "filter",
    `devices publish to "devices/<device>/readings": write "${topics.filter}", or the name of one device in place of the +`,
  );
  check.done();
}
