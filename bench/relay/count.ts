/** The function of the bench: remembers which events it was given, in which order and when. */
import { handle, reply } from "../../functions/kit/handle.ts";
import { now } from "./clock.ts";
import { count, type Event, type Seen } from "./event.ts";

let ids: number[] = [];
let times: number[] = [];

export function remember({ id }: Event): void {
  ids.push(id);
  times.push(now());
}

export default handle(count, (event, _, { method, query }) => {
  if (method === "DELETE") [ids, times] = [[], []];
  if (event) remember(event);
  const from = Number(query.from ?? ids.length);
  // Fission's own trigger takes nothing but 200 for success.
  return reply(200, { count: ids.length, ids: ids.slice(from), times: times.slice(from) } satisfies Seen);
});
