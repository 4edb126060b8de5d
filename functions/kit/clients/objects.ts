import { createHash } from "node:crypto";
import { AwsV4Signer } from "aws4fetch";
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
  const { exchange } = httpClient(ca);
  const cache = new Map<string, ArrayBuffer>();
  const base = `${endpoint.replace(/\/$/, "")}/${encodeURIComponent(bucket)}`;
  return {
    put: async (key, body, contentType) => {
      const signer = new AwsV4Signer({
        ...access,
        service: "s3",
        method: "PUT",
        url: `${base}/${key.split("/").map(encodeURIComponent).join("/")}`,
        headers: {
          "content-type": contentType,
          "x-amz-content-sha256": createHash("sha256").update(body).digest("hex"),
        },
        cache,
      });
      const { method, url, headers } = await signer.sign();
      const answer = await exchange({ method, url, headers: Object.fromEntries(headers), body, timeoutMilliseconds });
      if (answer.status >= 300) {
        const code = /<Code>(\w+)<\/Code>/.exec(answer.body)?.[1];
        throw new Error(`the object store answered ${answer.status}${code ? ` ${code}` : ""}`);
      }
    },
  };
}
