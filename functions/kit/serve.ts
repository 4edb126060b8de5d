/** What every adapter does once it has translated its host's request: batches go to functions of events, all others to functions of requests. */
import { batchHeader } from "./batch.ts";
import { type Connectors, connectPorts } from "./connect-ports.ts";
import { decode } from "./decode.ts";
import { BadInput, reasonOf, Unavailable } from "./errors.ts";
import type { ConnectPorts, EventHandler, Handler, RequestHandler } from "./handle.ts";
import { type Encoding, encodingOf } from "./schema.ts";
import { isBatchRequest, serveBatch } from "./serve-batch.ts";
import { readSettings } from "./settings.ts";
import { TimedOut } from "./time-limit.ts";

/** A request as the host gives it. Names of headers and params are in lower case. */
export interface HostRequest {
  readonly method: string;
  readonly path: string;
  readonly params: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string>>;
  readonly headers: Readonly<Record<string, string>>;
  /** Text, bytes, or JSON that the host has parsed. Not looked at where the headers tell of no body. */
  readonly body: unknown;
}

export interface HostReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** The ports of a deployed function, connected with the settings that are mounted under its name. */
export function mountedPorts({ contract }: Handler, connectors: Connectors): ConnectPorts {
  return connectPorts(contract, connectors, (port) => readSettings(contract.name, port));
}

/** Answers a request, whatever it is; never throws. */
export async function serve(handler: Handler, ports: ConnectPorts, request: HostRequest): Promise<HostReply> {
  const { name } = handler.contract;
  const isBatch = request.headers[batchHeader] !== undefined;
  if (isEventHandler(handler)) {
    if (!isBatch) return problem(400, `${name} takes batches of events, not plain requests`);
    return answerBatch(handler, ports, request);
  }
  if (isBatch) return problem(400, `${name} takes plain requests, not batches of events`);
  return answerRequest(handler, ports, request);
}

export function isEventHandler(handler: Handler): handler is EventHandler {
  return handler.contract.on === "event";
}

async function answerBatch(handler: EventHandler, ports: ConnectPorts, { body }: HostRequest): Promise<HostReply> {
  const batch = attempt(() => (isRaw(body) ? decode(body, "json") : body));
  return isBatchRequest(batch)
    ? json(200, await serveBatch(handler, ports, batch))
    : problem(400, "Not a batch of events");
}

async function answerRequest(handler: RequestHandler, ports: ConnectPorts, request: HostRequest): Promise<HostReply> {
  const { body, ...context } = request;
  const { name } = handler.contract;
  const sent = hasBody(request.headers);
  const type = request.headers["content-type"] ?? "";
  if (sent && !readable.test(type)) {
    return problem(
      415,
      "Send the body as application/json, text/* or application/octet-stream, and name it in Content-Type",
    );
  }
  const input = attempt(() => (sent ? decodeBody(body, type, encodingOf(handler.contract.in)) : undefined));
  if (input instanceof BadInput) return problem(400, input.message);
  try {
    const answer = await handler.run(input, ports, context);
    return toHostReply(answer.status, answer.body, answer.headers);
  } catch (error) {
    if (error instanceof BadInput) return problem(422, error.message);
    const reason = reasonOf(error);
    console.error(JSON.stringify({ level: "error", function: name, message: reason }));
    if (error instanceof TimedOut) return problem(504, `${name} ${reason}`);
    if (error instanceof Unavailable) return problem(503, `${name} cannot reach what it needs`);
    return problem(500, `${name} failed`);
  }
}

/** The content types that every host reads. */
const readable = /^(application\/json|text\/[^;]+|application\/octet-stream)\s*(;|$)/i;
const isJson = /^application\/json/i;

function hasBody(headers: Readonly<Record<string, string>>): boolean {
  return Number(headers["content-length"] ?? 0) > 0 || headers["transfer-encoding"] !== undefined;
}

/** Where the contract wants text, JSON is written anew: some hosts parse it and keep nothing of what was sent. */
function decodeBody(body: unknown, type: string, encoding: Encoding): unknown {
  if (isRaw(body) && !isJson.test(type)) return decode(body, encoding);
  const value = isRaw(body) ? decode(body, "json") : body;
  return encoding === "text" ? JSON.stringify(value) : value;
}

function isRaw(body: unknown): body is string | Buffer {
  return typeof body === "string" || Buffer.isBuffer(body);
}

function attempt(make: () => unknown): unknown {
  try {
    return make();
  } catch (error) {
    return error;
  }
}

function toHostReply(status: number, body: unknown, headers: Readonly<Record<string, string>>): HostReply {
  if (body === undefined) return { status: status === 200 ? 204 : status, headers, body: "" };
  if (typeof body !== "string") return json(status, body, headers);
  return { status, headers: { "content-type": "text/plain; charset=utf-8", ...headers }, body };
}

function json(status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): HostReply {
  return { status, headers: { "content-type": "application/json", ...headers }, body: JSON.stringify(body) };
}

/** An answer that says what was wrong. */
export function problem(status: number, error: string, headers: Readonly<Record<string, string>> = {}): HostReply {
  return json(status, { error }, headers);
}
