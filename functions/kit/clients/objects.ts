import { signed } from "../aws.ts";
import { httpClient } from "../http.ts";
import type { Objects } from "../ports.ts";

export interface ObjectsSettings {
  /** Of the S3 server, for example `https://s3.eu-central-1.amazonaws.com`. */
  readonly endpoint: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly bucket: string;
  /** Certificates to trust instead of the well-known ones, in PEM. */
  readonly ca?: string;
}

const timeoutMilliseconds = 10_000;

/** Writes to a bucket, without retries of its own. */
export function connect({ endpoint, bucket, ca, ...access }: ObjectsSettings): Objects {
  const ask = signed(httpClient(ca), "s3", access);
  const base = new URL(`${endpoint.replace(/\/$/, "")}/${encodeURIComponent(bucket)}`);
  return {
    put: async (key, body, contentType) => {
      const url = new URL(base);
      url.pathname += `/${key.split("/").map(encodeURIComponent).join("/")}`;
      const headers = { "content-type": contentType };
      const answer = await ask({ method: "PUT", url, headers, body, timeoutMilliseconds });
      if (answer.status >= 300) {
        const code = /<Code>(\w+)<\/Code>/.exec(answer.body)?.[1];
        throw new Error(`the object store answered ${answer.status}${code ? ` ${code}` : ""}`);
      }
    },
  };
}
