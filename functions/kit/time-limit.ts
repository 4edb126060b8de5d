import type { Timeout } from "./contract.ts";

export class TimedOut extends Error {
  override readonly name = "TimedOut";
}

export function milliseconds(timeout: Timeout): number {
  const [number, unit] = timeout.split(" ");
  return Number(number) * (unit?.startsWith("minute") ? 60_000 : 1000);
}

/**
 * Runs work that may take only so long. Work that does not heed the signal goes on in the background.
 *
 * @throws TimedOut when the time is up
 */
export async function within<T>(timeout: Timeout, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const timeUp = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    const error = new TimedOut(`timed out after ${timeout}`);
    timeUp.reject(error);
    controller.abort(error);
  }, milliseconds(timeout));
  try {
    return await Promise.race([work(controller.signal), timeUp.promise]);
  } finally {
    clearTimeout(timer);
  }
}
