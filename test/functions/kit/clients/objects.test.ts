import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, it } from "vitest";
import { connect } from "../../../../functions/kit/clients/objects.ts";

let server: Server;
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

async function store(status: number, answer = "") {
  const seen: { request: IncomingMessage; body: string }[] = [];
  server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    seen.push({ request, body: Buffer.concat(chunks).toString() });
    response.writeHead(status).end(answer);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const access = { region: "us-east-1", accessKeyId: "id", secretAccessKey: "secret" };
  return { seen, objects: connect({ endpoint, bucket: "lake", ...access }) };
}

it("puts an object under its key, signed together with its content", async () => {
  const { seen, objects } = await store(200);
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
])("fails on status %i and does not try again", async (status, answer, message) => {
  const { seen, objects } = await store(status, answer);
  await expect(objects.put("k", "b", "text/plain")).rejects.toThrow(new Error(message));
  expect(seen).toHaveLength(1);
});
