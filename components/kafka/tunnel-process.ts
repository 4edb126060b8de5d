/**
 * Forwards ports of this machine's loopback to brokers' pods until all its owners are gone. A process of its own, so
 * that it outlives the Pulumi program.
 *
 * Of several for the same brokers the first one forwards, and lives as long as the longest-lived owner.
 */
import { createHash } from "node:crypto";
import { connect, createServer, type Server, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { KubeConfig, PortForward } from "@kubernetes/client-node";

export interface Order {
  /** Process for which the ports are forwarded. */
  readonly owner: number;
  /** Text or path of a kubeconfig. Left out: the user's own. */
  readonly kubeconfig: string | undefined;
  /** Left out: the current one. */
  readonly context: string | undefined;
  readonly namespace: string;
  readonly podPort: number;
  readonly brokers: readonly { readonly port: number; readonly pod: string }[];
}

export interface Report {
  /** Left out: the ports are forwarded. */
  readonly problem?: string;
}

/** What no TLS client says first. */
const greeting = "fivefold-tunnel ";
const owners = new Set<number>();

/** @returns how many of the ports this process forwards itself */
async function serve({ owner, brokers, ...place }: Order): Promise<number> {
  owners.add(owner);
  const forward = forwarder(place);
  let own = 0;
  for (const { port, pod } of brokers) {
    const broker = JSON.stringify([place, process.env.KUBECONFIG, pod]);
    const identity = createHash("sha256").update(broker).digest("hex");
    if (await listen(port, identity, owner, (socket) => forward(socket, pod))) own++;
  }
  return own;
}

/** Listens, unless another process forwards the same port to the same broker: that one then has one more owner. */
async function listen(
  port: number,
  identity: string,
  owner: number,
  forward: (socket: Socket) => void,
): Promise<boolean> {
  const server = createServer((socket) => receive(socket, identity, forward));
  for (let attempt = 0; attempt < 8; attempt++) {
    if (await tryListen(server, port)) return true;
    if (await adopt(port, `${greeting}${identity} ${owner}\n`)) return false;
    // One of another stack's last run is about to end.
    await sleep(250);
  }
  throw new Error(`port ${port} of this machine is taken by another program, write another one that is free`);
}

function tryListen(server: Server, port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EADDRINUSE") resolve(false);
      else reject(error);
    });
    server.listen(port, "127.0.0.1", () => resolve(true));
  });
}

function adopt(port: number, request: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1", timeout: 1_000 }, () => socket.write(request));
    socket.once("data", (answer) => {
      resolve(answer.toString() === "yes");
      socket.destroy();
    });
    socket.on("timeout", () => socket.destroy());
    socket.on("error", () => {});
    socket.on("close", () => resolve(false));
  });
}

function receive(socket: Socket, identity: string, forward: (socket: Socket) => void): void {
  socket.on("error", () => socket.destroy());
  socket.once("data", (first) => {
    socket.pause();
    const text = first.toString("latin1");
    if (!text.startsWith(greeting)) {
      socket.unshift(first);
      forward(socket);
      return;
    }
    const [asked, owner] = text.slice(greeting.length).split(" ");
    if (asked === identity) owners.add(Number(owner));
    socket.end(asked === identity ? "yes" : "no");
  });
}

function forwarder(place: Omit<Order, "owner" | "brokers">): (socket: Socket, pod: string) => Promise<void> {
  const { kubeconfig, context, namespace, podPort } = place;
  // Large, and of no use where Pulumi has nothing to do inside the brokers.
  let portForward: Promise<PortForward> | undefined;
  const load = async () => {
    const { KubeConfig, PortForward } = await import("@kubernetes/client-node");
    return new PortForward(read(new KubeConfig(), kubeconfig, context));
  };
  return async (socket, pod) => {
    // Until the pod is there the client waits: its first bytes are not read yet.
    while (!socket.destroyed) {
      try {
        portForward ??= load();
        const channel = await (await portForward).portForward(namespace, pod, [podPort], socket, null, socket);
        if (typeof channel === "function") return;
        channel.on("close", () => socket.destroy());
        channel.on("error", () => socket.destroy());
        socket.on("close", () => channel.close());
        socket.resume();
        return;
      } catch {
        await sleep(500);
      }
    }
  };
}

function read(config: KubeConfig, kubeconfig: string | undefined, context: string | undefined): KubeConfig {
  if (kubeconfig?.includes("\n") || kubeconfig?.startsWith("{")) config.loadFromString(kubeconfig);
  else if (kubeconfig) config.loadFromFile(kubeconfig);
  else config.loadFromDefault();
  if (context) config.setCurrentContext(context);
  return config;
}

function isAlive(id: number): boolean {
  try {
    return process.kill(id, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

function endWithOwners(): void {
  for (const owner of owners) if (!isAlive(owner)) owners.delete(owner);
  if (owners.size === 0) process.exit();
}

process.once("message", (order: Order) => {
  const report = (answer: Report, done = () => {}) => process.send?.(answer, done);
  setInterval(endWithOwners, 500);
  serve(order).then(
    (own) => report({}, own === 0 ? () => process.exit() : undefined),
    (error: Error) => report({ problem: error.message }, () => process.exit(1)),
  );
});
