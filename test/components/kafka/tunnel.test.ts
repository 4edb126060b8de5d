import { type ChildProcess, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server } from "node:net";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it } from "vitest";
import type { Order, Report } from "../../../components/kafka/tunnel-process.ts";

const program = fileURLToPath(new URL("../../../components/kafka/tunnel-process.ts", import.meta.url));
const started: ChildProcess[] = [];
const servers: Server[] = [];

afterEach(() => {
  for (const child of started.splice(0)) child.kill("SIGKILL");
  for (const server of servers.splice(0)) server.close();
});

/** A process that lives until it is killed. */
function owner(): ChildProcess & { pid: number } {
  const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "ignore" });
  started.push(child);
  return child as ChildProcess & { pid: number };
}

async function listening(server: Server): Promise<number> {
  servers.push(server);
  await once(server.listen(0, "127.0.0.1"), "listening");
  return (server.address() as AddressInfo).port;
}

async function freePort(): Promise<number> {
  const server = createServer();
  const port = await listening(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function tunnel(order: Partial<Order> & Pick<Order, "owner" | "brokers">) {
  const child = fork(program, { stdio: "ignore" });
  started.push(child);
  child.send({ kubeconfig: undefined, context: undefined, namespace: "iot", podPort: 9094, ...order } satisfies Order);
  const [report] = (await once(child, "message")) as [Report];
  child.disconnect();
  return { child, report };
}

/** Whether something takes connections there. */
function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1" }, () => resolve(true));
    socket.on("error", () => resolve(false));
    socket.on("connect", () => socket.destroy());
  });
}

describe("the tunnel's process", () => {
  it("forwards a port for each broker until its owner is gone", async () => {
    const [first, second, program] = [await freePort(), await freePort(), owner()];
    const brokers = [
      { port: first, pod: "bus-0" },
      { port: second, pod: "bus-1" },
    ];
    const { child, report } = await tunnel({ owner: program.pid, brokers });
    expect(report).toEqual({});
    expect([await answers(first), await answers(second)]).toEqual([true, true]);
    program.kill("SIGKILL");
    expect(await once(child, "exit")).toEqual([0, null]);
    expect(await answers(first)).toBe(false);
  });

  it("leaves the work to one that forwards the same port already, which then outlives its own owner", async () => {
    const [port, program, another] = [await freePort(), owner(), owner()];
    const brokers = [{ port, pod: "bus-0" }];
    const earlier = await tunnel({ owner: program.pid, brokers });
    const later = await tunnel({ owner: another.pid, brokers });
    expect(later.report).toEqual({});
    expect(await exitCode(later.child)).toBe(0);
    program.kill("SIGKILL");
    await new Promise((resolve) => setTimeout(resolve, 1_200));
    expect([earlier.child.exitCode, await answers(port)]).toEqual([null, true]);
    another.kill("SIGKILL");
    expect(await exitCode(earlier.child)).toBe(0);
  });

  it.each([
    ["another program", async () => listening(createServer((socket) => socket.end("220 hello")))],
    [
      "the tunnel of another Kafka",
      async () => {
        const port = await freePort();
        await tunnel({ owner: owner().pid, namespace: "payments", brokers: [{ port, pod: "bus-0" }] });
        return port;
      },
    ],
  ])("says that the port is taken by %s", { timeout: 20_000 }, async (_, occupy) => {
    const port = await occupy();
    const { child, report } = await tunnel({ owner: owner().pid, brokers: [{ port, pod: "bus-0" }] });
    expect(report.problem).toBe(
      `port ${port} of this machine is taken by another program, write another one that is free`,
    );
    expect(await exitCode(child)).toBe(1);
  });
});

async function exitCode(child: ChildProcess): Promise<number | null> {
  if (child.exitCode === null) await once(child, "exit");
  return child.exitCode;
}
