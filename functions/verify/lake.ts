/** Reads the objects of JSON lines of a bucket. */
import { objectPath, signed } from "../kit/aws.ts";
import { parseLines } from "../kit/clients/lines.ts";
import type { ObjectsSettings } from "../kit/clients/objects.ts";
import { httpClient } from "../kit/http.ts";

const timeoutMilliseconds = 30_000;
const readsAtOnce = 4;

/** Every line of the objects whose keys come after this one, with the key of its object. */
export async function linesAfter<Line>(
  { endpoint, bucket, ca, ...access }: ObjectsSettings,
  after: string,
): Promise<{ readonly key: string; readonly line: Line }[]> {
  const http = httpClient(ca);
  const ask = signed(http, "s3", access);
  const get = async (path: string): Promise<string> => {
    const url = new URL(`${endpoint}/${bucket}${path}`);
    const { status, body } = await ask({ method: "GET", url, headers: {}, body: "", timeoutMilliseconds });
    if (status !== 200) throw new Error(`the lake cannot be read: ${status} ${body.slice(0, 200)}`);
    return body;
  };
  const list = async (after: string): Promise<string[]> => {
    const page = await get(`?${new URLSearchParams({ "list-type": "2", "max-keys": "1000", "start-after": after })}`);
    const keys = [...page.matchAll(/<Key>(.*?)<\/Key>/g)].map(([, key]) => key as string);
    const last = keys.at(-1);
    return last && /<IsTruncated>true/.test(page) ? [...keys, ...(await list(last))] : keys;
  };
  try {
    const keys = await list(after);
    const lines: { key: string; line: Line }[] = [];
    for (let at = 0; at < keys.length; at += readsAtOnce) {
      const bodies = keys.slice(at, at + readsAtOnce).map(async (key) => {
        const body = await get(objectPath(key));
        return parseLines(body).map((line) => ({ key, line: line as Line }));
      });
      lines.push(...(await Promise.all(bodies)).flat());
    }
    return lines;
  } finally {
    http.close();
  }
}
