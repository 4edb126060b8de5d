/**
 * The source "mqtt": what devices publish, acknowledged only once it is done.
 *
 * A persistent session with QoS 1 and a fixed client id: the broker keeps what is not acknowledged, and sends it again
 * after a lost connection. How much may be unacknowledged is the MQTT 5 property receive maximum, so the broker itself
 * holds back the rest, and pings still get through.
 */
import { isIP } from "node:net";
import { connect } from "node:tls";
import type { IClientOptions, IPublishPacket, MqttClient } from "mqtt";
// The package's entry loads web sockets and proxies too.
import mqtt from "mqtt/lib/client";
import { type Log, messageOf, type Sink, type Source } from "../event.ts";
import type { Metrics } from "../metrics.ts";
import type { SourceSettings } from "../settings.ts";

interface Unacknowledged {
  readonly position: number;
  readonly messageId: number;
  readonly connection: MqttClient["stream"];
}

/** Payloads of devices are no larger, so that this many bytes for each bound them all. */
const largestPayload = 64 * 1024;
const resubscribeAfter = 5_000;
/** For ever: what a device has published waits for the relay. */
const sessionExpiryInterval = 0xffffffff;
const notYet = new Error("acknowledged later");

export class MqttSource implements Source<number> {
  readonly commitWithin = 0;
  readonly #settings: SourceSettings<"mqtt">;
  readonly #receiveMaximum: number;
  readonly #metrics: Metrics;
  readonly #log: Log;
  #client: MqttClient | undefined;
  #subscribed = false;
  #draining = false;
  #position = 0;
  #unacknowledged: Unacknowledged[] = [];
  /** While what a lost connection brought is being forgotten. */
  #forgetting: Promise<void> | undefined;

  constructor(
    settings: SourceSettings<"mqtt">,
    inFlight: { readonly events: number; readonly bytes: number },
    metrics: Metrics,
    log: Log,
  ) {
    this.#settings = settings;
    this.#receiveMaximum = Math.max(1, Math.min(65_535, inFlight.events, Math.floor(inFlight.bytes / largestPayload)));
    this.#metrics = metrics;
    this.#log = log;
  }

  get ready(): boolean {
    return this.#subscribed;
  }

  async start(sink: Sink<number>): Promise<void> {
    const { url, username, password, ca, clientId } = this.#settings;
    const { hostname: host, port } = new URL(url);
    const options: IClientOptions = {
      protocolVersion: 5,
      clean: false,
      clientId,
      username,
      password,
      properties: { sessionExpiryInterval, receiveMaximum: this.#receiveMaximum },
      reconnectOnConnackError: true,
      resubscribe: false,
    };
    const client: MqttClient = new mqtt.default(
      () =>
        connect({
          host,
          port: Number(port || 8883),
          ...(isIP(host) === 0 && { servername: host }),
          ...(ca !== undefined && { ca }),
        }),
      options,
    );
    this.#client = client;
    client.on("connect", () => this.#subscribe(client));
    client.on("error", (error) => this.#failed("the MQTT connection failed", error));
    client.on("close", () => this.#lost(sink));
    // MQTT.js takes the next message when this one calls back, and acknowledges this one unless it is told of an error.
    client.handleMessage = (packet, callback) => {
      const next = () => callback(notYet);
      if (this.#draining) next();
      else if (!this.#forgetting) this.#take(client, packet, sink, next);
      else void this.#forgetting.then(() => this.#take(client, packet, sink, next));
    };
  }

  /** The receive maximum is the bound. */
  pause(): void {}
  resume(): void {}

  async commit(positions: ReadonlyMap<string, number>): Promise<void> {
    const upTo = Math.max(...positions.values());
    const count = this.#unacknowledged.findIndex(({ position }) => position > upTo);
    for (const { connection, messageId } of this.#unacknowledged.splice(0, count < 0 ? Infinity : count)) {
      if (connection === this.#client?.stream && !connection.destroyed) connection.write(acknowledgement(messageId));
    }
  }

  drain(): void {
    this.#draining = true;
  }

  async close(): Promise<void> {
    await this.#client?.endAsync();
  }

  #subscribe(client: MqttClient): void {
    const { filter } = this.#settings;
    client.subscribe(filter, { qos: 1 }, (error) => {
      if (!error) {
        this.#subscribed = true;
        this.#log("info", "subscribed", { filter });
      } else if (client.connected) {
        this.#failed("the MQTT broker refuses the subscription", error);
        setTimeout(() => client.connected && this.#subscribe(client), resubscribeAfter);
      }
    });
  }

  #take(client: MqttClient, packet: IPublishPacket, sink: Sink<number>, next: () => void): void {
    const { topic, payload, messageId, qos, properties } = packet;
    this.#position += 1;
    if (qos > 0 && messageId !== undefined) {
      this.#unacknowledged.push({ position: this.#position, messageId, connection: client.stream });
    }
    const key = topic.split("/")[this.#settings.keyLevel];
    const trace = properties?.userProperties?.traceparent;
    sink.receive({
      stream: "mqtt",
      position: this.#position,
      origin: { topic, partition: "", offset: "" },
      key: key === undefined ? undefined : Buffer.from(key),
      headers: new Map(typeof trace === "string" ? [["traceparent", Buffer.from(trace)]] : []),
      value: Buffer.from(payload),
    });
    next();
  }

  #lost(sink: Sink<number>): void {
    if (this.#subscribed) this.#log("warn", "the MQTT connection is lost");
    this.#subscribed = false;
    this.#unacknowledged = [];
    const forgetting = (this.#forgetting ?? Promise.resolve())
      .then(() => sink.forget())
      .finally(() => {
        if (this.#forgetting === forgetting) this.#forgetting = undefined;
      });
    this.#forgetting = forgetting;
  }

  #failed(message: string, error: Error): void {
    this.#metrics.sourceErrors += 1;
    this.#log("error", message, { error: messageOf(error) });
  }
}

/** PUBACK, the same in MQTT 3.1.1 and 5. MQTT.js has no public way to send it. */
function acknowledgement(messageId: number): Buffer {
  return Buffer.of(0x40, 2, messageId >> 8, messageId & 0xff);
}
