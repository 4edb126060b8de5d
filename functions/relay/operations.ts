/** What Kubernetes and Prometheus ask for. */
import { createServer, type Server } from "node:http";

export interface Operations {
  readonly metrics: () => string;
  readonly ready: () => boolean;
}

export function serveOperations(port: number, { metrics, ready }: Operations): Server {
  const answers: Readonly<Record<string, () => [status: number, body: string]>> = {
    "/metrics": () => [200, metrics()],
    "/healthz": () => [200, "ok\n"],
    "/readyz": () => (ready() ? [200, "ok\n"] : [503, "not connected\n"]),
  };
  return createServer((request, response) => {
    const [status, body] = answers[request.url ?? ""]?.() ?? [404, "not found\n"];
    response.writeHead(status, { "content-type": "text/plain; version=0.0.4; charset=utf-8" }).end(body);
  }).listen(port);
}
