/** Dead letters in a stream of Valkey (or Redis): written and read as the records of a topic with one partition are. */
import type { Valkey } from "iovalkey";
import type { TopicReader, TopicRecord } from "../kit/topic-reader.ts";
import { connectValkey, meaningOf, type ValkeyConnection } from "../kit/valkey.ts";
import type { Publisher } from "./kafka.ts";

const entriesAtOnce = 500;
/** Entries of one millisecond are counted in these bits of an offset. */
const countBits = 22n;
const header = "header:";

export function streamPublisher(server: ValkeyConnection): Publisher {
  const client = connectValkey(server);
  return {
    send: async (records) => {
      const transaction = client.multi();
      for (const { topic, key, value, headers } of records) {
        const named = [...headers].flatMap(([name, bytes]) => [`${header}${name}`, bytes]);
        transaction.xadd(topic, "*", ...(key ? ["key", key] : []), "value", value, ...named);
      }
      const answers = await transaction.exec().catch((error: unknown) => Promise.reject(meaningOf(error)));
      const failed = answers?.find(([error]) => error)?.[0];
      if (failed) throw meaningOf(failed);
    },
    close: async () => client.disconnect(),
  };
}

export function streamReader(server: ValkeyConnection, stream: string): TopicReader {
  const client = connectValkey(server);
  return {
    starts: async () => [0n],
    ends: async () => {
      const [last] = await client.xrevrange(stream, "+", "-", "COUNT", 1);
      return [last ? offsetOf(last[0]) + 1n : 0n];
    },
    since: async (milliseconds) => [BigInt(milliseconds) << countBits],
    read: ([from = 0n], [to = 0n]) => read(client, stream, from, to),
    close: async () => client.disconnect(),
  };
}

async function* read(client: Valkey, stream: string, from: bigint, to: bigint): AsyncIterable<TopicRecord> {
  for (let at = from; at < to; ) {
    const entries = await client.xrangeBuffer(stream, idOf(at), idOf(to - 1n), "COUNT", entriesAtOnce);
    for (const [id, fields] of entries) yield recordOf(offsetOf(id.toString()), fields);
    const last = entries.at(-1);
    if (!last) return;
    at = offsetOf(last[0].toString()) + 1n;
  }
}

function recordOf(offset: bigint, fields: readonly Buffer[]): TopicRecord {
  const named = new Map<string, Buffer>();
  for (let at = 0; at + 1 < fields.length; at += 2) named.set(String(fields[at]), fields[at + 1] as Buffer);
  const headers = [...named].flatMap(([name, bytes]) =>
    name.startsWith(header) ? [[name.slice(header.length), bytes] as const] : [],
  );
  const value = named.get("value") ?? Buffer.alloc(0);
  return { partition: 0, offset, key: named.get("key"), value, headers: new Map(headers) };
}

function offsetOf(id: string): bigint {
  const [milliseconds = "0", count = "0"] = id.split("-");
  return (BigInt(milliseconds) << countBits) | BigInt(count);
}

function idOf(offset: bigint): string {
  return `${offset >> countBits}-${offset & ((1n << countBits) - 1n)}`;
}
