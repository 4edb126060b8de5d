/** Objects of JSON lines that grow: read, and written anew on the condition that nobody else has written in between. */
import type { Line } from "../ports.ts";
import { coalesce } from "./coalesce.ts";

export interface StoredObject {
  readonly body: string;
  readonly etag: string;
}

/** What of an object store is used. */
export interface ObjectStore {
  readonly read: (key: string) => Promise<StoredObject | undefined>;
  /** Writes where the object is still the one that was read (or is still missing); answers its new tag, or `undefined` where it is not. */
  readonly write: (key: string, body: string, read: StoredObject | undefined) => Promise<string | undefined>;
}

type Added = "added" | "exists";

interface Known {
  readonly object: StoredObject | undefined;
  readonly ids: ReadonlySet<string>;
}

/** Objects whose content is remembered, so that most writes need no read. */
const remembered = 16;
const linesOfWrite = 10_000;
const mostTries = 10;

export function lineAdder(store: ObjectStore): (key: string, line: Line) => Promise<Added> {
  const adders = new Map<string, (line: Line) => Promise<Added>>();
  return (key, line) => {
    // One write at a time; meanwhile the next one gathers lines.
    const add = adders.get(key) ?? coalesce(growing(store, key), { items: linesOfWrite, calls: 1 });
    adders.delete(key);
    adders.set(key, add);
    const [oldest] = adders.keys();
    if (adders.size > remembered && oldest !== undefined) adders.delete(oldest);
    return add(line);
  };
}

function growing(store: ObjectStore, key: string): (lines: readonly Line[]) => Promise<Added[]> {
  let known: Known | undefined;
  return async (lines) => {
    for (let tries = 1; tries <= mostTries; tries++) {
      const { object, ids } = known ?? (await read(store, key));
      const fresh = new Map<string, Line>();
      for (const line of lines) if (!ids.has(line.id) && !fresh.has(line.id)) fresh.set(line.id, line);
      if (fresh.size > 0) {
        const body = [object?.body ?? "", ...[...fresh.values()].map((line) => `${JSON.stringify(line)}\n`)].join("");
        // Until the answer is there, it is not known what the object holds.
        known = undefined;
        const etag = await store.write(key, body, object);
        if (etag === undefined) continue;
        known = { object: { body, etag }, ids: new Set([...ids, ...fresh.keys()]) };
      }
      return lines.map((line) => (fresh.get(line.id) === line ? "added" : "exists"));
    }
    throw new Error(`others keep writing the object ${key}`);
  };
}

async function read(store: ObjectStore, key: string): Promise<Known> {
  const object = await store.read(key);
  return { object, ids: new Set(object ? parseLines(object.body).map(({ id }) => id) : []) };
}

/** @throws Error where the text is none of JSON lines */
export function parseLines(body: string): Line[] {
  return body
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
}
