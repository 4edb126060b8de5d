import type { Contract, Ports } from "./contract.ts";
import type { ConnectPorts } from "./handle.ts";
import type { Kind, Port } from "./ports.ts";

/** Makes the client of a port from its settings: what each `clients/<kind>.ts` exports as `connect`. */
export type Connect = (settings: never, port: Port<unknown>) => unknown;

/** The clients that a function's bundle carries. */
export type Connectors = Readonly<Partial<Record<Kind, Connect>>>;

/**
 * Connects each port once per process, when the first event needs it. A connect that failed is tried again with the next event.
 *
 * @throws Error at once where a client is missing
 */
export function connectPorts(
  contract: Contract,
  connectors: Connectors,
  settingsOf: (port: string) => object,
): ConnectPorts {
  const connects = Object.entries(contract.needs as Ports).map(([name, port]) => {
    const connect = connectors[port.kind];
    if (!connect)
      throw new Error(`The bundle of ${contract.name} lacks the client for "${port.kind}" (port "${name}")`);
    return [name, once(async () => connect(settingsOf(name) as never, port))] as const;
  });
  return async () =>
    Object.fromEntries(await Promise.all(connects.map(async ([name, client]) => [name, await client()])));
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make().catch((error: unknown) => {
      made = undefined;
      throw error;
    });
    return made;
  };
}
