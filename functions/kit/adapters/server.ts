/** A plain HTTP server, for functions that run as a Deployment. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Connectors } from "../connect-ports.ts";
import type { Handler } from "../handle.ts";
import { sameSecret } from "../secret.ts";
import { type HostReply, type HostRequest, isEventHandler, mountedPorts, problem, serve } from "../serve.ts";
import { readSettings } from "../settings.ts";

const port = 8080;
/** As much as Fission takes. */
const largestBody = 1024 * 1024;

/** What is mounted as the file `serve` beside the settings of the ports: the token that callers of a function of events show. */
export interface ServeSettings {
  readonly token: string;
}

/**
 * Starts to listen on port 8080; ends the process once SIGTERM has come and all that was begun is answered.
 *
 * Functions of events ask for the bearer token. Functions of requests are open, as they are at Fission's router.
 */
export function adapt(handler: Handler, connectors: Connectors): void {
  const settings = isEventHandler(handler) ? readSettings<ServeSettings>(handler.contract.name, "serve") : undefined;
  const server = functionServer(handler, connectors, settings?.token);
  server.listen(port);
  process.once("SIGTERM", () => server.close(() => process.exit(0)));
}

/** The server, not yet listening. */
export function functionServer(handler: Handler, connectors: Connectors, token?: string): Server {
  const ports = mountedPorts(handler, connectors);
  const server = createServer(async (request, response) => {
    const url = new URL(request.url ?? "/", "http://function");
    if (url.pathname === "/healthz") return send(response, { status: 200, headers: {}, body: "ok" });
    if (token !== undefined && !sameSecret(request.headers.authorization ?? "", `Bearer ${token}`)) {
      return send(response, problem(401, "Show the function's bearer token", { "www-authenticate": "Bearer" }));
    }
    const body = await read(request).catch(() => undefined);
    if (!body) return request.destroy();
    if (body === "too large") return send(response, problem(413, `The body is larger than ${largestBody} bytes`));
    send(response, await serve(handler, ports, { ...describe(request, url), body }));
  });
  server.keepAliveTimeout = 65_000;
  // Callers keep connections for as long as they can: now and then a new one finds the pods added since.
  server.maxRequestsPerSocket = 1000;

  function send(response: ServerResponse, { status, headers, body }: HostReply) {
    if (!server.listening) response.setHeader("connection", "close");
    response.writeHead(status, { ...headers, "content-length": Buffer.byteLength(body) }).end(body);
  }
  return server;
}

function describe(request: IncomingMessage, url: URL): Omit<HostRequest, "body"> {
  return {
    method: request.method ?? "GET",
    path: url.pathname,
    params: {},
    query: Object.fromEntries(url.searchParams),
    headers: Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)])),
  };
}

async function read(request: IncomingMessage): Promise<Buffer | "too large"> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    // Read to the end all the same: a sender listens only once it has sent everything.
    if (length <= largestBody) chunks.push(chunk);
  }
  return length <= largestBody ? Buffer.concat(chunks) : "too large";
}
