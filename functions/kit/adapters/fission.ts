/**
 * Fission's published Node environment.
 *
 * It calls an exported function of exactly one parameter and takes apart what comes back, so every answer has a status.
 * Bodies arrive parsed: JSON as objects (what was sent is gone), `text/*` as strings, bytes as a `Buffer`, anything
 * else not at all.
 */
import type { IncomingHttpHeaders, Server } from "node:http";
import type { Connectors } from "../connect-ports.ts";
import type { ConnectPorts, EventHandler, Handler } from "../handle.ts";
import { type HostReply, isEventHandler, mountedPorts, problem, serve } from "../serve.ts";
import { serveEvent } from "../serve-batch.ts";

export interface FissionContext {
  readonly request: {
    readonly method: string;
    readonly url: string;
    readonly headers: IncomingHttpHeaders;
    readonly body?: unknown;
    readonly socket?: { readonly server?: EnvironmentServer };
  };
}

/** The environment's own server, of which it leaves to Node's defaults what would lose calls. */
export type EnvironmentServer = Pick<Server, "keepAliveTimeout" | "close" | "listening">;

/** The router keeps idle connections for 30 s, Node for 5: a call on one that is just being closed would fail. */
const keepAliveMilliseconds = 65_000;

const timerHeader = "x-fission-timer-name";
const paramHeader = "x-fission-params-";

/**
 * Makes the function that the bundle exports.
 *
 * A tick of a time trigger is one event with the input `{ "timer": "<name of the trigger>" }`.
 */
export function adapt(handler: Handler, connectors: Connectors): (context: FissionContext) => Promise<HostReply> {
  const ports = mountedPorts(handler, connectors);
  let server: EnvironmentServer | undefined;
  return async ({ request }) => {
    server ??= keepCalls(request.socket?.server);
    const answer = await respond(request);
    // The environment is about to end: the router must not call on this connection again.
    return server?.listening === false ? { ...answer, headers: { ...answer.headers, connection: "close" } } : answer;
  };

  async function respond(request: FissionContext["request"]): Promise<HostReply> {
    const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]));
    const timer = headers[timerHeader];
    if (timer !== undefined && isEventHandler(handler)) return tick(handler, ports, timer);
    const url = new URL(headers["x-fission-full-url"] ?? request.url, "http://router");
    return serve(handler, ports, {
      method: request.method,
      path: url.pathname,
      params: params(headers),
      query: Object.fromEntries(url.searchParams),
      headers,
      body: request.body,
    });
  }
}

function keepCalls(server: EnvironmentServer | undefined): EnvironmentServer | undefined {
  if (!server) return undefined;
  server.keepAliveTimeout = keepAliveMilliseconds;
  // Otherwise SIGTERM ends the process with calls in flight.
  process.removeAllListeners("SIGTERM").once("SIGTERM", () => server.close(() => process.exit(0)));
  return server;
}

const statuses = { rejected: 422, unavailable: 503, failed: 500 } as const;

async function tick(handler: EventHandler, ports: ConnectPorts, timer: string): Promise<HostReply> {
  const event = { origin: `timer/${timer}`, headers: {}, value: JSON.stringify({ timer }), attempt: 1 };
  const outcome = await serveEvent(handler, ports, event);
  if (outcome.status === "done") return { status: 204, headers: {}, body: "" };
  // Fission does not tell anyone why a tick failed.
  console.error(JSON.stringify({ level: "error", function: handler.contract.name, timer, message: outcome.reason }));
  return problem(statuses[outcome.status], outcome.reason);
}

function params(headers: Readonly<Record<string, string>>): Record<string, string> {
  const found = Object.entries(headers).filter(([name]) => name.startsWith(paramHeader));
  return Object.fromEntries(found.map(([name, value]) => [name.slice(paramHeader.length), value]));
}
