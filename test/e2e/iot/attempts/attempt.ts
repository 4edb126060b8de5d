/** What the attempts share: how they are named and told apart, and raw words to a server. */
import { connect as connectPlain } from "node:net";
import { connect as connectTls } from "node:tls";

/** What must be refused, by what it is. It answers what it was told, or throws what it met; nothing at all is success. */
export type Attempts = Readonly<Record<string, () => Promise<unknown>>>;

/** How an error refuses: the code of the server, under whatever the client has wrapped it in. */
export function refusalOf(error: unknown): unknown {
  const {
    apiId,
    code,
    message,
    errors = [],
    cause,
  } = error as Error & Record<string, unknown> & { errors?: unknown[] };
  if (apiId !== undefined) return apiId;
  const inner = [...errors, cause].filter((each) => each instanceof Error).map(refusalOf);
  return inner.find((refusal) => typeof refusal === "string") ?? code ?? message;
}

interface Address {
  readonly host: string;
  readonly port: number;
}

/** Where a server listens, from a URL or from `host:port`. */
export function addressOf(text: string): Address {
  const { hostname, port } = new URL(text.includes("://") ? text : `tcp://${text}`);
  return { host: hostname, port: Number(port) };
}

const patienceMilliseconds = 10_000;

/** Says some bytes to a server, over TLS if there is a `ca`, and tells how it ended the connection. */
export function say(bytes: Buffer, address: Address, ca?: string): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const socket = ca === undefined ? connectPlain(address) : connectTls({ ...address, ca, servername: address.host });
  let heard = Buffer.alloc(0);
  socket.on(ca === undefined ? "connect" : "secureConnect", () => socket.write(bytes));
  socket.on("data", (data) => {
    heard = Buffer.concat([heard, data]);
  });
  // A server that hangs up with something unread resets the connection: the same to the one who called.
  socket.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "ECONNRESET" && error.code !== "EPIPE") resolve(String(error.code));
  });
  socket.on("close", () => resolve(describe(heard)));
  socket.setTimeout(patienceMilliseconds, () => {
    resolve(heard.length > 0 ? `answered ${heard.toString("hex")}` : "kept waiting");
    socket.destroy();
  });
  return promise;
}

const tlsAlert = 0x15;

function describe(heard: Buffer): string {
  if (heard.length === 0) return "hung up";
  return heard[0] === tlsAlert ? "TLS alert, hung up" : `answered ${heard.toString("hex")}`;
}
