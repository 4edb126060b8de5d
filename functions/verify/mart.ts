/** Reads a table of the mart: while it fills, and whole. */
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "pg";
import type { RowsSettings } from "../kit/clients/rows.ts";

export interface Mart<Row> {
  /** Tells the ids of rows that come from now on, some of them more than once, until the signal. */
  watch(everyMilliseconds: number, signal: AbortSignal, found: (id: string) => void): Promise<void>;
  /** All rows, in the order in which they were stored. */
  rows(): Promise<Row[]>;
  close(): Promise<void>;
}

/** Rows become visible in the order of commits, not of their numbers: now and then so many are looked at again. */
const lookBack = { rows: 1_000, everyTimes: 10 };

export async function connectMart<Row>(settings: RowsSettings): Promise<Mart<Row>> {
  const { host, port, database, username: user, password, ca, table } = settings;
  const client = new Client({ host, port, database, user, password, ssl: ca ? { ca } : true });
  await client.connect();
  return {
    async watch(everyMilliseconds, signal, found) {
      const { rows } = await client.query(`select coalesce(max(stored), 0) as last from ${table}`);
      let last = Number(rows[0].last);
      for (let times = 1; !signal.aborted; times++) {
        const after = times % lookBack.everyTimes === 0 ? last - lookBack.rows : last;
        const { rows } = await client.query<{ id: string; stored: string }>({
          name: "watch",
          text: `select id, stored from ${table} where stored > $1 order by stored`,
          values: [after],
        });
        for (const { id } of rows) found(id);
        last = Math.max(last, Number(rows.at(-1)?.stored ?? last));
        await sleep(everyMilliseconds);
      }
    },
    rows: async () => (await client.query(`select * from ${table} order by stored`)).rows,
    close: () => client.end(),
  };
}
