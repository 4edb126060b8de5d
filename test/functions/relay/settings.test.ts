import { describe, expect, it } from "vitest";
import { parseSettings } from "../../../functions/relay/settings.ts";

const kafka = { bootstrap: ["bus:9092"], username: "u", password: "geheim" };
const source = { kind: "kafka", kafka, topic: "raw", group: "raw-normalize" };
const address = { url: "http://normalize/", auth: { kind: "bearer", token: "geheim" } };
const target = { kind: "function", address, timeoutMilliseconds: 10_000 };

describe("the relay's settings", () => {
  it("have defaults", () => {
    expect(parseSettings({ source, target })).toEqual({
      source: { ...source, kafka: { ...kafka, tls: true } },
      target: { ...target, bodyBytes: 1_000_000 },
      retries: 10,
      backoff: { firstMilliseconds: 200, longestMilliseconds: 30_000 },
      batch: { events: 200, bytes: 512 * 1024 },
      inFlight: { events: 5000, bytes: 16 * 1024 * 1024, requests: 4 },
    });
  });

  it.each<[string, object, string]>([
    [
      "a broker without a port",
      { source: { ...source, kafka: { ...kafka, bootstrap: ["bus"] } }, target },
      "source.kafka.bootstrap.0",
    ],
    ["no source", { target }, "source"],
    ["a source of another kind", { source: { kind: "carrier pigeon" }, target }, "source.kind"],
    ["a misspelt setting", { source, target, retrys: 3 }, "retrys"],
    ["fewer than no retries", { source, target, retries: -1 }, "retries"],
    ["an empty batch", { source, target, batch: { events: 0 } }, "batch.events"],
    ["MQTT without TLS", { source: { kind: "mqtt", url: "mqtt://gateway:1883" }, target }, "source.url"],
    ["a topic's answer", { source, target: { kind: "topic", kafka, topic: "t" }, into: { kafka, topic: "o" } }, "into"],
  ])("reject %s, by name and without values", (_, settings, name) => {
    const parse = () => parseSettings(settings);
    expect(parse).toThrow(name);
    expect(parse).toThrow("The relay's settings are wrong");
    expect(parse).not.toThrow("geheim");
  });
});
