import DataLoader from "dataloader";

const lingerMilliseconds = 2;

export interface CoalesceOptions {
  /** The most items of one call. */
  readonly items: number;
  /** Calls under way at a time; meanwhile the next one gathers items. */
  readonly calls: number;
}

/** Turns calls for single items into few calls for many: those of the same milliseconds, or all that wait for a call to end. */
export function coalesce<Item, Result>(
  call: (items: readonly Item[]) => Promise<readonly (Result | Error)[]>,
  { items, calls }: CoalesceOptions,
): (item: Item) => Promise<Result> {
  let free = calls;
  const waiting: (() => void)[] = [];
  const start = (run: () => void) => {
    if (free > 0) {
      free--;
      run();
    } else waiting.push(run);
  };
  const end = () => {
    const next = waiting.shift();
    if (next) next();
    else free++;
  };
  const loader = new DataLoader<Item, Result>((batch) => call(batch).finally(end), {
    cache: false,
    maxBatchSize: items,
    batchScheduleFn: (run) => setTimeout(start, lingerMilliseconds, run),
  });
  return (item) => loader.load(item);
}
