/** The target "function": a batch of events over HTTP, by the protocol of `functions/kit/batch.ts`. */
import { isUtf8 } from "node:buffer";
import type { FunctionAddress, Outcome, WireEvent } from "../../kit/batch.ts";
import { CallFailed, isNotThere, strictCaller } from "../../kit/caller.ts";
import { Unavailable } from "../../kit/errors.ts";
import { type Delivered, type Event, type Target, TimedOut, type Verdict } from "../event.ts";
import { type OutgoingRecord, type Publisher, TooLarge } from "../kafka.ts";

export interface FunctionTarget {
  readonly address: FunctionAddress;
  /** For one request. */
  readonly timeoutMilliseconds: number;
  /** The largest body that the function's host takes. */
  readonly bodyBytes: number;
}

/** Where what the function answers goes. */
export interface Into {
  readonly publisher: Publisher;
  readonly topic: string;
  readonly encoding: "json" | "text";
}

const payloadTooLarge = 413;

export function functionTarget(settings: FunctionTarget, into: Into | undefined): Target {
  const { address, timeoutMilliseconds, bodyBytes } = settings;
  const call = strictCaller(address, { timeoutMilliseconds });
  const deliver: Target = async (deliveries) => {
    try {
      const outcomes = await call(deliveries.map(wireEvent));
      return into ? await publish(into, deliveries, outcomes) : outcomes.map(verdictOf);
    } catch (error) {
      const [alone, company] = deliveries;
      if (alone && !company && isTooLarge(error, alone, bodyBytes)) return [tooLarge("larger than the function takes")];
      throw meaningOf(error);
    }
  };
  return deliver;
}

/** Hosts may drop the connection in place of an answer. */
function isTooLarge(error: unknown, alone: Delivered, bodyBytes: number): boolean {
  if (!(error instanceof CallFailed) || error.because === "unreachable") return false;
  return error.status === payloadTooLarge || JSON.stringify({ events: [wireEvent(alone)] }).length > bodyBytes;
}

function meaningOf(error: unknown): unknown {
  if (!(error instanceof CallFailed)) return error;
  if (error.because === "timeout") return new TimedOut(error.message);
  if (isNotThere(error)) return new Unavailable(error.message);
  return error;
}

/** What cannot be published was not done: the function gets the event again. */
async function publish(into: Into, deliveries: readonly Delivered[], outcomes: readonly Outcome[]): Promise<Verdict[]> {
  const verdicts = outcomes.map(verdictOf);
  const records = outcomes.flatMap((outcome, at) =>
    outcome.status === "done" && outcome.out !== undefined
      ? [recordOf(into, (deliveries[at] as Delivered).event, outcome.out)]
      : [],
  );
  if (records.length === 0) return verdicts;
  try {
    await into.publisher.send(records);
    return verdicts;
  } catch (error) {
    if (error instanceof TooLarge && deliveries.length === 1) return [tooLarge(`what came of it is ${error.message}`)];
    throw error;
  }
}

function recordOf({ topic, encoding }: Into, { key, headers }: Event, out: unknown): OutgoingRecord {
  const text = encoding === "text" && typeof out === "string" ? out : JSON.stringify(out);
  const trace = headers.get("traceparent");
  return { topic, key, value: Buffer.from(text), headers: new Map(trace && [["traceparent", trace]]) };
}

function tooLarge(message: string): Verdict {
  return { status: "rejected", reason: "too-large", message };
}

function verdictOf(outcome: Outcome): Verdict {
  if (outcome.status === "done") return { status: "done" };
  const message = outcome.reason;
  switch (outcome.status) {
    case "rejected":
      return { status: "rejected", reason: "bad-input", message };
    case "unavailable":
      return { status: "unavailable", message };
    case "failed":
      return { status: "failed", reason: "failed", message };
  }
}

function wireEvent({ event, attempt }: Delivered): WireEvent {
  const { origin, key, headers, value } = event;
  const text = isUtf8(value);
  return {
    origin: [origin.topic, origin.partition, origin.offset].filter((part) => part !== "").join("/"),
    ...(key && { key: key.toString() }),
    headers: Object.fromEntries([...headers].map(([name, bytes]) => [name, bytes.toString()])),
    value: value.toString(text ? "utf8" : "base64"),
    ...(!text && { base64: true as const }),
    attempt,
  };
}
