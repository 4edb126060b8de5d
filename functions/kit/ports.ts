/**
 * Ports: what a function needs, by kind. A descriptor holds no client, so that a contract can be imported anywhere;
 * the bundle of a function imports one client module (`clients/<kind>.ts`) for each kind that its contract names.
 */
import type { EventContract } from "./contract.ts";
import { type Encoding, encodingOf, type Schema } from "./schema.ts";

export type Kind = "documents" | "records" | "objects" | "rows" | "grid" | "service" | "credentials" | "settings";

export type Access = "read" | "write" | "read-write";

export interface Port<out Client> {
  readonly kind: Kind;
  readonly access: Access;
  readonly encoding: Encoding;
  /** Phantom: the client that the function sees. */
  readonly client?: () => Client;
}

/** The client of a port. */
export type ClientOf<P> = P extends Port<infer Client> ? Client : never;

/** A collection of documents, each under an id. */
export interface Documents<Document> {
  readonly get: (id: string) => Promise<Document | undefined>;
  /** Stores the document unless one with this id is there already. */
  readonly insertOnce: (id: string, document: Document) => Promise<"inserted" | "exists">;
  readonly put: (id: string, document: Document) => Promise<void>;
}

/** A topic to write to. Resolves when every in-sync replica has the record. */
export interface Records<Value> {
  readonly send: (record: {
    readonly key: string;
    readonly value: Value;
    readonly headers?: Readonly<Record<string, string>>;
  }) => Promise<void>;
}

/** A bucket of objects. */
export interface Objects {
  /** The same key written twice holds the last body. */
  readonly put: (key: string, body: string, contentType: string) => Promise<void>;
  /**
   * Adds a line to an object of JSON lines (`application/x-ndjson`) unless one with this id is there already, whoever
   * wrote it. Needs the access "read-write".
   *
   * Each call writes the object anew, together with the others of the same milliseconds: choose keys of which each holds
   * the lines of a short time. The server must know conditional writes (`If-Match`, `If-None-Match`), as S3 does.
   */
  readonly addLine: (key: string, line: Line) => Promise<"added" | "exists">;
}

export interface Line {
  readonly id: string;
}

/** A table. */
export interface Rows<Row> {
  /** Inserts the row unless one with its primary key is there already. */
  readonly insertOnce: (row: Row) => Promise<"inserted" | "exists">;
}

/** A map in the data grid. Every write is an entry of the map's stream as well, in one step, and so can trigger functions. */
export interface Grid<Value> {
  readonly get: (key: string) => Promise<Value | undefined>;
  /**
   * Takes a key for some time, so that one at a time works on it. A claim ends with the write, the release or its time.
   *
   * @returns what is under the key now, or that somebody else has taken it
   */
  readonly claim: (key: string, milliseconds: number) => Promise<Claim<Value>>;
  /**
   * Writes the value, adds its entry to the stream and counts, all in one step, and ends the claim.
   *
   * @returns "lost" if the claim had ended before: nothing is written then
   */
  readonly write: (key: string, value: Value, claim: string, count?: readonly Count[]) => Promise<"written" | "lost">;
  readonly release: (key: string, claim: string) => Promise<void>;
  /** What was counted under each name in this minute and those before it. */
  readonly counts: (names: readonly string[], minutes: number) => Promise<readonly Counted[]>;
}

export type Claim<Value> =
  | { readonly status: "claimed"; readonly claim: string; readonly value: Value | undefined }
  | { readonly status: "taken" };

/** Something that happened, with an amount. Counts are kept for an hour. */
export interface Count {
  readonly name: string;
  /** Whole, for example cents. */
  readonly amount: number;
}

export interface Counted {
  readonly times: number;
  readonly amount: number;
}

/** Another function. Throws `BadInput` where it rejects the input, an `Error` where it fails. */
export interface Service<In, Out> {
  readonly call: (input: In, options?: { readonly key?: string }) => Promise<Out>;
}

/** Names with passwords, for example of devices. */
export interface Credentials {
  readonly verify: (name: string, password: string) => boolean;
}

export function documents<Document>(
  schema: Schema<Document>,
  access: Access = "read-write",
): Port<Documents<Document>> {
  return { kind: "documents", access, encoding: encodingOf(schema) };
}

export function records<Value>(schema: Schema<Value>): Port<Records<Value>> {
  return { kind: "records", access: "write", encoding: encodingOf(schema) };
}

export function objects(access: Access = "write"): Port<Objects> {
  return { kind: "objects", access, encoding: "text" };
}

export function rows<Row>(schema: Schema<Row>): Port<Rows<Row>> {
  return { kind: "rows", access: "write", encoding: encodingOf(schema) };
}

export function grid<Value>(schema: Schema<Value>, access: Access = "read-write"): Port<Grid<Value>> {
  return { kind: "grid", access, encoding: encodingOf(schema) };
}

// biome-ignore lint/suspicious/noExplicitAny: whatever ports the called function itself needs
export function service<In, Out>(contract: EventContract<In, Out, any>): Port<Service<In, Out>> {
  return { kind: "service", access: "write", encoding: encodingOf(contract.in) };
}

export function credentials(): Port<Credentials> {
  return { kind: "credentials", access: "read", encoding: "json" };
}

/** Plain settings, for example a URL or a key. The client is the value itself, once it fits the schema. */
export interface SettingsPort<Value> extends Port<Value> {
  readonly schema: Schema<Value>;
}

export function settings<Value>(schema: Schema<Value>): SettingsPort<Value> {
  return { kind: "settings", access: "read", encoding: "json", schema };
}
