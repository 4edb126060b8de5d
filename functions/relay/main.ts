/** The relay's process: one edge, from a source to a target. */
import { readSettings } from "../kit/settings.ts";
import { deadLetters } from "./dead-letters.ts";
import { Delivery } from "./delivery.ts";
import { messageOf, type Source, systemClock } from "./event.ts";
import { Publishers } from "./kafka.ts";
import { letterPlace } from "./letter-place.ts";
import { log } from "./log.ts";
import { Metrics } from "./metrics.ts";
import { serveOperations } from "./operations.ts";
import { nameOf, parseSettings, type RelaySettings } from "./settings.ts";
import { targetOf } from "./targets/target.ts";

const port = Number(process.env.RELAY_PORT ?? 9090);
const drainMilliseconds = 18_000;

/** Loads the client of this source alone: the others would only take memory. */
async function sourceOf({ source, inFlight }: RelaySettings, metrics: Metrics): Promise<Source<never>> {
  switch (source.kind) {
    case "kafka":
      return new (await import("./sources/kafka.ts")).KafkaSource(source, metrics, log);
    case "mongo":
      return new (await import("./sources/mongo.ts")).MongoSource(source, metrics, log);
    case "redis":
      return new (await import("./sources/redis.ts")).RedisSource(source, metrics, log);
    case "mqtt":
      return new (await import("./sources/mqtt.ts")).MqttSource(source, inFlight, metrics, log);
  }
}

async function run(settings: RelaySettings): Promise<void> {
  const name = nameOf(settings);
  const metrics = new Metrics();
  const publishers = new Publishers(name);
  const letters = settings.deadLetters && letterPlace(settings.deadLetters, publishers);
  const source = await sourceOf(settings, metrics);
  const delivery = new Delivery<never>({
    source,
    target: targetOf(settings, publishers),
    deadLetters: letters && deadLetters(letters.publisher, letters.topic, name),
    limits: settings,
    clock: systemClock,
    metrics,
    log,
  });
  serveOperations(port, { metrics: () => metrics.text(), ready: () => source.ready });
  source.start(delivery).catch(fail);
  log("info", "the relay has started", { name, source: settings.source.kind, target: settings.target.kind });

  const stop = async () => {
    log("info", "the relay drains");
    setTimeout(() => {
      log("warn", "the relay stops without waiting any longer: what is not committed comes again");
      process.exit(0);
    }, drainMilliseconds);
    source.drain();
    await delivery.stop();
    await source.close();
    await publishers.close();
    log("info", "the relay has stopped");
    process.exit(0);
  };
  process.once("SIGTERM", stop);
  process.once("SIGINT", stop);
}

function fail(error: unknown): void {
  log("error", messageOf(error));
  process.exit(1);
}

try {
  run(parseSettings(readSettings(process.env.FIVEFOLD_NAME ?? "relay", "relay"))).catch(fail);
} catch (error) {
  fail(error);
}
