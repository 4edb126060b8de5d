/** The client of the port kind `grid`: a map in Valkey. What must happen in one step is a script, which the server runs by itself. */
import { randomUUID } from "node:crypto";
import type { Count, Counted, Grid, Port } from "../ports.ts";
import { connectValkey, meaningOf, type ValkeyConnection } from "../valkey.ts";

export interface GridSettings extends ValkeyConnection {
  /** The map: the first part of all its keys. */
  readonly map: string;
  /** How long a value is kept after it was written. */
  readonly keepMilliseconds: number;
  /** How long an entry of the stream is kept. */
  readonly retentionMilliseconds: number;
}

/** Counts are kept for an hour, and a little longer, because a minute begins at different times on different machines. */
const countSeconds = 3_720;

/** Names of the keys of a map. */
export const keysOf = (map: string) => ({
  value: (key: string) => `${map}:value:${key}`,
  claim: (key: string) => `${map}:claim:${key}`,
  count: (name: string, minute: number) => `${map}:count:${name}:${minute}`,
  stream: `${map}:changes`,
});

export function connect(settings: GridSettings, { encoding }: Pick<Port<unknown>, "encoding">): Grid<unknown> {
  const { map, keepMilliseconds, retentionMilliseconds, ...server } = settings;
  const client = connectValkey(server, { scripts });
  const keys = keysOf(map);
  const encode = (value: unknown) => (encoding === "text" ? String(value) : JSON.stringify(value));
  const decode = (text: string | null) =>
    text === null ? undefined : encoding === "text" ? text : (JSON.parse(text) as unknown);
  const ask = <Answer>(name: keyof typeof scripts, keyList: string[], ...values: (string | number)[]) =>
    (client as unknown as Record<string, (...all: unknown[]) => Promise<Answer>>)
      [name]?.(keyList.length, ...keyList, ...values)
      .catch((error: unknown) => Promise.reject(meaningOf(error))) as Promise<Answer>;

  return {
    get: async (key) => decode(await client.get(keys.value(key)).catch((error) => Promise.reject(meaningOf(error)))),
    claim: async (key, milliseconds) => {
      const claim = randomUUID();
      const keyList = [keys.claim(key), keys.value(key)];
      const [taken, value = null] = await ask<[number, string?]>("claimKey", keyList, claim, milliseconds);
      return taken === 1 ? { status: "taken" } : { status: "claimed", claim, value: decode(value) };
    },
    write: async (key, value, claim, count: readonly Count[] = []) => {
      const minute = minuteNow();
      const written = await ask<number>(
        "writeValue",
        [keys.claim(key), keys.value(key), keys.stream, ...count.map(({ name }) => keys.count(name, minute))],
        ...[claim, key, encode(value), keepMilliseconds, Date.now() - retentionMilliseconds, countSeconds],
        ...count.map(({ amount }) => amount),
      );
      return written === 1 ? "written" : "lost";
    },
    release: async (key, claim) => {
      await ask("releaseKey", [keys.claim(key)], claim);
    },
    counts: async (names, minutes): Promise<Counted[]> => {
      const now = minuteNow();
      const buckets = names.flatMap((name) => Array.from({ length: minutes }, (_, ago) => keys.count(name, now - ago)));
      const sums = await ask<number[]>("sumCounts", buckets, minutes);
      return names.map((_, at) => ({ times: sums[2 * at] ?? 0, amount: sums[2 * at + 1] ?? 0 }));
    },
  };
}

const minuteNow = () => Math.floor(Date.now() / 60_000);

const scripts = {
  claimKey: {
    lua: `
      if not redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return {1} end
      local value = redis.call('GET', KEYS[2])
      return value and {0, value} or {0}`,
  },
  writeValue: {
    lua: `
      local claim, key, value, keep, oldest, countSeconds = unpack(ARGV, 1, 6)
      if redis.call('GET', KEYS[1]) ~= claim then return 0 end
      redis.call('SET', KEYS[2], value, 'PX', keep)
      redis.call('XADD', KEYS[3], 'MINID', '~', oldest, '*', 'key', key, 'value', value)
      for at = 4, #KEYS do
        redis.call('HINCRBY', KEYS[at], 'times', 1)
        redis.call('HINCRBY', KEYS[at], 'amount', ARGV[at + 3])
        redis.call('EXPIRE', KEYS[at], countSeconds)
      end
      redis.call('DEL', KEYS[1])
      return 1`,
  },
  releaseKey: {
    lua: `if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end return 1`,
  },
  sumCounts: {
    lua: `
      local minutes, sums = tonumber(ARGV[1]), {}
      for first = 1, #KEYS, minutes do
        local times, amount = 0, 0
        for at = first, first + minutes - 1 do
          local bucket = redis.call('HMGET', KEYS[at], 'times', 'amount')
          times = times + (tonumber(bucket[1]) or 0)
          amount = amount + (tonumber(bucket[2]) or 0)
        end
        sums[#sums + 1] = times
        sums[#sums + 1] = amount
      end
      return sums`,
  },
} as const;
