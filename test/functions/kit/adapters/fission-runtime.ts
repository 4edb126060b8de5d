/** The calling convention of Fission's published Node environment (its `server.js`, with Express 5 and body-parser), without Express. */
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";

interface Context {
  readonly request: { method: string; url: string; headers: IncomingHttpHeaders; body?: unknown };
}

const limit = 1024 * 1024;

export function fissionRuntime(userFunction: (context: Context) => Promise<unknown>): Server {
  if (userFunction.length !== 1) throw new Error("the environment would call this with a callback");
  return createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const bytes = Buffer.concat(chunks);
    const send = (status: number, body: string, headers: Record<string, string> = {}) => {
      for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
      if (!response.hasHeader("content-type")) response.setHeader("content-type", "text/html; charset=utf-8");
      response.writeHead(status).end(body);
    };
    if (bytes.length > limit) return send(413, "<pre>PayloadTooLargeError</pre>");
    let body: unknown;
    try {
      body = parse(bytes, request.headers["content-type"]);
    } catch {
      return send(400, "<pre>SyntaxError</pre>");
    }
    const context = {
      request: { method: request.method ?? "", url: request.url ?? "", headers: request.headers, body },
    };
    try {
      const answer = (await userFunction(context)) as {
        status: number;
        body: string;
        headers?: Record<string, string>;
      };
      // A status that is missing leaves the request open for ever.
      if (answer.status) send(answer.status, answer.body, answer.headers);
    } catch {
      send(500, "Internal server error");
    }
  });
}

function parse(bytes: Buffer, type = ""): unknown {
  if (bytes.length === 0) return undefined;
  if (/^application\/json\b/.test(type)) {
    if (!/^\s*[[{]/.test(bytes.toString())) throw new SyntaxError("strict mode takes objects and arrays only");
    return JSON.parse(bytes.toString());
  }
  if (/^text\//.test(type)) return bytes.toString();
  if (type.startsWith("application/octet-stream")) return bytes;
  if (type.startsWith("application/x-www-form-urlencoded"))
    return Object.fromEntries(new URLSearchParams(bytes.toString()));
  return undefined;
}
