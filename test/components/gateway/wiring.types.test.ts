/** What the compiler refuses: `npm run check` fails where one of these lines compiles, or one of the others does not. */
import { expect, test } from "vitest";
import type { EventFunction, RequestFunction } from "../../../components/faas/function.ts";
import type { Gateway } from "../../../components/gateway/gateway.ts";

declare const gateway: Gateway;
declare const submitFn: RequestFunction;
declare const eventFn: EventFunction<unknown, unknown>;

const wiring = () => {
  const clients = gateway.keys("web");
  gateway.route("POST /payments/:id", submitFn, { clients, limit: "200 per second", body: "64 KiB" });
  gateway.route("GET /open", submitFn, { clients: "anyone" });
  // @ts-expect-error who may call must be said
  gateway.route("GET /open", submitFn, {});
  // @ts-expect-error who may call must be said
  gateway.route("GET /open", submitFn);
  // @ts-expect-error a name alone proves nothing
  gateway.route("GET /open", submitFn, { clients: "web" });
  // @ts-expect-error a function of events takes no requests
  gateway.route("POST /payments", eventFn, { clients });
  // @ts-expect-error there is no method FETCH
  gateway.route("FETCH /payments", submitFn, { clients });
  // @ts-expect-error a path starts with a slash
  gateway.route("POST payments", submitFn, { clients });
  // @ts-expect-error a limit is for a time
  gateway.route("POST /payments", submitFn, { clients, limit: 200 });
  // @ts-expect-error there is no such time
  gateway.route("POST /payments", submitFn, { clients, limit: "200 per fortnight" });
  const { web } = clients.keys;
  // @ts-expect-error there is no client of this name
  clients.keys.kiosk;
  // @ts-expect-error keys are for clients
  gateway.keys();
  // @ts-expect-error keys come over TLS
  gateway.tokens({ issuer: "bank", keys: "http://bank.test/keys" });
  return web;
};

test("the wiring above is checked by tsc", () => expect(wiring).toBeTypeOf("function"));
