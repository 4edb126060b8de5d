/** Wraps a function's code with what its contract promises: checked input, connected ports, a time limit, checked output. */
import { check } from "./check.ts";
import type { EventContract, In, Needs, Out, RequestContract } from "./contract.ts";
import { BadInput } from "./errors.ts";
import { within } from "./time-limit.ts";

// biome-ignore lint/suspicious/noExplicitAny: any contract of events
type AnyEventContract = EventContract<any, any, any>;
// biome-ignore lint/suspicious/noExplicitAny: any contract of requests
type AnyRequestContract = RequestContract<any, any, any>;

/** What a handler knows of an event besides its payload. */
export interface EventContext {
  /** Events of one key are handled one after another. */
  readonly key?: string;
  readonly headers: Readonly<Record<string, string>>;
  /** 1 for the first try. */
  readonly attempt: number;
  /** Aborts when the contract's time is up. */
  readonly signal: AbortSignal;
}

/** What a handler knows of an HTTP request besides its body. */
export interface RequestContext {
  readonly method: string;
  readonly path: string;
  /** Variables of the route's path, under lower-case names. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string>>;
  /** Under lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  /** Aborts when the contract's time is up. */
  readonly signal: AbortSignal;
}

/** An answer to an HTTP request that says more than a value with status 200. */
export class Reply<out Body = unknown> {
  readonly status: number;
  readonly body: Body;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, body: Body, headers: Readonly<Record<string, string>>) {
    this.status = status;
    this.body = body;
    this.headers = headers;
  }
}

/** Answers an HTTP request with this status. Strings are sent as text, anything else as JSON. */
export function reply<Body>(status: number, body: Body, headers: Readonly<Record<string, string>> = {}): Reply<Body> {
  return new Reply(status, body, headers);
}

/** Connects a contract's ports, or hands out those connected before. */
export type ConnectPorts = () => Promise<Readonly<Record<string, unknown>>>;

/** A function of events, wrapped. An adapter runs it; `run` throws `BadInput`, or whatever made it fail. */
export interface EventHandler<C extends AnyEventContract = AnyEventContract> {
  readonly contract: C;
  readonly run: (input: unknown, ports: ConnectPorts, context: Omit<EventContext, "signal">) => Promise<unknown>;
}

/** A function of HTTP requests, wrapped. An adapter runs it; `run` throws `BadInput`, or whatever made it fail. */
export interface RequestHandler<C extends AnyRequestContract = AnyRequestContract> {
  readonly contract: C;
  readonly run: (body: unknown, ports: ConnectPorts, request: Omit<RequestContext, "signal">) => Promise<Reply>;
}

export type Handler = EventHandler | RequestHandler;

/**
 * Makes a contract's code the function that is deployed: the default export of the contract's `entry`.
 *
 * Every input that arrives is checked against the contract before the code sees it, so is every output before it leaves.
 */
export function handle<C extends AnyEventContract>(
  contract: C,
  code: (input: In<C>, ports: Needs<C>, context: EventContext) => Out<C> | Promise<Out<C>>,
): EventHandler<C>;
export function handle<C extends AnyRequestContract>(
  contract: C,
  code: (body: In<C>, ports: Needs<C>, request: RequestContext) => Answer<C> | Promise<Answer<C>>,
): RequestHandler<C>;
export function handle(
  contract: AnyEventContract | AnyRequestContract,
  code: (input: unknown, ports: never, context: never) => unknown,
): Handler {
  const run = (input: unknown, ports: ConnectPorts, context: object): Promise<unknown> =>
    within(contract.timeout, async (signal) => {
      const checked = await check(contract.in, input);
      if ("problem" in checked) throw new BadInput(`The input of ${contract.name} ${checked.problem}`);
      return await code(checked.value, (await ports()) as never, { ...context, signal } as never);
    });
  if (contract.on === "event") {
    return {
      contract,
      run: async (input, ports, event) => output(contract, await run(input, ports, event)),
    } satisfies EventHandler;
  }
  return {
    contract,
    run: async (body, ports, request) => {
      const answer = await run(body, ports, request);
      if (!(answer instanceof Reply)) return reply(200, await output(contract, answer));
      const checkable = contract.out && answer.status < 300 && answer.body !== undefined;
      return checkable ? reply(answer.status, await output(contract, answer.body), answer.headers) : answer;
    },
  } satisfies RequestHandler;
}

type Answer<C> = Out<C> | Reply;

async function output(contract: AnyEventContract | AnyRequestContract, value: unknown): Promise<unknown> {
  if (!contract.out) return undefined;
  const checked = await check(contract.out, value);
  if ("problem" in checked) throw new Error(`The output of ${contract.name} ${checked.problem}`);
  return checked.value;
}
