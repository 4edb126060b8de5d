/** Calls a deployed function with batches of events. */
import { createHash, createHmac } from "node:crypto";
import { batchHeader, type FunctionAddress, type Outcome, type WireEvent } from "./batch.ts";
import { reasonOf } from "./errors.ts";
import { type Answer, httpClient, NoAnswer } from "./http.ts";

export interface CallerOptions {
  /** For one batch, from sending to the last byte of the answer. */
  readonly timeoutMilliseconds: number;
}

/** Why there is no outcome at all for a batch. */
export type Cause = "unreachable" | "timeout" | "status" | "garbled";

/** A call that failed as a whole: not known is what became of its events, unless the function was unreachable. */
export class CallFailed extends Error {
  override readonly name = "CallFailed";
  readonly because: Cause;
  /** The HTTP status, if that is the cause. */
  readonly status: number | undefined;

  constructor(because: Cause, message: string, status?: number) {
    super(message);
    this.because = because;
    this.status = status;
  }
}

/** Sends a batch and answers one outcome for each event, in their order. */
export type Caller = (events: readonly WireEvent[]) => Promise<readonly Outcome[]>;

/** Makes a caller that never throws: where the call fails as a whole, so does every event. */
export function caller(address: FunctionAddress, options: CallerOptions): Caller {
  const call = strictCaller(address, options);
  return (events) =>
    call(events).catch((error: unknown) => events.map(() => ({ status: "failed", reason: reasonOf(error) })));
}

/** Makes a caller that throws `CallFailed` where the call fails as a whole. It keeps its connections. */
export function strictCaller(address: FunctionAddress, { timeoutMilliseconds }: CallerOptions): Caller {
  const url = new URL(address.url);
  const { exchange } = httpClient();
  return async (events) => {
    const body = JSON.stringify({ events });
    const headers = { "content-type": "application/json", [batchHeader]: "1", ...authorize(address, url, body) };
    const answer = await exchange({ method: "POST", url, headers, body, timeoutMilliseconds }).catch(
      (error: unknown) => {
        throw new CallFailed(causeOf(error), `the function at ${url.host}: ${reasonOf(error)}`);
      },
    );
    return outcomesOf(answer, url, events.length);
  };
}

function authorize({ auth }: FunctionAddress, url: URL, body: string): Record<string, string> {
  if (auth.kind === "bearer") return { authorization: `Bearer ${auth.token}` };
  const seconds = Math.floor(Date.now() / 1000);
  const digest = createHash("sha256").update(body).digest("hex");
  const signed = ["POST", url.pathname + url.search, digest, seconds - (seconds % 60)].join("\n");
  const signature = createHmac("sha256", Buffer.from(auth.key, "base64")).update(signed).digest("hex");
  return { "x-fission-auth-timestamp": String(seconds), "x-fission-auth-signature": signature };
}

function outcomesOf({ status, body }: Answer, { host }: URL, count: number): readonly Outcome[] {
  const fail = (because: Cause, what: string) =>
    new CallFailed(because, `the function at ${host} answered ${what}`, status);
  if (status !== 200) throw fail("status", `with status ${status}`);
  const { outcomes } = (parse(body) ?? {}) as { readonly outcomes?: unknown };
  if (!Array.isArray(outcomes) || !outcomes.every(isOutcome)) throw fail("garbled", "something else than outcomes");
  if (outcomes.length !== count) throw fail("garbled", `${outcomes.length} outcomes for ${count} events`);
  return outcomes;
}

/** Nobody has looked at the events: not let in, not there (yet), or too busy. */
const refusals: ReadonlySet<number | undefined> = new Set([401, 403, 404, 429, 503]);

/** Whether a call failed because the function cannot be reached, so that no event of it is to blame. */
export function isNotThere(error: unknown): boolean {
  return error instanceof CallFailed && (error.because === "unreachable" || refusals.has(error.status));
}

/** Nothing has been sent while there is no connection. */
const notConnected = new Set(["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "ENETUNREACH", "ETIMEDOUT"]);

function causeOf(error: unknown): Cause {
  if (error instanceof NoAnswer) return "timeout";
  return notConnected.has(String((error as NodeJS.ErrnoException).code)) ? "unreachable" : "garbled";
}

const notDone: ReadonlySet<unknown> = new Set<Outcome["status"]>(["rejected", "unavailable", "failed"]);

function isOutcome(outcome: unknown): outcome is Outcome {
  if (typeof outcome !== "object" || outcome === null) return false;
  const { status, reason } = outcome as Record<string, unknown>;
  return status === "done" || (notDone.has(status) && typeof reason === "string");
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
