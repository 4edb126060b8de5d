/** Reads a map of the data grid: its values, the entries of its stream, and its dead letters. */
import { type GridSettings, keysOf } from "../kit/clients/grid.ts";
import { connectValkey } from "../kit/valkey.ts";
import { streamReader } from "../relay/streams.ts";
import { readDeadLetters } from "./dead-letters.ts";

export interface MapReader<Value> {
  /** By key, of those that are wanted. */
  values(wanted: (key: string) => boolean): Promise<Map<string, Value>>;
  /** What was written from this time on, in its order. */
  written(since: number): Promise<Value[]>;
  /** Reasons of the dead letters from this time on that were not sent again, by key. */
  deadLetters(since: number): Promise<Map<string, string>>;
  close(): void;
}

const atOnce = 1_000;

export function mapReader<Value>({ map, ...server }: GridSettings): MapReader<Value> {
  const client = connectValkey(server);
  const prefix = keysOf(map).value("");
  return {
    async values(wanted) {
      const values = new Map<string, Value>();
      for await (const names of client.scanStream({ match: `${prefix}*`, count: atOnce })) {
        const keys = (names as string[]).map((name) => name.slice(prefix.length)).filter(wanted);
        if (keys.length === 0) continue;
        const texts = await client.mget(keys.map((key) => `${prefix}${key}`));
        for (const [at, text] of texts.entries())
          if (text !== null) values.set(keys[at] as string, JSON.parse(text) as Value);
      }
      return values;
    },
    async written(since) {
      const values: Value[] = [];
      for (let from = String(since); ; ) {
        const entries = await client.xrange(keysOf(map).stream, from, "+", "COUNT", atOnce);
        for (const [, fields] of entries) values.push(JSON.parse(fields[fields.indexOf("value") + 1] ?? "") as Value);
        const [last] = entries.at(-1) ?? [];
        if (last === undefined || entries.length < atOnce) return values;
        from = `(${last}`;
      }
    },
    async deadLetters(since) {
      const { open } = await readDeadLetters(streamReader(server, `${map}.dead-letters`), since);
      return new Map(open.map(({ key = "", reason }) => [key, reason]));
    },
    close: () => client.disconnect(),
  };
}
