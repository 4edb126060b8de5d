/** For unit tests of functions: runs a wrapped handler as an adapter would, with fake ports, without any network. */
import type { Needs } from "./contract.ts";
import type { EventContext, EventHandler, Reply, RequestContext, RequestHandler } from "./handle.ts";

/**
 * Handles one event: the input is checked, then the code runs, then its output is checked.
 *
 * @throws BadInput, or whatever made the function fail
 */
export function handleEvent<H extends EventHandler>(
  handler: H,
  input: unknown,
  ports: Needs<H["contract"]>,
  context: Partial<Omit<EventContext, "signal">> = {},
): Promise<unknown> {
  return handler.run(input, async () => ports, { headers: {}, attempt: 1, ...context });
}

/**
 * Handles one HTTP request whose body has been decoded.
 *
 * @throws BadInput, or whatever made the function fail
 */
export function handleRequest<H extends RequestHandler>(
  handler: H,
  body: unknown,
  ports: Needs<H["contract"]>,
  request: Partial<Omit<RequestContext, "signal">> = {},
): Promise<Reply> {
  const asked = { method: "POST", path: "/", params: {}, query: {}, headers: {}, ...request };
  return handler.run(body, async () => ports, asked);
}
