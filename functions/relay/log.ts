import type { Log } from "./event.ts";

/** One line of JSON for each entry, as log collectors want it. */
export const log: Log = (level, message, fields) => {
  console.log(JSON.stringify({ time: new Date().toISOString(), level, message, ...fields }));
};
