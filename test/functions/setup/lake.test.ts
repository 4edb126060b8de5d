import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { setUpLake } from "../../../functions/setup/lake.ts";
import { Hopeless } from "../../../functions/setup/run.ts";

/** Answers by what was asked: an action of the IAM API, or a method and a path. */
const answers = new Map<string, [status: number, body: string]>();
const asked: Record<string, string>[] = [];

const lake: Server = createServer(async (request, response) => {
  let body = "";
  for await (const chunk of request) body += chunk;
  const form = Object.fromEntries(new URLSearchParams(body));
  const what = form.Action ?? `${request.method} ${request.url}`;
  asked.push({ what, ...form, authorization: request.headers.authorization ?? "" });
  const [status, text] = answers.get(what) ?? [200, ""];
  response.writeHead(status).end(text);
});

let server: Parameters<typeof setUpLake>[0]["server"];

beforeEach(async () => {
  asked.length = 0;
  answers.clear();
  await new Promise<void>((resolve) => lake.listen(0, "127.0.0.1", resolve));
  const { port } = lake.address() as AddressInfo;
  server = { endpoint: `http://127.0.0.1:${port}`, region: "here", accessKeyId: "admin", secretAccessKey: "s3cr3t" };
});

afterEach(() => new Promise((resolve) => lake.close(resolve)));

const error = (code: string, message = "") => `<Error><Code>${code}</Code><Message>${message}</Message></Error>`;
const user = { name: "iot.writer.lake", accessKeyId: "KEY", secretAccessKey: "SECRET", bucket: "b" };

describe("a bucket", () => {
  it.each([
    ["new", 200, ""],
    ["there already", 409, error("BucketAlreadyOwnedByYou")],
    ["there already, made by another administrator", 409, error("BucketAlreadyExists")],
  ])("may be %s", async (_, status, body) => {
    answers.set("PUT /b", [status, body]);
    expect(await setUpLake({ task: "bucket", server, bucket: "b" })).toBe("There is the bucket b");
    expect(asked[0]?.authorization).toContain("AWS4-HMAC-SHA256 Credential=admin/");
    expect(asked[0]?.authorization).toContain("/here/s3/aws4_request");
  });

  it("is hopeless if the server refuses", async () => {
    answers.set("PUT /b", [403, error("AccessDenied", "Access Denied.")]);
    const refused = setUpLake({ task: "bucket", server, bucket: "b" });
    await expect(refused).rejects.toThrow(`${server.endpoint} refuses to make the bucket: Access Denied.`);
    await expect(refused).rejects.toBeInstanceOf(Hopeless);
  });

  it("is not hopeless if the server is not ready", async () => {
    answers.set("PUT /b", [503, ""]);
    const refused = setUpLake({ task: "bucket", server, bucket: "b" });
    await expect(refused).rejects.toThrow("refuses to make the bucket: HTTP 503");
    await expect(refused).rejects.not.toBeInstanceOf(Hopeless);
  });
});

describe("a user", () => {
  const actionsOf = () =>
    JSON.parse(asked.find(({ what }) => what === "PutUserPolicy")?.PolicyDocument ?? "").Statement[0].Action;

  it.each([
    ["read", ["s3:GetObject", "s3:ListBucket"]],
    ["write", ["s3:PutObject"]],
    ["read-write", ["s3:GetObject", "s3:ListBucket", "s3:PutObject"]],
  ] as const)("that may %s gets no other right", async (access, actions) => {
    await setUpLake({ task: "user", server, user: { ...user, access } });
    expect(actionsOf()).toEqual(actions);
    expect(asked.at(-1)).toMatchObject({
      what: "CreateAccessKey",
      UserName: "iot.writer.lake",
      AccessKeyId: "KEY",
      SecretAccessKey: "SECRET",
    });
  });

  it("has one bucket", async () => {
    await setUpLake({ task: "user", server, user: { ...user, access: "write" } });
    const { PolicyDocument: policy = "" } = asked.find(({ what }) => what === "PutUserPolicy") ?? {};
    expect(JSON.parse(policy).Statement[0].Resource).toEqual(["arn:aws:s3:::b", "arn:aws:s3:::b/*"]);
  });

  it("loses the keys that it had", async () => {
    answers.set("CreateUser", [409, error("EntityAlreadyExists")]);
    answers.set("ListAccessKeys", [200, "<AccessKeyId>OLD</AccessKeyId><AccessKeyId>KEY</AccessKeyId>"]);
    await setUpLake({ task: "user", server, user: { ...user, access: "write" } });
    expect(asked.map(({ what, AccessKeyId = "" }) => `${what} ${AccessKeyId}`.trim())).toEqual([
      "CreateUser",
      "PutUserPolicy",
      "ListAccessKeys",
      "DeleteAccessKey OLD",
      "DeleteAccessKey KEY",
      "CreateAccessKey KEY",
    ]);
  });
});
