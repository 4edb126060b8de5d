import { expect, it, vi } from "vitest";
import * as z from "zod";
import { adapt } from "../../../../functions/kit/adapters/fission.ts";
import { contract, endpoint } from "../../../../functions/kit/contract.ts";
import { BadInput, Unavailable } from "../../../../functions/kit/errors.ts";
import { handle, reply } from "../../../../functions/kit/handle.ts";

const entry = new URL("file:///none.ts");
const nightly = contract({ name: "nightly", entry, in: z.object({ timer: z.string() }) });
const tick = { request: { method: "POST", url: "/", headers: { "x-fission-timer-name": "at-two" }, body: {} } };

it("exports a function of one parameter, as the environment counts them", () => {
  expect(
    adapt(
      handle(nightly, () => undefined),
      {},
    ),
  ).toHaveLength(1);
});

it("makes a tick of a time trigger an event", async () => {
  const seen = vi.fn();
  const handler = handle(nightly, (input, _, { attempt }) => seen(input, attempt));
  expect(await adapt(handler, {})(tick)).toEqual({ status: 204, headers: {}, body: "" });
  expect(seen.mock.calls).toEqual([[{ timer: "at-two" }, 1]]);
});

it.each([
  [new Error("the disk is full"), 500],
  [new BadInput("not at this hour"), 422],
  [new Unavailable("no database"), 503],
])("answers a tick that ended with %s by status %i, and logs why", async (error, status) => {
  const log = vi.spyOn(console, "error").mockImplementation(() => undefined);
  const handler = handle(nightly, () => {
    throw error;
  });
  expect(await adapt(handler, {})(tick)).toMatchObject({ status, body: JSON.stringify({ error: error.message }) });
  expect(log).toHaveBeenCalledWith(expect.stringContaining(error.message));
});

it("takes no tick for a function of requests: anyone could send that header", async () => {
  const show = endpoint({ name: "show", entry, in: z.undefined() });
  const answer = await adapt(
    handle(show, () => reply(200, "shown")),
    {},
  )(tick);
  expect(answer).toMatchObject({ status: 200, body: "shown" });
});

it("reads path, query and params from the router's headers", async () => {
  const show = endpoint({ name: "show", entry, in: z.undefined() });
  const handler = handle(show, (_, __, { path, query, params }) => reply(200, { path, query, params }));
  const headers = { "x-fission-full-url": "/devices/thermo-1?last=5", "x-fission-params-device": "thermo-1" };
  const answer = await adapt(handler, {})({ request: { method: "GET", url: "/", headers, body: {} } });
  expect(JSON.parse(answer.body)).toEqual({
    path: "/devices/thermo-1",
    query: { last: "5" },
    params: { device: "thermo-1" },
  });
});

it("keeps connections for longer than the router; when it must end, lets calls in flight end and takes no more", async () => {
  const own = process.listeners("SIGTERM");
  const server = { keepAliveTimeout: 5000, listening: true, close: vi.fn() };
  const call = adapt(
    handle(nightly, () => undefined),
    {},
  );
  const request = { ...tick.request, socket: { server } };
  expect((await call({ request })).headers).toEqual({});
  await call({ request });
  // The router keeps idle connections for 30 s.
  expect(server.keepAliveTimeout).toBeGreaterThan(30_000);
  const [listener, ...others] = process.listeners("SIGTERM");
  process.removeAllListeners("SIGTERM");
  for (const listener of own) process.on("SIGTERM", listener);
  expect(others).toEqual([]);
  listener?.("SIGTERM");
  expect(server.close).toHaveBeenCalledOnce();
  server.listening = false;
  expect((await call({ request })).headers).toEqual({ connection: "close" });
});
