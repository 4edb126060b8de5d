/** Sizes and durations in words; plain so that they can be checked before anything is created. */
export type Size = `${number} ${"KiB" | "MiB" | "GiB" | "TiB"}`;
export type Duration = `${number} ${DurationUnit}` | `${number} ${DurationUnit}s`;
type DurationUnit = "millisecond" | "second" | "minute" | "hour" | "day";

const size = /^(\d+(?:\.\d+)?) (KiB|MiB|GiB|TiB)$/;
const duration = /^(\d+(?:\.\d+)?) (millisecond|second|minute|hour|day)s?$/;
const bytes: Record<string, number> = { KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 };
const milliseconds: Record<string, number> = { millisecond: 1, second: 1e3, minute: 6e4, hour: 36e5, day: 864e5 };

export const isSize = (value: unknown): value is Size => positive(size, value);
export const isDuration = (value: unknown): value is Duration => positive(duration, value);

/** `"10 GiB"` as Kubernetes writes it: `10Gi`. */
export const toQuantity = (value: Size): string => value.replace(size, (_, number, unit) => number + unit.slice(0, 2));
export const toBytes = (value: Size): number => convert(size, bytes, value);
export const toMilliseconds = (value: Duration): number => convert(duration, milliseconds, value);

export const writeSize = (got: unknown): string => `write a size such as "10 GiB", got ${JSON.stringify(got)}`;
export const writeDuration = (got: unknown): string => `write a duration such as "7 days", got ${JSON.stringify(got)}`;

function positive(pattern: RegExp, value: unknown): boolean {
  return typeof value === "string" && Number(pattern.exec(value)?.[1]) > 0;
}

function convert(pattern: RegExp, factors: Record<string, number>, value: string): number {
  const [, number, unit] = pattern.exec(value) ?? [];
  return Math.round(Number(number) * (factors[unit ?? ""] ?? Number.NaN));
}
