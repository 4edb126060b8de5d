import type { FunctionAddress, Outcome, WireEvent } from "../batch.ts";
import { isNotThere, strictCaller } from "../caller.ts";
import { BadInput, reasonOf, Unavailable } from "../errors.ts";
import type { Port, Service } from "../ports.ts";
import { coalesce } from "./coalesce.ts";

const timeoutMilliseconds = 30_000;
/** The largest body is 1 MiB; the rest is for what goes around the payloads. */
const bytesOfBatch = 700_000;

/** Calls another function. */
export function connect(
  address: FunctionAddress,
  { encoding }: Pick<Port<unknown>, "encoding">,
): Service<unknown, unknown> {
  const call = strictCaller(address, { timeoutMilliseconds });
  const send = coalesce<WireEvent, Outcome>(
    async (events) => {
      const answers = split(events).map((batch) =>
        call(batch).catch((error: unknown) => {
          throw isNotThere(error) ? new Unavailable(reasonOf(error), { cause: error }) : error;
        }),
      );
      return (await Promise.all(answers)).flat();
    },
    { items: 500, calls: 4 },
  );
  return {
    call: async (input, { key } = {}) => {
      const value = encoding === "text" ? String(input) : JSON.stringify(input);
      const outcome = await send({ origin: "call", headers: {}, value, attempt: 1, ...(key !== undefined && { key }) });
      if (outcome.status === "done") return outcome.out;
      throw errorOf(outcome);
    },
  };
}

function errorOf({ status, reason }: Exclude<Outcome, { status: "done" }>): Error {
  switch (status) {
    case "rejected":
      return new BadInput(reason);
    case "unavailable":
      return new Unavailable(reason);
    case "failed":
      return new Error(reason);
  }
}

function split(events: readonly WireEvent[]): WireEvent[][] {
  const batches: WireEvent[][] = [];
  let room = 0;
  for (const event of events) {
    const bytes = Buffer.byteLength(JSON.stringify(event.value));
    if (bytes > room) {
      batches.push([]);
      room = bytesOfBatch;
    }
    batches.at(-1)?.push(event);
    room -= bytes;
  }
  return batches;
}
