import type { FunctionAddress, Outcome, WireEvent } from "../batch.ts";
import { strictCaller } from "../caller.ts";
import { BadInput } from "../errors.ts";
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
    async (events) => (await Promise.all(split(events).map((batch) => call(batch)))).flat(),
    { items: 500, calls: 4 },
  );
  return {
    call: async (input, { key } = {}) => {
      const value = encoding === "text" ? String(input) : JSON.stringify(input);
      const outcome = await send({ origin: "call", headers: {}, value, attempt: 1, ...(key !== undefined && { key }) });
      if (outcome.status === "done") return outcome.out;
      throw outcome.status === "rejected" ? new BadInput(outcome.reason) : new Error(outcome.reason);
    },
  };
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
