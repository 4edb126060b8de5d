import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { connect } from "../../../../functions/kit/clients/objects.ts";
import { Unavailable } from "../../../../functions/kit/errors.ts";

let server: Server;
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

type Answer = readonly [status: number, body?: string, etag?: string];

/** Answers so, one after another, the last one again and again. */
async function store(...answers: Answer[]) {
  const seen: { request: IncomingMessage; body: string }[] = [];
  server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    seen.push({ request, body: Buffer.concat(chunks).toString() });
    const [status, answer = "", etag] = (answers.length > 1 ? answers.shift() : answers[0]) as Answer;
    response.writeHead(status, etag === undefined ? {} : { etag }).end(answer);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const access = { region: "us-east-1", accessKeyId: "id", secretAccessKey: "secret" };
  return { seen, objects: connect({ endpoint, bucket: "lake", ...access }) };
}

it("puts an object under its key, signed together with its content", async () => {
  const { seen, objects } = await store([200]);
  await objects.put("a/date=2026-01-01/grüß +.json", '{"a":"ß"}', "application/json");
  const [{ request, body } = expect.fail("no request")] = seen;
  expect(request).toMatchObject({ method: "PUT", url: "/lake/a/date%3D2026-01-01/gr%C3%BC%C3%9F%20%2B.json" });
  expect(body).toBe('{"a":"ß"}');
  expect(request.headers).toMatchObject({
    "content-type": "application/json",
    "x-amz-content-sha256": createHash("sha256").update(body).digest("hex"),
    authorization: expect.stringMatching(
      /^AWS4-HMAC-SHA256 Credential=id\/\d{8}\/us-east-1\/s3\/aws4_request, SignedHeaders=content-length;content-type;host;x-amz-content-sha256;x-amz-date/,
    ),
  });
});

it.each([
  [
    403,
    "<Error><Code>AccessDenied</Code><Message>secret</Message></Error>",
    "the object store answered 403 AccessDenied",
  ],
  [500, "", "the object store answered 500"],
  [301, "<html>", "the object store answered 301"],
  [429, "", "the object store answered 429"],
])("fails on status %i and does not try again", async (status, answer, message) => {
  const { seen, objects } = await store([status, answer]);
  const error = await objects.put("k", "b", "text/plain").catch((reason: unknown) => reason);
  expect(error).toMatchObject({ message });
  expect(error instanceof Unavailable).toBe(status === 429 || status >= 500);
  expect(seen).toHaveLength(1);
});

describe("a line", () => {
  const line = { id: "a" };
  const conditions = (seen: Awaited<ReturnType<typeof store>>["seen"]) =>
    seen.map(({ request: { method, headers } }) => [method, headers["if-match"] ?? headers["if-none-match"]]);

  it("goes into a new object only where there is none", async () => {
    const { seen, objects } = await store([404], [200, "", '"1"']);
    expect(await objects.addLine("k.jsonl", line)).toBe("added");
    expect(conditions(seen)).toEqual([
      ["GET", undefined],
      ["PUT", "*"],
    ]);
    expect(seen[1]).toMatchObject({
      body: '{"id":"a"}\n',
      request: { headers: { "content-type": "application/x-ndjson" } },
    });
  });

  it.each([409, 412])("is added to what another has written in between (status %i)", async (status) => {
    const { seen, objects } = await store([404], [status], [200, '{"id":"b"}\n', '"7"'], [200, "", '"8"']);
    expect(await objects.addLine("k.jsonl", line)).toBe("added");
    expect(conditions(seen)).toEqual([
      ["GET", undefined],
      ["PUT", "*"],
      ["GET", undefined],
      ["PUT", '"7"'],
    ]);
    expect(seen[3]?.body).toBe('{"id":"b"}\n{"id":"a"}\n');
  });

  it.each([
    [[[403, "<Code>AccessDenied</Code>"]], "the object store answered 403 AccessDenied"],
    [[[404], [500]], "the object store answered 500"],
    [[[200, ""]], "the object store answered without an ETag, so it knows no conditional writes"],
  ] satisfies [Answer[], string][])("fails on %j", async (answers, message) => {
    const { objects } = await store(...answers);
    await expect(objects.addLine("k.jsonl", line)).rejects.toThrow(message);
  });
});

it("is unavailable where nobody listens", async () => {
  const { objects } = await store([200]);
  server.close();
  await once(server, "close");
  await expect(objects.put("k", "b", "text/plain")).rejects.toBeInstanceOf(Unavailable);
});
