/**
 * What goes over HTTP between the relay (or another function) and a function: a batch of events, and one outcome for each.
 *
 * A batch is a `POST` of `application/json` with the header `fivefold-batch: 1`; the answer is 200 with one outcome per
 * event, in the order of the events. Any other answer means that no event of the batch counts as done.
 */
export const batchHeader = "fivefold-batch";

export interface BatchRequest {
  readonly events: readonly WireEvent[];
}

export interface WireEvent {
  /** Where it came from, for messages: `topic/partition/offset` or the like. */
  readonly origin: string;
  /** Events of one key are handled one after another. */
  readonly key?: string;
  readonly headers: Readonly<Record<string, string>>;
  /** The payload as UTF-8 text, or in base64 where it is no UTF-8 text. */
  readonly value: string;
  readonly base64?: true;
  /** 1 for the first try. */
  readonly attempt: number;
}

export interface BatchResponse {
  readonly outcomes: readonly Outcome[];
}

export type Outcome =
  | { readonly status: "done"; readonly out?: unknown }
  /** Bad input: no retry. */
  | { readonly status: "rejected"; readonly reason: string }
  /** What the function needs cannot be reached: to be tried again, at no cost to the event. */
  | { readonly status: "unavailable"; readonly reason: string }
  /** Anything else: to be tried again. */
  | { readonly status: "failed"; readonly reason: string };

/** The reason of an event that was not tried because an earlier one of its key failed: it had no attempt of its own. */
export const waitsForEarlier = "waits for an earlier event of its key";

/** Where a deployed function answers batches, and how a caller shows who it is. */
export interface FunctionAddress {
  readonly url: string;
  readonly auth:
    | { readonly kind: "bearer"; readonly token: string }
    /** Fission's internal listener: HMAC with the key derived for `router-internal` (base64). */
    | { readonly kind: "fission"; readonly key: string };
}
