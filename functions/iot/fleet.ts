/** The simulated devices' connections to the gateway. */
import mqtt, { type MqttClient } from "mqtt";
import { type Http, httpClient } from "../kit/http.ts";
import type { Send } from "./simulation.ts";

export interface GatewaySettings {
  readonly url: string;
  readonly ca: string;
  /** By device. */
  readonly passwords: Readonly<Record<string, string>>;
}

const timeoutMilliseconds = 30_000;

/** `accepted`, or how the gateway refused. */
type Answer = string;

export class Fleet {
  readonly #passwords: GatewaySettings["passwords"];
  readonly #httpUrl: URL;
  readonly #http: Http = httpClient();
  readonly #clients: ReadonlyMap<string, MqttClient>;
  /** HTTP devices send one reading after another, so that their order is theirs. */
  readonly #last = new Map<string, Promise<unknown>>();

  private constructor(
    passwords: GatewaySettings["passwords"],
    httpUrl: string,
    clients: ReadonlyMap<string, MqttClient>,
  ) {
    this.#passwords = passwords;
    this.#httpUrl = new URL(httpUrl);
    this.#clients = clients;
  }

  /** Connects every device; the gateway must know them all. */
  static async connect({ url, ca, passwords }: GatewaySettings, httpUrl: string): Promise<Fleet> {
    const clients = await Promise.all(
      Object.entries(passwords).map(async ([device, password]) => {
        const clientId = `device-${device}`;
        const options = { ca, clientId, username: device, password, protocolVersion: 5 as const, reconnectPeriod: 500 };
        return [device, await mqtt.connectAsync(url, options)] as const;
      }),
    );
    return new Fleet(passwords, httpUrl, new Map(clients));
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
    this.#http.close();
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
    const password = kind === "wrong-password" ? "wrong" : this.#passwords[device];
    const headers = {
      "content-type": contentType,
      authorization: `Basic ${Buffer.from(`${device}:${password}`).toString("base64")}`,
    };
    for (;;) {
      const status = await this.#http
        .exchange({ method: "POST", url: this.#httpUrl, headers, body: payload, timeoutMilliseconds })
        .then((answer) => answer.status)
        .catch(() => 503);
      if (status < 300) return "accepted";
      if (status < 500 && status !== 429) return `HTTP ${status}`;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }

  #other(device: string): string {
    return [...this.#clients.keys()].find((name) => name !== device) ?? "somebody";
  }
}
