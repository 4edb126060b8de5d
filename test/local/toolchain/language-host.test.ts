import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { repository } from "../../../local/paths.ts";

// Processes are started, on a machine that may be busy.
vi.setConfig({ testTimeout: 30_000, hookTimeout: 30_000 });

const require = createRequire(import.meta.url);
const sdk = createRequire(require.resolve("@pulumi/pulumi/package.json"));
const grpc: typeof import("@grpc/grpc-js") = sdk("@grpc/grpc-js");
const messages: typeof import("@pulumi/pulumi/proto/language_pb.js") = require("@pulumi/pulumi/proto/language_pb");
const { Empty } = sdk("google-protobuf/google/protobuf/empty_pb");
const { LanguageRuntimeClient } = require("@pulumi/pulumi/proto/language_grpc_pb");

let host: ChildProcess;
let client: InstanceType<typeof LanguageRuntimeClient>;
let empty: string;

beforeAll(async () => {
  empty = await mkdtemp(join(tmpdir(), "program-"));
  const file = join(repository, "local/toolchain/language-host.ts");
  host = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", file, "127.0.0.1:9"]);
  const port = await new Promise((resolve) => createInterface({ input: host.stdout as never }).once("line", resolve));
  client = new LanguageRuntimeClient(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
});
afterAll(async () => {
  client?.close();
  host?.kill();
  await rm(empty, { recursive: true });
});

// biome-ignore lint/suspicious/noExplicitAny: messages of any kind
const call = (method: string, request: unknown): Promise<any> =>
  new Promise((resolve, reject) =>
    client[method](request, (error: Error | null, response: unknown) => (error ? reject(error) : resolve(response))),
  );

function programIn(folder: string, options?: Record<string, boolean>) {
  const info = new messages.ProgramInfo();
  info.setRootDirectory(folder);
  info.setProgramDirectory(folder);
  info.setEntryPoint("index.ts");
  if (options) {
    const { Struct } = sdk("google-protobuf/google/protobuf/struct_pb");
    info.setOptions(Struct.fromJavaScript(options));
  }
  return info;
}

it("tells its version", async () => {
  expect((await call("getPluginInfo", new Empty())).getVersion()).toBe("3.246.0");
});

it("says when a program has no SDK", async () => {
  const request = new messages.RunRequest();
  request.setInfo(programIn(empty));
  await expect(call("run", request)).rejects.toThrow("Cannot find module '@pulumi/pulumi/cmd/run'");
});

it("says how a program ended", async () => {
  const request = new messages.RunRequest();
  request.setInfo(programIn(repository, { typescript: false }));
  request.setPwd(repository);
  // The SDK's runner wants to be told where the monitor is.
  const response = await call("run", request);
  expect(response.getBail()).toBe(false);
  expect(response.getError()).toMatch(/^The program ended with exit code \d+\.$/);
});

it("streams what a plugin says, and its exit code", async () => {
  const request = new messages.RunPluginRequest();
  request.setInfo(programIn(repository));
  request.setPwd(repository);
  request.setKind("analyzer");
  const stream = client.runPlugin(request);
  let said = "";
  let code: number | undefined;
  for await (const response of stream) {
    said += Buffer.from(response.getStderr_asU8()).toString();
    if (response.hasExitcode()) code = response.getExitcode();
  }
  expect(said).toContain("usage: RUN");
  expect(code).toBe(255);
});
