import { setTimeout as sleep } from "node:timers/promises";
import mqtt, { type IClientOptions, type MqttClient } from "mqtt";
import type { GatewaySettings } from "../../../../functions/iot/fleet.ts";
import { readSettings } from "../../../../functions/kit/settings.ts";
import { type Attempts, addressOf, say } from "./attempt.ts";
import { csv, forged, intruder, victim } from "./readings.ts";

const { url, ca, passwords } = readSettings<GatewaySettings>("verify", "gateway");

async function as(options: IClientOptions, use: (client: MqttClient) => Promise<unknown> = async () => {}) {
  const client = await mqtt.connectAsync(url, { ca, protocolVersion: 5, reconnectPeriod: 0, ...options }, false);
  try {
    await use(client);
  } finally {
    await client.endAsync();
  }
}

const known = (device: string): IClientOptions => ({ username: device, password: passwords[device] ?? "" });

/** As a device of its own name. */
export const publish = (device: string, topic: string, payload: string) =>
  as(known(device), (client) => client.publishAsync(topic, payload, { qos: 1 }));

/** Has a device listen to everything; what it answers stops that and tells where something was heard. */
export async function listen(): Promise<() => Promise<string[]>> {
  const client = await mqtt.connectAsync(
    url,
    { ca, protocolVersion: 5, reconnectPeriod: 0, ...known(intruder) },
    false,
  );
  const heard: string[] = [];
  client.on("message", (topic) => heard.push(topic));
  await client.subscribeAsync(["#", "$SYS/#", "devices/+/readings"], { qos: 1 });
  return async () => {
    await client.endAsync();
    return heard;
  };
}

/** CONNECT of MQTT 3.1.1, of nobody. */
const hello = Buffer.from("100c00044d5154540402003c0000", "hex");

export const gatewayAttempts: Attempts = {
  "MQTT: an unknown device": () => as({ username: "device-000", password: passwords[intruder] ?? "" }),
  "MQTT: a wrong password": () => as({ username: intruder, password: "wrong" }),
  "MQTT: another device's password": () => as({ username: intruder, password: passwords[victim] ?? "" }),
  "MQTT: the relay's name with a device's password": () => as({ ...known(intruder), username: ".relay-1" }),
  "MQTT: takes over the session of a relay": () =>
    as({ ...known(intruder), clientId: ".relay-1", clean: false }, async (client) => {
      // The relay would take it back at once, and so end this connection.
      const lost = new Promise<void>((resolve) => client.once("close", () => resolve()));
      await Promise.race([lost, sleep(3_000).then(() => Promise.reject(new Error("has one of its own")))]);
    }),
  "MQTT: no name and no password": () => as({}),
  "MQTT: publishes under another device's name": () => publish(intruder, `devices/${victim}/readings`, csv(forged)),
  "MQTT: publishes below its own topic": () => publish(intruder, `devices/${intruder}/readings/more`, csv(forged)),
  "MQTT: leaves a will under another device's name": () =>
    as(
      {
        ...known(intruder),
        will: { topic: `devices/${victim}/readings`, payload: Buffer.from(csv(forged)), qos: 1, retain: false },
      },
      async (client) => void client.stream.destroy(),
    ),
  "MQTT: plain text": () => say(hello, addressOf(url)),
  "MQTT: over TLS, without a name": () => say(hello, addressOf(url), ca),
};
