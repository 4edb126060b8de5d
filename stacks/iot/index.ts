/**
 * IoT: every reading of every device, once, in the lake and in the mart.
 *
 *   devices ─MQTT─▶ gateway ─▶ raw ─▶ normalize ─▶ readings ─▶ compute ─▶ lake-writer ─▶ lake
 *   devices ─HTTP─▶ ingest ────▲                                  └─────▶ mart-writer ─▶ mart
 */
import * as pulumi from "@pulumi/pulumi";
import {
  deployments,
  Faas,
  fission,
  follow,
  Kafka,
  Lake,
  look,
  Mart,
  Mongo,
  MqttGateway,
  Namespace,
  Verifier,
} from "../../components/index.ts";
import { compute, ingest, lakeWriter, martWriter, normalize } from "../../functions/iot/contracts.ts";
import { Measurement, RawReading, StoredReading } from "../../functions/iot/events.ts";

const config = new pulumi.Config();
const count = config.getNumber("devices") ?? 100;
const devices = Array.from({ length: count }, (_, index) => `device-${String(index + 1).padStart(3, "0")}`);

// Where it runs
const namespace = new Namespace(pulumi.getStack());

// What holds data
const kafka = new Kafka("bus", { namespace, brokers: config.getNumber("brokers") ?? 1 });
const raw = kafka.topic("raw", RawReading, { partitions: 6, retention: "7 days" });
const failed = kafka.topic("readings.dead-letters", StoredReading, { partitions: 1, retention: "30 days" });

const mongo = new Mongo("store", { namespace, members: config.getNumber("members") ?? 1 });
const readings = mongo.collection("readings", StoredReading);

const lake = new Lake("lake", { namespace }).bucket("measurements");
const mart = new Mart("mart", { namespace }).table("measurements", Measurement, {
  columns: {
    id: "text primary key",
    device: "text not null",
    sequence: "bigint not null",
    at: "timestamptz not null",
    received: "timestamptz not null",
    celsius: "double precision not null",
    fahrenheit: "double precision not null",
    hour: "timestamptz not null",
  },
  views: {
    hourly: "select device, hour, count(*), avg(celsius), min(celsius), max(celsius) from measurements group by 1, 2",
  },
});

// What computes
const gateway = new MqttGateway("gateway", { namespace, devices });
const faas = new Faas("functions", { namespace, provider: fission() });
const services = new Faas("services", { namespace, provider: deployments() });
const lakeWriterFn = services.fn(lakeWriter, { lake });
const martWriterFn = services.fn(martWriter, { mart });
const computeFn = faas.fn(compute, { readings, lake: lakeWriterFn, mart: martWriterFn });
const normalizeFn = faas.fn(normalize, { readings });
const ingestFn = faas.fn(ingest, { raw, devices: gateway.devices });

// What flows: one line per arrow
gateway.topic("devices/+/readings").into(raw);
faas.http("POST /readings", ingestFn);
raw.triggers(normalizeFn);
readings.triggers(computeFn, { key: "device", deadLetters: failed });

// What proves it: `npm run verify -- iot`
new Verifier("verify", {
  namespace,
  program: new URL("../../functions/iot/verify.ts", import.meta.url),
  ports: {
    gateway,
    http: faas.url("/readings"),
    mart: look(mart),
    lake: look(lake),
    "raw-dead-letters": follow(raw.deadLetters()),
    "readings-dead-letters": follow(failed),
  },
});

export const mqtt = gateway.url;
