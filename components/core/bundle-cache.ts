/** Remembers bundles between runs: making them takes seconds, and a preview mostly finds the sources as they were. */
import { createHash, randomUUID } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export interface Built {
  readonly code: string;
  /** The files it was made from. */
  readonly inputs: readonly string[];
}

interface Remembered {
  readonly code: string;
  /** By file, what changes with its content. */
  readonly inputs: Readonly<Record<string, string>>;
}

/**
 * @param folder may be deleted at any time
 * @param key of everything that decides the bundle but the files' contents
 */
export function remembered(folder: string, key: string, make: () => Built): string {
  const file = join(folder, `${createHash("sha256").update(key).digest("hex")}.json`);
  const known = read(file);
  if (known && Object.entries(known.inputs).every(([input, state]) => stateOf(input) === state)) return known.code;
  const { code, inputs } = make();
  write(file, { code, inputs: Object.fromEntries(inputs.map((input) => [input, stateOf(input)])) });
  return code;
}

function stateOf(file: string): string {
  const known = statSync(file, { throwIfNoEntry: false });
  return known ? `${known.mtimeMs}-${known.size}` : "gone";
}

function read(file: string): Remembered | undefined {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return undefined;
  }
}

/** A folder that cannot be written costs time, nothing else. */
function write(file: string, content: Remembered): void {
  const fresh = `${file}.${randomUUID()}`;
  try {
    mkdirSync(join(file, ".."), { recursive: true });
    writeFileSync(fresh, JSON.stringify(content));
    renameSync(fresh, file);
  } catch {}
}
