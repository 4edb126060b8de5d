/** The simulated devices' connections to the gateway. */
import mqtt, { type MqttClient } from "mqtt";
import type { Send } from "./simulation.ts";

export interface DeviceSettings {
  readonly mqtt: { readonly url: string; readonly ca: string };
  readonly http: { readonly url: string };
  readonly passwords: Readonly<Record<string, string>>;
}

/** `accepted`, or how the gateway refused. */
type Answer = string;

export class Fleet {
  readonly #settings: DeviceSettings;
  readonly #clients: ReadonlyMap<string, MqttClient>;
  /** HTTP devices send one reading after another, so that their order is theirs. */
  readonly #last = new Map<string, Promise<unknown>>();

  private constructor(settings: DeviceSettings, clients: ReadonlyMap<string, MqttClient>) {
    this.#settings = settings;
    this.#clients = clients;
  }

  /** Connects every device; the gateway must know them all. */
  static async connect(settings: DeviceSettings, devices: readonly string[]): Promise<Fleet> {
    const { url, ca } = settings.mqtt;
    const clients = await Promise.all(
      devices.map(async (device) => {
        const password = settings.passwords[device] as string;
        const clientId = `device-${device}`;
        const options = { ca, clientId, username: device, password, protocolVersion: 5 as const, reconnectPeriod: 500 };
        return [device, await mqtt.connectAsync(url, options)] as const;
      }),
    );
    return new Fleet(settings, new Map(clients));
  }

  /** Sends until the gateway has answered. */
  async send(send: Send): Promise<Answer> {
    if (send.via === "mqtt") return this.#publish(send);
    const turn = (this.#last.get(send.device) ?? Promise.resolve()).then(() => this.#post(send));
    this.#last.set(send.device, turn);
    return turn;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#clients.values()].map((client) => client.endAsync()));
  }

  async #publish({ device, payload, kind }: Send): Promise<Answer> {
    const client = this.#clients.get(device) as MqttClient;
    const topic = `devices/${kind === "other-device" ? this.#other(device) : device}/readings`;
    try {
      await client.publishAsync(topic, payload, { qos: 1 });
      return "accepted";
    } catch (error) {
      return (error as Error).message;
    }
  }

  async #post({ device, payload, contentType, kind }: Send): Promise<Answer> {
    const password = kind === "wrong-password" ? "wrong" : this.#settings.passwords[device];
    const headers = {
      "content-type": contentType,
      authorization: `Basic ${Buffer.from(`${device}:${password}`).toString("base64")}`,
    };
    for (;;) {
      const answer = await fetch(this.#settings.http.url, { method: "POST", headers, body: payload }).then(
        async (response) => {
          await response.arrayBuffer();
          return response.status;
        },
        () => 503,
      );
      if (answer < 300) return "accepted";
      if (answer < 500 && answer !== 429) return `HTTP ${answer}`;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }

  #other(device: string): string {
    return [...this.#clients.keys()].find((name) => name !== device) ?? "somebody";
  }
}
