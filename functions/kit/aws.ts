/** Requests to servers that speak the protocols of AWS, signed (version 4). */
import { createHash } from "node:crypto";
import { sign } from "aws4";
import type { Answer, Exchange, Http } from "./http.ts";

export interface AwsAccess {
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** The path of an object below its bucket. */
export const objectPath = (key: string): string => `/${key.split("/").map(encodeURIComponent).join("/")}`;

/** @param service as the signature names it, for example `s3` */
export function signed(
  { exchange }: Http,
  service: string,
  { region, accessKeyId, secretAccessKey }: AwsAccess,
): (request: Exchange) => Promise<Answer> {
  return (request) => {
    const { method, url, body } = request;
    const { headers = {} } = sign(
      {
        service,
        region,
        method,
        host: url.host,
        path: url.pathname + url.search,
        headers: { ...request.headers, "x-amz-content-sha256": createHash("sha256").update(body).digest("hex") },
        body,
      },
      { accessKeyId, secretAccessKey },
    );
    // The HTTP client counts for itself.
    const entries = Object.entries(headers).filter(([name]) => name.toLowerCase() !== "content-length");
    return exchange({ ...request, headers: Object.fromEntries(entries.map(([name, value]) => [name, String(value)])) });
  };
}
