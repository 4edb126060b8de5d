/** Progress goes to standard error, so that the output of `pulumi` and `kubectl` can be piped. */
export function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

export type Say = (line: string) => void;

/**
 * Does one step of work and shows that it goes on: a line when it starts, a line every 30 seconds, and a line with the
 * seconds it took when it ends. What is there already should not be called a step at all.
 */
export async function step<T>(title: string, work: () => Promise<T>): Promise<T> {
  const start = performance.now();
  const seconds = () => Math.round((performance.now() - start) / 100) / 10;
  say(`${title} ...`);
  const beat = setInterval(() => say(`${title} ... ${Math.round(seconds())} s so far`), 30_000);
  try {
    const result = await work();
    say(`${title}: done in ${seconds()} s`);
    return result;
  } catch (error) {
    say(`${title}: failed after ${seconds()} s`);
    throw error;
  } finally {
    clearInterval(beat);
  }
}
