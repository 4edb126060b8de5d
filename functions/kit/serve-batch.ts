/** The function's end of the batch protocol: events of one key one after another, others beside them, an outcome for each. */
import { type BatchRequest, type BatchResponse, type Outcome, type WireEvent, waitsForEarlier } from "./batch.ts";
import { decode } from "./decode.ts";
import { BadInput, reasonOf, Unavailable } from "./errors.ts";
import type { ConnectPorts, EventHandler } from "./handle.ts";
import { encodingOf } from "./schema.ts";

const behind: Outcome = { status: "failed", reason: waitsForEarlier };

/** Handles a batch; never throws. */
export async function serveBatch(
  handler: EventHandler,
  ports: ConnectPorts,
  { events }: BatchRequest,
): Promise<BatchResponse> {
  const outcomes = new Array<Outcome>(events.length);
  const queues = Map.groupBy(events.entries(), ([index, { key }]) => key ?? index);
  await Promise.all(
    [...queues.values()].map(async (queue) => {
      let blocked = false;
      for (const [index, event] of queue) {
        // Later ones of its key must not overtake an event that comes again; one that is rejected never does.
        const outcome: Outcome = blocked ? behind : await serveEvent(handler, ports, event);
        blocked ||= outcome.status === "failed" || outcome.status === "unavailable";
        outcomes[index] = outcome;
      }
    }),
  );
  return { outcomes };
}

/** Handles one event; never throws. */
export async function serveEvent(handler: EventHandler, ports: ConnectPorts, event: WireEvent): Promise<Outcome> {
  try {
    const payload = event.base64 ? Buffer.from(event.value, "base64") : event.value;
    const input = decode(payload, encodingOf(handler.contract.in));
    const out = await handler.run(input, ports, {
      ...(event.key !== undefined && { key: event.key }),
      headers: event.headers,
      attempt: event.attempt,
    });
    return out === undefined ? { status: "done" } : { status: "done", out };
  } catch (error) {
    return { status: statusOf(error), reason: reasonOf(error) };
  }
}

function statusOf(error: unknown): "rejected" | "unavailable" | "failed" {
  if (error instanceof BadInput) return "rejected";
  return error instanceof Unavailable ? "unavailable" : "failed";
}

/** Whether something that arrived is a batch. */
export function isBatchRequest(body: unknown): body is BatchRequest {
  return isRecord(body) && Array.isArray(body.events) && body.events.every(isWireEvent);
}

function isWireEvent(event: unknown): event is WireEvent {
  return (
    isRecord(event) &&
    typeof event.origin === "string" &&
    (event.key === undefined || typeof event.key === "string") &&
    isRecord(event.headers) &&
    Object.values(event.headers).every((value) => typeof value === "string") &&
    typeof event.value === "string" &&
    (event.base64 === undefined || event.base64 === true) &&
    Number.isInteger(event.attempt) &&
    Number(event.attempt) >= 1
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
