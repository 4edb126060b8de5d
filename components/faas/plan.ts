import type { Contract } from "../../functions/kit/contract.ts";
import { type Bundle, bundleFunction } from "../core/bundle.ts";
import { Check, defined } from "../core/check.ts";
import { isName, writeName } from "../core/names.ts";
import { type Duration, isDuration, toMilliseconds } from "../core/units.ts";
import { defaults } from "./defaults.ts";
import type { FaasProvider, Method, RequestTrigger, Scale, Trigger } from "./provider.ts";

export interface FunctionOptions {
  /** Pods that always run.
   *  @default 1 */
  readonly replicas?: number;
  /** Pods at most; more than `replicas` needs a provider that scales, and a metrics server in the cluster.
   *  @default - the same as `replicas` */
  readonly maxReplicas?: number;
}

export type Route = `${Method} /${string}`;

/** `"every 5 minutes"`, or five fields of cron. */
export type Schedule = `every ${Duration}` | Cron;
type Cron = `${string} ${string} ${string} ${string} ${string}`;

export interface PlannedFunction {
  readonly bundle: Bundle;
  readonly timeoutSeconds: number;
  readonly scale: Scale;
}

const methods: readonly string[] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] satisfies Method[];
const path = /^(\/(:[A-Za-z]\w*|(?!\.+(\/|$))[\w.~-]+))+$/;
const cronField = /^[\d*/,-]+$/;

/** @throws KitError naming everything that is wrong with the function */
export function planFunction(contract: Contract, provider: FaasProvider, options: FunctionOptions): PlannedFunction {
  const want = { ...defaults, ...defined(options) };
  const most = want.maxReplicas ?? want.replicas;
  const check = new Check(`Function "${contract.name}"`);
  check.that(isName(contract.name), "name", writeName(contract.name));
  check.that(isDuration(contract.timeout), "timeout", `write a time such as "10 seconds", got "${contract.timeout}"`);
  check.that(
    Number.isInteger(want.replicas) && want.replicas >= 1,
    "replicas",
    `must be 1 or more, got ${want.replicas}`,
  );
  check.that(
    Number.isInteger(most) && most >= want.replicas,
    "maxReplicas",
    `must be ${want.replicas} or more, got ${most}`,
  );
  check.done();
  const bundle = bundleFunction(contract, provider.adapter);
  const size = provider.pack(bundle).length;
  const { inlineBytes } = provider.limits;
  check.that(
    size <= inlineBytes,
    "entry",
    `its packed code is ${size.toLocaleString("en")} bytes, ${provider.name} takes ${inlineBytes.toLocaleString("en")}; import less`,
  );
  check.done();
  return {
    bundle,
    timeoutSeconds: requestSeconds(contract),
    scale: { min: want.replicas, max: most },
  };
}

/** A batch holds many events, of which those with the same key go one after another. */
export function requestSeconds({ on, timeout }: Contract): number {
  const seconds = Math.ceil(toMilliseconds(timeout as Duration) / 1000);
  return on === "event" ? Math.max(60, 6 * seconds) : seconds + 5;
}

/** @throws KitError if this is no route */
export function planRoute(route: Route): RequestTrigger {
  const [method = "", where = "", ...rest] = route.split(" ");
  const check = new Check(`Route "${route}"`);
  check.that(methods.includes(method), "method", `use one of ${methods.join(", ")}`);
  check.that(
    rest.length === 0 && path.test(where),
    "path",
    'write a path such as "/readings" or "/devices/:device", without a slash at its end',
  );
  check.done();
  return { on: "request", method: method as Method, path: where as `/${string}` };
}

/** @throws KitError if this is no schedule */
export function planSchedule(when: Schedule, name: string): Trigger {
  const check = new Check(`Schedule "${when}" of "${name}"`);
  const interval = when.startsWith("every ") ? when.slice("every ".length) : undefined;
  const cron = interval === undefined ? when : everyToCron(interval);
  const fields = (cron ?? "").split(" ");
  check.that(
    fields.length === 5 && fields.every((field) => cronField.test(field)),
    "schedule",
    interval === undefined
      ? 'write five fields of cron such as "0 3 * * *", or "every 5 minutes"'
      : "an interval must divide an hour or a day, such as 5 minutes, 2 hours or 1 day; else write cron",
  );
  check.done();
  return { on: "time", name, cron: cron ?? "" };
}

/** Cron can say only intervals that divide the next larger unit. */
function everyToCron(interval: string): string | undefined {
  if (!isDuration(interval)) return undefined;
  const minutes = toMilliseconds(interval) / 60_000;
  if (minutes === 24 * 60) return "0 0 * * *";
  if (Number.isInteger(minutes) && minutes < 60 && 60 % minutes === 0) return `*/${minutes} * * * *`;
  const hours = minutes / 60;
  return Number.isInteger(hours) && hours < 24 && 24 % hours === 0 ? `0 */${hours} * * *` : undefined;
}
