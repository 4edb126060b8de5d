import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

const program = join(import.meta.dirname, "../../local/images/fission-node-environment/server.js");

let folder: string;
let server: ChildProcess;
let address: string;
let output: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "fission-node-environment-"));
  // As in the pod, no package around the function says of which type its files are.
  await writeFile(join(folder, "package.json"), "{}");
  await start();
});

afterEach(async () => {
  await stop();
  await rm(folder, { recursive: true });
});

async function start(env: NodeJS.ProcessEnv = {}): Promise<void> {
  server = spawn(process.execPath, [program], {
    env: { ...process.env, ...env, PORT: "0" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  output = "";
  server.stderr?.on("data", (text) => {
    output += text;
  });
  address = await new Promise((resolve, reject) => {
    server.on("exit", () => reject(new Error(`the server ended: ${output}`)));
    server.stdout?.on("data", (text) => {
      output += text;
      const port = /Listens on (\d+)/.exec(output)?.[1];
      if (port) resolve(`http://127.0.0.1:${port}`);
    });
  });
}

async function stop(): Promise<void> {
  if (server.exitCode !== null) return;
  server.kill("SIGKILL");
  await once(server, "exit");
}

/** Writes the files of a function; one without a name becomes a single file as Fission's literal archives are. */
async function write(files: Record<string, string>): Promise<void> {
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
}

function specialize(functionName: string, filepath = folder): Promise<Response> {
  return fetch(`${address}/v2/specialize`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ filepath, functionName, url: "", FunctionMetadata: {}, envVersion: 3 }),
  });
}

async function specialized(code: string): Promise<void> {
  await write({ "index.js": code });
  const response = await specialize("index.handler");
  expect([response.status, await response.text()]).toEqual([202, ""]);
}

const post = (type: string | undefined, body: string | Uint8Array<ArrayBuffer>, path = "/") =>
  fetch(address + path, { method: "POST", body: new Blob([body]), ...(type && { headers: { "content-type": type } }) });

const showBody = `exports.handler = async ({ request: { body } }) => ({
  status: 200,
  body: JSON.stringify(Buffer.isBuffer(body) ? { buffer: body.toString("hex") } : { [typeof body]: body }),
})`;

describe("specialization", () => {
  it("answers 500 until the function is named", async () => {
    expect((await fetch(address)).status).toBe(500);
  });

  it.each([
    [
      "CommonJS in a folder",
      { "index.js": `exports.handler = async () => ({ status: 200, body: "yes" })` },
      "index.handler",
      "",
    ],
    [
      "ESM in a folder",
      { "index.js": `export const handler = async () => ({ status: 200, body: "yes" })` },
      "index.handler",
      "",
    ],
    [
      "ESM named .mjs",
      { "index.mjs": `export const handler = async () => ({ status: 200, body: "yes" })` },
      "index.handler",
      "",
    ],
    ["another file", { "other.js": `exports.run = async () => ({ status: 200, body: "yes" })` }, "other.run", ""],
    ["a default export", { "other.js": `export default async () => ({ status: 200, body: "yes" })` }, "other", ""],
    ["module.exports", { "other.js": `module.exports = async () => ({ status: 200, body: "yes" })` }, "other", ""],
    ["the folder's own", { "index.js": `module.exports = async () => ({ status: 200, body: "yes" })` }, "", ""],
    [
      "a CommonJS file without extension",
      { archive: `exports.handler = async () => ({ status: 200, body: "yes" })` },
      "index.handler",
      "archive",
    ],
    [
      "an ESM file without extension",
      { archive: `export const handler = async () => ({ status: 200, body: "yes" })` },
      "index.handler",
      "archive",
    ],
    [
      "exports that only running shows",
      { "index.js": `const name = "handler"; module.exports = { [name]: async () => ({ status: 200, body: "yes" }) }` },
      "index.handler",
      "",
    ],
    [
      "what is behind a second dot",
      { "index.js": `exports.handler = async () => ({ status: 200, body: "yes" })` },
      "index.handler.more",
      "",
    ],
  ])("loads %s", async (_, files, name, file) => {
    await write(files as Record<string, string>);
    const response = await specialize(name, join(folder, file));
    expect([response.status, await response.text()]).toEqual([202, ""]);
    expect(await (await fetch(address)).text()).toBe("yes");
  });

  it("loads CommonJS without import when LOAD_ESM is false", async () => {
    await stop();
    await start({ LOAD_ESM: "false" });
    await specialized(`exports.handler = async () => ({ status: 200, body: typeof module.parent })`);
    expect(await (await fetch(address)).text(), "a module that import loads has no parent").toBe("object");
  });

  it("is refused a second time", async () => {
    await specialized(`exports.handler = async () => ({ status: 200, body: "first" })`);
    await write({ "other.js": `exports.handler = async () => ({ status: 200, body: "second" })` });
    expect((await specialize("other.handler")).status).toBe(400);
    expect(await (await fetch(address)).text()).toBe("first");
  });

  it.each([
    ["a missing export", { "index.js": "exports.other = 1" }, "index.handler", "index.handler"],
    ["an export that is no function", { "index.js": "exports.handler = 1" }, "index.handler", "index.handler"],
    ["a name taken for a file", { "index.js": "exports.handler = () => {}" }, "handler", "handler"],
    ["a module that throws", { "index.js": `throw new Error("no DATABASE_URL")` }, "index.handler", "no DATABASE_URL"],
    ["an empty folder", {}, "index.handler", "index"],
  ])("fails for %s and says so", async (_, files, name, text) => {
    await write(files as Record<string, string>);
    const response = await specialize(name);
    expect(response.status).toBe(500);
    expect(await response.text()).toContain(text);
    expect((await fetch(address)).status, "still without a function").toBe(500);
  });

  it("fails for a path that is not there", async () => {
    expect((await specialize("index.handler", join(folder, "none"))).status).toBe(500);
  });
});

describe("a call", () => {
  it("gets every method and path, and sends status, body and headers", async () => {
    await specialized(`exports.handler = async ({ request, response }) => ({
      status: 418, body: request.method + " " + request.url + " " + typeof response.send, headers: { "x-kind": "test" } })`);
    for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]) {
      const response = await fetch(`${address}/a/b?c=d`, { method });
      expect(response.status).toBe(418);
      expect(response.headers.get("x-kind")).toBe("test");
      expect(await response.text()).toBe(`${method} /a/b?c=d function`);
    }
  });

  it("uses the callback of a function with two parameters", async () => {
    await specialized(
      `exports.handler = (context, callback) => callback(201, "called back", { "x-kind": "callback" })`,
    );
    const response = await fetch(address);
    expect([response.status, response.headers.get("x-kind"), await response.text()]).toEqual([
      201,
      "callback",
      "called back",
    ]);
  });

  it("sends a stream", async () => {
    await specialized(`const { Readable } = require("node:stream");
      exports.handler = async () => ({ status: 200, body: Readable.from(["one ", "two"]) })`);
    expect(await (await fetch(address)).text()).toBe("one two");
  });

  it.each([
    ["application/json", '{"a":1}', { object: { a: 1 } }],
    ["application/x-www-form-urlencoded", "a=1&b=2", { object: { a: "1", b: "2" } }],
    ["application/octet-stream", "AB", { buffer: "4142" }],
    ["text/csv", "a,b", { string: "a,b" }],
    ["application/cloudevents+json", '{"a":1}', {}],
    [undefined, '{"a":1}', {}],
  ])("parses %s", async (type, body, seen) => {
    await specialized(showBody);
    expect(await (await post(type, body)).json()).toEqual(seen);
  });

  it("takes a body of up to 1 MB and answers 413 above", async () => {
    await specialized(`exports.handler = async ({ request }) => ({ status: 200, body: String(request.body.length) })`);
    const most = 1024 * 1024;
    for (const type of ["text/plain", "application/octet-stream"]) {
      expect(await (await post(type, "x".repeat(most))).text()).toBe(String(most));
      expect((await post(type, "x".repeat(most + 1))).status).toBe(413);
    }
    expect((await post("application/json", JSON.stringify("x".repeat(most)))).status).toBe(413);
  });

  it("takes the limit from BODY_PARSER_LIMIT", async () => {
    await stop();
    await start({ BODY_PARSER_LIMIT: "10b" });
    await writeFile(join(folder, "index.js"), showBody);
    expect((await specialize("index.handler")).status, "the specialization itself is longer").toBe(413);
  });
});

describe("a failure", () => {
  it.each([
    ["a thrown error", `async () => { throw new Error("secret 4111") }`],
    ["a thrown error of a callback function", `async (context, callback) => { throw new Error("secret 4111") }`],
    ["a result that is undefined", "async () => undefined"],
    ["a status that is a string", `async () => ({ status: "200", body: "secret 4111" })`],
  ])("answers 500 for %s and goes on", async (_, code) => {
    await specialized(`let calls = 0; const fail = ${code};
      exports.handler = fail.length < 2
        ? async (context) => context.request.url === "/good" ? { status: 200, body: "good" } : fail(context)
        : async (context, callback) => context.request.url === "/good" ? callback(200, "good") : fail(context, callback)`);
    const response = await fetch(address);
    expect([response.status, await response.text()]).toEqual([500, "Internal server error"]);
    expect(await (await fetch(`${address}/good`)).text()).toBe("good");
    expect(output).not.toContain("4111");
  });

  it("answers 400 for malformed JSON, without showing it", async () => {
    await specialized(showBody);
    const response = await post("application/json", '{"card": 4111');
    expect([response.status, response.headers.get("content-type")]).toEqual([400, "text/html; charset=utf-8"]);
    expect((await response.text()) + output).not.toContain("4111");
  });

  it.each([
    ["a result without a status", `async () => ({ body: "lost" })`],
    ["a value from a function with two parameters", `async (context, callback) => ({ status: 200, body: "lost" })`],
  ])("leaves the request without an answer for %s", async (_, code) => {
    await specialized(`exports.handler = ${code}`);
    await expect(fetch(address, { signal: AbortSignal.timeout(300) })).rejects.toThrow("timeout");
  });

  it("ends at once on SIGTERM", async () => {
    server.kill("SIGTERM");
    expect(await once(server, "exit")).toEqual([0, null]);
  });
});
