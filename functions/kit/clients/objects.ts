import { objectPath, signed } from "../aws.ts";
import { reasonOf, Unavailable } from "../errors.ts";
import { type Answer, httpClient } from "../http.ts";
import type { Objects } from "../ports.ts";
import { lineAdder } from "./lines.ts";

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
/** The object is not the one that was read, or somebody writes it at this moment. */
const changed = new Set([409, 412]);

/** Reads and writes a bucket, without retries of its own. */
export function connect({ endpoint, bucket, ca, ...access }: ObjectsSettings): Objects {
  const ask = signed(httpClient(ca), "s3", access);
  const base = new URL(`${endpoint.replace(/\/$/, "")}/${encodeURIComponent(bucket)}`);
  const request = (method: "GET" | "PUT", key: string, headers: Record<string, string>, body: string) => {
    const url = new URL(base);
    url.pathname += objectPath(key);
    return ask({ method, url, headers, body, timeoutMilliseconds }).catch((error: unknown) => {
      throw new Unavailable(`the object store at ${url.host}: ${reasonOf(error)}`, { cause: error });
    });
  };
  return {
    put: async (key, body, contentType) => {
      succeeded(await request("PUT", key, { "content-type": contentType }, body));
    },
    addLine: lineAdder({
      read: async (key) => {
        const answer = await request("GET", key, {}, "");
        if (answer.status === 404) return undefined;
        return { body: succeeded(answer).body, etag: tagOf(answer) };
      },
      write: async (key, body, read) => {
        const condition = read ? { "if-match": read.etag } : { "if-none-match": "*" };
        const answer = await request("PUT", key, { "content-type": "application/x-ndjson", ...condition }, body);
        return changed.has(answer.status) ? undefined : tagOf(succeeded(answer));
      },
    }),
  };
}

function succeeded(answer: Answer): Answer {
  if (answer.status < 300) return answer;
  const code = /<Code>(\w+)<\/Code>/.exec(answer.body)?.[1];
  const message = `the object store answered ${answer.status}${code ? ` ${code}` : ""}`;
  throw answer.status >= 500 || answer.status === 429 ? new Unavailable(message) : new Error(message);
}

function tagOf({ headers: { etag } }: Answer): string {
  if (!etag) throw new Error("the object store answered without an ETag, so it knows no conditional writes");
  return etag;
}
