import { describe, expect, it, vi } from "vitest";
import * as z from "zod";
import { connectPorts } from "../../../functions/kit/connect-ports.ts";
import { contract, endpoint } from "../../../functions/kit/contract.ts";
import { BadInput } from "../../../functions/kit/errors.ts";
import { handle, reply } from "../../../functions/kit/handle.ts";
import { credentials, objects } from "../../../functions/kit/ports.ts";
import { handleEvent, handleRequest } from "../../../functions/kit/testing.ts";

const entry = new URL("file:///none.ts");
const Reading = z.object({ celsius: z.number(), by: z.object({ device: z.string() }) });
const Doubled = z.object({ twice: z.number() });
const good = { celsius: 21, by: { device: "thermo-1" } };
const double = contract({ name: "double", entry, in: Reading, out: Doubled });

describe("a function of events", () => {
  it("gets the checked input and its context, and answers its output", async () => {
    const handler = handle(double, ({ celsius }, _, { key, attempt, headers }) => {
      expect({ key, attempt, headers }).toEqual({ key: "k", attempt: 3, headers: { a: "b" } });
      return { twice: 2 * celsius };
    });
    const context = { key: "k", attempt: 3, headers: { a: "b" } };
    expect(await handleEvent(handler, { ...good, unknown: 1 }, {}, context)).toEqual({ twice: 42 });
  });

  it("never sees a wrong input; the rejection names where, not what", async () => {
    const code = vi.fn();
    const wrong = { celsius: "secret-value", by: { device: 7 } };
    const error = await handleEvent(handle(double, code), wrong, {}).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(BadInput);
    expect((error as Error).message).toBe("The input of double does not fit its schema at celsius, by.device");
    expect(code).not.toHaveBeenCalled();
  });

  it.each([undefined, null, 7, "text", []])("rejects %j at its top level", async (input) => {
    await expect(handleEvent(handle(double, vi.fn()), input, {})).rejects.toThrow("at its top level");
  });

  it("names no more than ten places", async () => {
    const many = contract({ name: "many", entry, in: z.array(z.number()) });
    const error = await handleEvent(handle(many, vi.fn()), new Array(12).fill("x"), {}).catch((e: Error) => e.message);
    expect(error).toBe("The input of many does not fit its schema at 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more");
  });

  it("fails, and is not to blame the input, where its output is wrong", async () => {
    const handler = handle(double, () => ({ twice: "no" }) as never);
    const error = await handleEvent(handler, good, {}).catch((e: unknown) => e);
    expect(error).not.toBeInstanceOf(BadInput);
    expect((error as Error).message).toBe("The output of double does not fit its schema at twice");
  });

  it("answers nothing where its contract has no output", async () => {
    const silent = contract({ name: "silent", entry, in: Reading });
    expect(await handleEvent(handle(silent, (() => "something") as never), good, {})).toBeUndefined();
  });

  it("fails when its time is up, and is told", async () => {
    const slow = contract({ name: "slow", entry, in: Reading, timeout: "0.02 seconds" });
    let signal: AbortSignal | undefined;
    const handler = handle(slow, (_, __, context) => {
      signal = context.signal;
      return new Promise<void>(() => undefined);
    });
    await expect(handleEvent(handler, good, {})).rejects.toThrow("timed out after 0.02 seconds");
    expect(signal?.aborted).toBe(true);
  });

  it("may take minutes if its contract says so", async () => {
    vi.useFakeTimers();
    try {
      const slow = contract({ name: "slow", entry, in: Reading, timeout: "2 minutes" });
      const running = handleEvent(
        handle(slow, () => new Promise<void>(() => undefined)),
        good,
        {},
      ).catch((e: Error) => e.message);
      let ended = false;
      running.then(() => {
        ended = true;
      });
      await vi.advanceTimersByTimeAsync(119_000);
      expect(ended).toBe(false);
      await vi.advanceTimersByTimeAsync(1_000);
      expect(await running).toBe("timed out after 2 minutes");
    } finally {
      vi.useRealTimers();
    }
  });
});

describe("a function of requests", () => {
  const Accepted = z.object({ accepted: z.literal(true) });
  const take = endpoint({ name: "take", entry, in: Reading, out: Accepted });

  it("answers a value with status 200", async () => {
    const answer = await handleRequest(
      handle(take, () => ({ accepted: true }) as const),
      good,
      {},
    );
    expect(answer).toMatchObject({ status: 200, body: { accepted: true }, headers: {} });
  });

  it("answers what it likes by reply", async () => {
    const handler = handle(take, (_, __, { params }) => reply(404, { error: `no ${params.id}` }, { "x-a": "b" }));
    const answer = await handleRequest(handler, good, {}, { params: { id: "7" } });
    expect(answer).toMatchObject({ status: 404, body: { error: "no 7" }, headers: { "x-a": "b" } });
  });

  it.each([200, 202])("has the body of a reply with status %i checked", async (status) => {
    const handler = handle(take, () => reply(status, { accepted: "perhaps" }));
    await expect(handleRequest(handler, good, {})).rejects.toThrow("The output of take does not fit its schema");
  });
});

describe("ports", () => {
  const needs = { lake: objects(), devices: credentials() };
  const user = contract({ name: "user", entry, in: Reading, needs });
  const lake = { put: async () => undefined };
  const devices = { verify: () => true };

  it("connect with their settings and descriptor when first needed, and once", async () => {
    const connectLake = vi.fn((_settings: object, _port: object) => lake);
    const connectDevices = vi.fn(async () => devices);
    const connect = connectPorts(user, { objects: connectLake, credentials: connectDevices }, (port) => ({ of: port }));
    expect(connectLake).not.toHaveBeenCalled();
    const [first, second] = await Promise.all([connect(), connect()]);
    expect(await connect()).toEqual({ lake, devices });
    expect(first.lake).toBe(second.lake);
    expect(connectLake.mock.calls).toEqual([[{ of: "lake" }, needs.lake]]);
    expect(connectDevices).toHaveBeenCalledTimes(1);
  });

  it("connect again after a failure, and only those that failed", async () => {
    const connectLake = vi.fn().mockRejectedValueOnce(new Error("down")).mockResolvedValue(lake);
    const connectDevices = vi.fn(() => devices);
    const connect = connectPorts(user, { objects: connectLake, credentials: connectDevices }, () => ({}));
    await expect(connect()).rejects.toThrow("down");
    expect(await connect()).toEqual({ lake, devices });
    expect(connectLake).toHaveBeenCalledTimes(2);
    expect(connectDevices).toHaveBeenCalledTimes(1);
  });

  it("without a client in the bundle are an error at once", () => {
    expect(() => connectPorts(user, { objects: () => lake }, () => ({}))).toThrow(
      'The bundle of user lacks the client for "credentials" (port "devices")',
    );
  });

  it("that connect for too long count against the time limit", async () => {
    const slow = contract({ name: "slow", entry, in: Reading, needs, timeout: "0.02 seconds" });
    const run = handle(slow, vi.fn()).run(good, () => new Promise(() => undefined), { headers: {}, attempt: 1 });
    await expect(run).rejects.toThrow("timed out after 0.02 seconds");
  });
});

it("refuses code that does not fit its contract when it is compiled", () => {
  const miswired = () => {
    // @ts-expect-error: a contract with an output needs a handler that answers
    handle(double, () => undefined);
    // @ts-expect-error: the input has no such field
    handle(double, ({ fahrenheit }) => ({ twice: fahrenheit }));
    // @ts-expect-error: the contract needs no such port
    handle(double, (_, { lake }) => ({ twice: lake }));
  };
  expect(miswired).toBeTypeOf("function");
});
