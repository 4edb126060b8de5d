import { request } from "node:https";

/** How to reach an API server. */
export interface Access {
  readonly port: number;
  readonly ca: Buffer;
  readonly certificate: Buffer;
  readonly key: Buffer;
}

/** Calls the node's API server. With a body, an object is applied server-side. Status 0: it does not answer. */
export function callApi(access: Access, path: string, body?: object): Promise<{ status: number; text: string }> {
  return new Promise((resolve) => {
    const call = request(
      {
        host: "127.0.0.1",
        port: access.port,
        path: body ? `${path}?fieldManager=fivefold&force=true` : path,
        method: body ? "PATCH" : "GET",
        ca: access.ca,
        cert: access.certificate,
        key: access.key,
        headers: body ? { "content-type": "application/apply-patch+yaml" } : {},
        timeout: 5000,
        agent: false,
      },
      (response) => {
        let text = "";
        response.setEncoding("utf8");
        response.on("data", (chunk: string) => {
          text += chunk;
        });
        response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
      },
    );
    call.on("timeout", () => call.destroy());
    call.on("error", (error) => resolve({ status: 0, text: error.message }));
    call.end(body && JSON.stringify(body));
  });
}
