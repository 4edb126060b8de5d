/** Lets one function on Fission take both: the relay's batches, and the single events of Fission's own trigger. */
import { adapt as adaptOne, type FissionContext } from "../../functions/kit/adapters/fission.ts";
import { batchHeader } from "../../functions/kit/batch.ts";
import type { Connectors } from "../../functions/kit/connect-ports.ts";
import { type Handler, handle } from "../../functions/kit/handle.ts";
import type { HostReply } from "../../functions/kit/serve.ts";
import { remember } from "./count.ts";
import { countBatches } from "./event.ts";

export function adapt(handler: Handler, connectors: Connectors): (context: FissionContext) => Promise<HostReply> {
  const single = adaptOne(handler, connectors);
  const batches = adaptOne(handle(countBatches, remember), connectors);
  return (context) => (batchHeader in context.request.headers ? batches(context) : single(context));
}
