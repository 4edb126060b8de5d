import { describe, expect, it, onTestFinished, vi } from "vitest";
import compute from "../../../functions/iot/compute.ts";
import type { Measurement, Reading, StoredReading } from "../../../functions/iot/events.ts";
import ingest from "../../../functions/iot/ingest.ts";
import lakeWriter from "../../../functions/iot/lake-writer.ts";
import martWriter from "../../../functions/iot/mart-writer.ts";
import normalize from "../../../functions/iot/normalize.ts";
import { BadInput } from "../../../functions/kit/errors.ts";
import type { Documents, Objects, Rows, Service } from "../../../functions/kit/ports.ts";
import { handleEvent, handleRequest } from "../../../functions/kit/testing.ts";

const at = "2026-01-02T03:04:05.000Z";
const reading: Reading = { id: "thermo-1-7", device: "thermo-1", sequence: 7, at, celsius: 3.3 };
const received = "2026-01-02T03:04:06.789Z";
const stored: StoredReading = { ...reading, received };
const measurement: Measurement = { ...stored, fahrenheit: 37.94, hour: "2026-01-02T03:00:00.000Z" };

describe("ingest", () => {
  const start = () => {
    const send = vi.fn(async () => undefined);
    const verify = vi.fn((name: string, password: string) => name === "thermo-1" && password === "pass:wörd");
    const take = (authorization?: string, body: unknown = "7,x,y", headers: Record<string, string> = {}) =>
      handleRequest(
        ingest,
        body,
        { raw: { send }, devices: { verify } },
        { headers: { ...headers, ...(authorization !== undefined && { authorization }) } },
      );
    return { send, verify, take };
  };
  const basic = (text: string) => `Basic ${Buffer.from(text).toString("base64")}`;

  it("sends on what the device sent, under the device's name", async () => {
    const { send, take } = start();
    const answer = await take(basic("thermo-1:pass:wörd"));
    expect(answer).toMatchObject({ status: 202, body: { accepted: true } });
    expect(send.mock.calls).toEqual([[{ key: "thermo-1", value: "7,x,y" }]]);
  });

  it("passes the trace on", async () => {
    const { send, take } = start();
    await take(basic("thermo-1:pass:wörd"), "x", { traceparent: "00-a-b-01", cookie: "c" });
    expect(send).toHaveBeenCalledWith({ key: "thermo-1", value: "x", headers: { traceparent: "00-a-b-01" } });
  });

  it.each([
    undefined,
    "",
    "Basic",
    "Basic !!!",
    basic("thermo-1"),
    basic(":pass:wörd"),
    basic("thermo-1:pass"),
    basic("thermo-2:pass:wörd"),
    basic("thermo-1:pass:wörd").replace("Basic", "Bearer"),
  ])("refuses the authorization %j", async (authorization) => {
    const { send, take } = start();
    const answer = await take(authorization);
    expect(answer.status).toBe(401);
    expect(answer.headers["www-authenticate"]).toMatch(/^Basic realm=/);
    expect(send).not.toHaveBeenCalled();
  });

  it.each([undefined, "", { a: 1 }, "x".repeat(64 * 1024 + 1)])(
    "rejects a body that is no reading at all",
    async (body) => {
      const { take } = start();
      // `undefined` as an argument would mean the usual body.
      const given = body === undefined ? null : body;
      await expect(take(basic("thermo-1:pass:wörd"), given)).rejects.toThrow(BadInput);
    },
  );

  it("does not answer that it has what Kafka has not", async () => {
    const { send, take } = start();
    send.mockRejectedValue(new Error("no broker"));
    await expect(take(basic("thermo-1:pass:wörd"))).rejects.toThrow("no broker");
  });
});

describe("normalize", () => {
  const start = () => {
    const insertOnce = vi.fn<Documents<StoredReading>["insertOnce"]>(async () => "inserted");
    const readings: Documents<StoredReading> = { insertOnce, get: vi.fn(), put: vi.fn() };
    return { insertOnce, readings };
  };
  const payload = JSON.stringify({ sequence: 7, at, celsius: 3.3 });

  it("stores the reading under its id, with the time at which it came", async () => {
    vi.useFakeTimers({ now: new Date(received), toFake: ["Date"] });
    onTestFinished(() => void vi.useRealTimers());
    const { insertOnce, readings } = start();
    expect(await handleEvent(normalize, payload, { readings }, { key: "thermo-1" })).toBeUndefined();
    expect(insertOnce.mock.calls).toEqual([["thermo-1-7", stored]]);
  });

  it("is content where the reading is there already", async () => {
    const { insertOnce, readings } = start();
    insertOnce.mockResolvedValue("exists");
    await handleEvent(normalize, payload, { readings }, { key: "thermo-1" });
  });

  it.each([{}, { key: "" }])("rejects a record without a key", async (context) => {
    const { insertOnce, readings } = start();
    await expect(handleEvent(normalize, payload, { readings }, context)).rejects.toThrow(BadInput);
    expect(insertOnce).not.toHaveBeenCalled();
  });

  it("rejects what is no reading", async () => {
    const { insertOnce, readings } = start();
    await expect(handleEvent(normalize, "hello", { readings }, { key: "thermo-1" })).rejects.toThrow(BadInput);
    expect(insertOnce).not.toHaveBeenCalled();
  });

  it("fails, to be tried again, where the store does", async () => {
    const { insertOnce, readings } = start();
    insertOnce.mockRejectedValue(new Error("no primary"));
    const error = await handleEvent(normalize, payload, { readings }, { key: "thermo-1" }).catch((e: unknown) => e);
    expect(error).toEqual(new Error("no primary"));
  });
});

describe("compute", () => {
  type Call = Service<Measurement, void>["call"];
  const start = (stored: StoredReading | undefined) => {
    const readings: Documents<StoredReading> = { get: vi.fn(async () => stored), insertOnce: vi.fn(), put: vi.fn() };
    const lake = { call: vi.fn<Call>(async () => undefined) };
    const mart = { call: vi.fn<Call>(async () => undefined) };
    return { ports: { readings, lake, mart }, lake, mart };
  };
  const change = { id: reading.id, device: reading.device };

  it("has the measurement written to lake and mart, in the order of its device", async () => {
    const { ports, lake, mart } = start(stored);
    await handleEvent(compute, { ...change, other: 1 }, ports);
    expect(ports.readings.get).toHaveBeenCalledWith("thermo-1-7");
    expect(lake.call.mock.calls).toEqual([[measurement, { key: "thermo-1" }]]);
    expect(mart.call.mock.calls).toEqual([[measurement, { key: "thermo-1" }]]);
  });

  it("fails, to be tried again, where the reading is not there", async () => {
    const { ports, lake } = start(undefined);
    const error = await handleEvent(compute, change, ports).catch((e: unknown) => e);
    expect(error).not.toBeInstanceOf(BadInput);
    expect(error).toEqual(new Error("The reading is not stored yet"));
    expect(lake.call).not.toHaveBeenCalled();
  });

  it.each(["lake", "mart"] as const)("fails where the %s does", async (which) => {
    const begun = start(stored);
    begun[which].call.mockRejectedValue(new Error("is down"));
    await expect(handleEvent(compute, change, begun.ports)).rejects.toThrow("is down");
  });

  it("rejects a change that names no reading", async () => {
    await expect(handleEvent(compute, { device: "thermo-1" }, start(stored).ports)).rejects.toThrow("at id");
  });

  it.each([
    [-40, -40],
    [0, 32],
    [0.1, 32.18],
    [21.5, 70.7],
    [-17.7778, 0],
  ])("makes %d °C %d °F", async (celsius, fahrenheit) => {
    const { ports, mart } = start({ ...stored, celsius });
    await handleEvent(compute, change, ports);
    expect(mart.call.mock.calls[0]?.[0].fahrenheit).toBe(fahrenheit);
  });

  it.each([
    ["2026-01-02T03:00:00.000Z", "2026-01-02T03:00:00.000Z"],
    ["2026-01-02T03:59:59.999Z", "2026-01-02T03:00:00.000Z"],
    ["1969-12-31T23:30:00Z", "1969-12-31T23:00:00.000Z"],
  ])("puts %s into the hour of %s", async (time, hour) => {
    const { ports, mart } = start({ ...stored, at: time });
    await handleEvent(compute, change, ports);
    expect(mart.call.mock.calls[0]?.[0].hour).toBe(hour);
  });
});

describe("lake-writer", () => {
  it.each(["added", "exists"] as const)(
    "is content where the line is %s, in the object of its second",
    async (outcome) => {
      const addLine = vi.fn<Objects["addLine"]>(async () => outcome);
      await handleEvent(lakeWriter, measurement, { lake: { addLine, put: vi.fn() } });
      expect(addLine.mock.calls).toEqual([["measurements/date=2026-01-02/hour=03/04-06.jsonl", measurement]]);
    },
  );

  it("fails where the lake does", async () => {
    const addLine = vi.fn<Objects["addLine"]>(async () => Promise.reject(new Error("is down")));
    const written = handleEvent(lakeWriter, measurement, { lake: { addLine, put: vi.fn() } });
    await expect(written).rejects.toThrow("is down");
  });
});

describe("mart-writer", () => {
  it.each(["inserted", "exists"] as const)("is content where the row is %s", async (outcome) => {
    const insertOnce = vi.fn<Rows<Measurement>["insertOnce"]>(async () => outcome);
    await handleEvent(martWriter, measurement, { mart: { insertOnce } });
    expect(insertOnce.mock.calls).toEqual([[measurement]]);
  });

  it("rejects what is no measurement", async () => {
    await expect(handleEvent(martWriter, reading, { mart: { insertOnce: vi.fn() } })).rejects.toThrow(
      "The input of mart-writer does not fit its schema at received, fahrenheit, hour",
    );
  });
});
