/** A function's contract: what both the stack that wires it and the handler that implements it know of it. */
import type { ClientOf, Port } from "./ports.ts";
import type { Schema } from "./schema.ts";

export type Ports = Readonly<Record<string, Port<unknown>>>;

/** A length of time in words, for example `"10 seconds"`. */
export type Timeout = `${number} ${"second" | "seconds" | "minute" | "minutes"}`;

interface Base<Needs extends Ports> {
  /** Name of the function: lower case, digits and dashes. */
  readonly name: string;
  /** The module whose default export is `handle(contract, …)`. */
  readonly entry: URL;
  /** What the function uses, by the names the handler sees. */
  readonly needs: Needs;
  /** How long one event or request may take.
   *  @default "10 seconds" */
  readonly timeout: Timeout;
}

/** A function of events: from a topic, a collection's changes, the clock, or another function. */
export interface EventContract<In, Out, Needs extends Ports> extends Base<Needs> {
  readonly on: "event";
  readonly in: Schema<In>;
  readonly out: Schema<Out> | undefined;
}

/** A function of HTTP requests. */
export interface RequestContract<In, Out, Needs extends Ports> extends Base<Needs> {
  readonly on: "request";
  /** Of the request's body. */
  readonly in: Schema<In>;
  readonly out: Schema<Out> | undefined;
}

// biome-ignore lint/suspicious/noExplicitAny: any contract at all
export type Contract = EventContract<any, any, any> | RequestContract<any, any, any>;

interface Definition<In, Out, Needs extends Ports> {
  readonly name: string;
  readonly entry: URL;
  readonly in: Schema<In>;
  readonly out?: Schema<Out>;
  readonly needs?: Needs;
  readonly timeout?: Timeout;
}

const defaultTimeout = "10 seconds" satisfies Timeout;

/** Declares a function of events. Without `out` it answers nothing. */
export function contract<In, Out = void, const Needs extends Ports = Record<never, never>>(
  definition: Definition<In, Out, Needs>,
): EventContract<In, Out, Needs> {
  return { on: "event", ...complete(definition) };
}

/** Declares a function of HTTP requests. */
export function endpoint<In, Out = void, const Needs extends Ports = Record<never, never>>(
  definition: Definition<In, Out, Needs>,
): RequestContract<In, Out, Needs> {
  return { on: "request", ...complete(definition) };
}

function complete<In, Out, Needs extends Ports>({ needs, out, timeout, ...rest }: Definition<In, Out, Needs>) {
  return { ...rest, out, needs: needs ?? ({} as Needs), timeout: timeout ?? defaultTimeout };
}

/** What the handler of a contract is given. */
export type In<C> = C extends { readonly in: Schema<infer Value> } ? Value : never;
/** What the handler of a contract answers. */
export type Out<C> = C extends { readonly out: Schema<infer Value> | undefined } ? Value : never;
/** The clients of a contract's ports, by name. */
export type Needs<C> = C extends { readonly needs: infer P }
  ? { readonly [Name in keyof P]: ClientOf<P[Name]> }
  : never;
