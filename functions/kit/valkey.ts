/** How the kit's clients connect to Valkey (or Redis): TLS, always verified, and a user of their own. */
import { isIP } from "node:net";
import { type RedisOptions, Valkey } from "iovalkey";
import { reasonOf, Unavailable } from "./errors.ts";

export interface ValkeyConnection {
  readonly host: string;
  readonly port: number;
  readonly username: string;
  readonly password: string;
  /** Certificates to trust instead of the well-known ones, in PEM. */
  readonly ca?: string;
}

/** Starts to connect at once, and connects again after every break. Commands fail within seconds where there is no server. */
export function connectValkey({ host, ca, ...rest }: ValkeyConnection, options: RedisOptions = {}): Valkey {
  const client = new Valkey({
    ...rest,
    host,
    tls: { ...(ca !== undefined && { ca }), ...(!isIP(host) && { servername: host }) },
    connectTimeout: 5_000,
    commandTimeout: 5_000,
    // A server whose whole pod is gone does not hang up: without this its connection would be waited on for minutes.
    socketTimeout: 3_000,
    // What was sent may have been done: whoever asked decides whether to ask again.
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 1,
    retryStrategy: (times) => Math.min(times * 100, 2_000),
    ...options,
  });
  // Every command reports its own failure; without a listener a break would be printed.
  client.on("error", () => undefined);
  return client;
}

/** Error codes of a server that starts, is full, or waits for its replicas. */
const away = /^(LOADING|BUSY|MASTERDOWN|NOREPLICAS|READONLY|OOM|MISCONF|TRYAGAIN|CLUSTERDOWN)\b/;

/** The server's own errors say what it refuses; all others are of the connection. */
export function meaningOf(error: unknown): Error {
  const refused = error instanceof Error && error.name === "ReplyError";
  if (refused && !away.test(error.message)) return error;
  return new Unavailable(`Valkey: ${reasonOf(error)}`, { cause: error });
}
