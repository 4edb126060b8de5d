import { Check, defined } from "../core/check.ts";
import { isName, writeName } from "../core/names.ts";
import { isSize, type Size, toBytes, toQuantity, writeSize } from "../core/units.ts";
import type { Method } from "../faas/provider.ts";
import { gatewayDefaults, largestBody, routeDefaults } from "./defaults.ts";

export interface GatewaySettings {
  /**
   * From where clients reach the gateway: from inside the cluster, or from outside through a load balancer.
   *
   * @default "cluster"
   */
  readonly exposure?: "cluster" | "load-balancer";
  /**
   * Further names or wildcards under which clients reach the gateway, for its certificate.
   *
   * @default - none
   */
  readonly hosts?: readonly string[];
  /**
   * Whether clients may speak HTTP/2. Some of them, such as curl 7, then miss an answer that comes before they have sent
   * all of a request: in place of a 401 or 413 they see a broken stream.
   *
   * @default false
   */
  readonly http2?: boolean;
  /**
   * Proxies. Each counts for itself what clients have used of their limits.
   *
   * @default 1
   */
  readonly replicas?: number;
  /**
   * Of each proxy. At four fifths of it, it takes no more requests.
   *
   * @default "256 MiB"
   */
  readonly memory?: Size;
}

export interface GatewayPlan {
  readonly serviceType: "ClusterIP" | "LoadBalancer";
  readonly hosts: readonly string[];
  readonly http2: boolean;
  readonly replicas: number;
  readonly memory: string;
}

/** `"200 per second"`. */
export type Limit = `${number} per ${LimitUnit}`;
type LimitUnit = "second" | "minute" | "hour";

/** What is changed of the headers of a request or an answer, under any name. */
export interface HeaderChanges {
  readonly set?: Readonly<Record<string, string>>;
  readonly remove?: readonly string[];
}

export interface RouteSettings {
  /**
   * What each client may ask of this route; where anyone may call, all of them together. More is answered with 429.
   *
   * @default - no limit
   */
  readonly limit?: Limit;
  /**
   * Most that a request may carry; no function takes more than 1 MiB. More is answered with 413; over HTTP/2, one frame
   * more is let through.
   *
   * @default "1 MiB"
   */
  readonly body?: Size;
  /**
   * The path that the function sees. Variables in it are those of the route.
   *
   * @default - that of the route
   */
  readonly to?: `/${string}`;
  /**
   * What is changed of the headers before the function sees them.
   *
   * @default - the client's name is added, its key removed
   */
  readonly headers?: HeaderChanges;
  /**
   * What is changed of the headers of the answer.
   *
   * @default - nothing
   */
  readonly answer?: HeaderChanges;
}

/** A route that a provider of functions has found to be one. */
export interface RouteParts {
  readonly method: Method;
  readonly path: `/${string}`;
}

export interface RoutePlan {
  /** Names what is made of it, within the gateway. */
  readonly name: string;
  readonly match: {
    readonly method: Method;
    readonly path: { readonly type: "Exact" | "RegularExpression"; readonly value: string };
  };
  readonly rewrite?: Rewrite;
  readonly limit?: { readonly requests: number; readonly unit: "Second" | "Minute" | "Hour" };
  readonly body: string;
}

/** How the path becomes the one that the function sees. */
export type Rewrite =
  | { readonly fullPath: string }
  /** Groups of the pattern are the route's variables. */
  | { readonly pattern: string; readonly substitution: string };

const host = /^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const header = /^[A-Za-z0-9][A-Za-z0-9-]*$/;
const smallestMemory = "64 MiB";
const limitPattern = /^([1-9]\d*) per (second|minute|hour)$/;
/** Envoy Gateway takes no more. */
const mostRequests = 2 ** 32 - 1;

/** @throws KitError naming every mistake in the settings */
export function planGateway(name: string, settings: GatewaySettings): GatewayPlan {
  const want = { ...gatewayDefaults, hosts: [], ...defined(settings) };
  const check = new Check(`Gateway ${JSON.stringify(name)}`);
  check.that(isName(name), "name", writeName(name));
  check.that(
    want.exposure === "cluster" || want.exposure === "load-balancer",
    "exposure",
    `write "cluster" or "load-balancer", got ${JSON.stringify(want.exposure)}`,
  );
  for (const each of want.hosts)
    check.that(host.test(each), "hosts", `write a host name such as "api.example.org", got ${JSON.stringify(each)}`);
  check.that(
    Number.isInteger(want.replicas) && want.replicas >= 1,
    "replicas",
    `must be 1 or more, got ${want.replicas}`,
  );
  check.that(isSize(want.memory), "memory", writeSize(want.memory));
  check.that(
    !isSize(want.memory) || toBytes(want.memory) >= toBytes(smallestMemory),
    "memory",
    `a proxy needs ${JSON.stringify(smallestMemory)} or more, got ${JSON.stringify(want.memory)}`,
  );
  check.done();
  return {
    serviceType: want.exposure === "cluster" ? "ClusterIP" : "LoadBalancer",
    hosts: want.hosts,
    http2: want.http2,
    replicas: want.replicas,
    memory: toQuantity(want.memory),
  };
}

/** @throws KitError naming every mistake in the settings */
export function planGatewayRoute(
  gateway: string,
  { method, path }: RouteParts,
  settings: RouteSettings,
  target: RouteParts,
): RoutePlan {
  const { limit, body, headers = {}, answer = {} } = { ...routeDefaults, ...defined(settings) };
  const check = new Check(`Route "${method} ${path}" of Gateway ${JSON.stringify(gateway)}`);
  const [, requests = "", unit = ""] = limitPattern.exec(limit ?? "") ?? [];
  check.that(
    limit === undefined || (requests !== "" && Number(requests) <= mostRequests),
    "limit",
    `write a limit such as "200 per second", got ${JSON.stringify(limit)}`,
  );
  check.that(isSize(body), "body", writeSize(body));
  check.that(
    !isSize(body) || toBytes(body) <= toBytes(largestBody),
    "body",
    `functions take ${JSON.stringify(largestBody)} at most, got ${JSON.stringify(body)}`,
  );
  const variables = variablesOf(path);
  for (const each of variablesOf(target.path))
    check.that(variables.includes(each), "to", `the route has no variable ":${each}"`);
  for (const [setting, { set = {}, remove = [] }] of Object.entries({ headers, answer }))
    for (const each of [...Object.keys(set), ...remove])
      check.that(header.test(each), setting, `write names such as "x-request-source", got ${JSON.stringify(each)}`);
  check.done();
  const slug = path.replace(/[^A-Za-z0-9]+/g, "-").replace(/-$/, "");
  return {
    name: `${method}${slug}`.toLowerCase(),
    match: {
      method,
      path:
        variables.length > 0
          ? { type: "RegularExpression", value: patternOf(path, "[^/]+") }
          : { type: "Exact", value: path },
    },
    ...(target.path !== path && { rewrite: rewriteOf(path, target.path) }),
    ...(limit !== undefined && {
      limit: { requests: Number(requests), unit: unitNames[unit as LimitUnit] },
    }),
    body: String(toBytes(body)),
  };
}

const unitNames = { second: "Second", minute: "Minute", hour: "Hour" } as const;

function rewriteOf(from: string, to: string): Rewrite {
  if (variablesOf(to).length === 0) return { fullPath: to };
  const variables = variablesOf(from);
  const group = (name: string) => `\\${variables.indexOf(name) + 1}`;
  return {
    pattern: `^${patternOf(from, "([^/]+)")}$`,
    substitution: to.replace(variable, (_, name) => group(name)),
  };
}

const variable = /:(\w+)/g;

const variablesOf = (path: string): string[] => [...path.matchAll(variable)].map(([, name = ""]) => name);

const patternOf = (path: string, segment: string) => path.replaceAll(".", "\\.").replace(variable, () => segment);
