import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { repository } from "../../../local/paths.ts";

// Processes are started, on a machine that may be busy.
vi.setConfig({ testTimeout: 30_000, hookTimeout: 30_000 });

let folder: string;
let far: Server;
let port: number;
const accepted: Socket[] = [];
const forwarders: ChildProcess[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "forward-"));
  // Answers with what it got, once it has got all of it.
  far = createServer({ allowHalfOpen: true }, (socket) => {
    accepted.push(socket);
    const got: Buffer[] = [];
    socket.on("error", () => {});
    socket.on("data", (data) => got.push(data)).on("end", () => socket.end(Buffer.concat(got)));
  }).listen(0, "127.0.0.1");
  await once(far, "listening");
  const forward = (from: string, to: string) =>
    forwarders.push(
      spawn(process.execPath, [
        "--disable-warning=ExperimentalWarning",
        join(repository, "local/node/forward.ts"),
        from,
        to,
      ]),
    );
  const address = far.address();
  forward(`${folder}/socket`, String(typeof address === "object" && address?.port));
  forward(`0:${folder}/port`, `${folder}/socket`);
  await vi.waitUntil(() => existsSync(`${folder}/port`) && existsSync(`${folder}/socket`), { timeout: 20_000 });
  port = Number(readFileSync(`${folder}/port`, "utf8"));
});
afterAll(async () => {
  for (const forwarder of forwarders) forwarder.kill();
  for (const socket of accepted) socket.destroy();
  far.close();
  await rm(folder, { recursive: true });
});

it("carries much data both ways, and the end of each way by itself", async () => {
  const near = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  const sent = "0123456789".repeat(300_000);
  near.end(sent);
  expect((await text(near)) === sent).toBe(true);
});

it("breaks the far connection when the near one breaks", async () => {
  const before = accepted.length;
  const near = connect({ port, host: "127.0.0.1" });
  near.write("x");
  await vi.waitUntil(() => accepted.length > before, { timeout: 20_000 });
  near.resetAndDestroy();
  await vi.waitUntil(() => accepted.at(-1)?.destroyed, { timeout: 20_000 });
});
