/** What the set-up programs have in common: the specification, patience with a server that starts, and clear ends. */
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/** What no further try can help. The message says what to do, and quotes no secret. */
export class Hopeless extends Error {
  override readonly name = "Hopeless";
}

const patience = { wait: 2_000, give: 180_000 };

/** Runs a set-up program: its argument names the file with the specification. */
export async function main<Specification>(work: (specification: Specification) => Promise<string>): Promise<void> {
  const worked = await attempt(() => work(JSON.parse(readFileSync(process.argv[2] ?? "", "utf8"))));
  process.exitCode = worked ? 0 : 1;
}

/**
 * Tries until it works, is hopeless, or took too long; one line for each new reason to wait.
 *
 * @returns whether it worked
 */
export async function attempt(
  work: () => Promise<string>,
  say: (line: string) => void = console.log,
  { wait, give } = patience,
): Promise<boolean> {
  const end = Date.now() + give;
  let last = "";
  for (;;) {
    try {
      say(await work());
      return true;
    } catch (error) {
      const reason = messageOf(error);
      if (error instanceof Hopeless) {
        say(reason);
        return false;
      }
      if (Date.now() + wait > end) {
        say(`gave up after ${give / 1000} s: ${reason}`);
        return false;
      }
      if (reason !== last) say(`waiting: ${reason}`);
      last = reason;
    }
    await sleep(wait);
  }
}

function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return error.errors.map(messageOf).join("; ");
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message}: ${messageOf(error.cause)}` : error.message;
}
