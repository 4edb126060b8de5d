/**
 * How Pulumi reaches brokers that nobody outside of the cluster can reach: each broker has a second listener, on its
 * pod's loopback, that it advertises as a port of the loopback of the machine on which Pulumi runs. A process on that
 * machine forwards the ports by the Kubernetes API, with the user's own rights there.
 */
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import * as pulumi from "@pulumi/pulumi";
import { KitError } from "../core/check.ts";
import { ports } from "./defaults.ts";
import type { Order, Report } from "./tunnel-process.ts";

const program = fileURLToPath(new URL("./tunnel-process.ts", import.meta.url));

/** The brokers' addresses as Pulumi sees them; known as soon as they are forwarded. */
export function tunnel(
  name: string,
  namespace: pulumi.Output<string>,
  plan: { readonly brokers: number; readonly tunnelPort: number },
): pulumi.Output<string[]> {
  const brokers = Array.from({ length: plan.brokers }, (_, index) => ({
    port: plan.tunnelPort + index,
    pod: `${name}-${index}`,
  }));
  const addresses = brokers.map(({ port }) => `localhost:${port}`);
  return namespace.apply(async (home) => {
    // Without an engine this is a unit test.
    if (pulumi.runtime.getEngine()) {
      const cluster = new pulumi.Config("kubernetes");
      await open(`Kafka ${JSON.stringify(name)}`, {
        // The engine deletes what is inside the brokers after the program has ended, but before its language host has.
        owner: process.ppid,
        kubeconfig: cluster.get("kubeconfig"),
        context: cluster.get("context"),
        namespace: home,
        podPort: ports.tunnel,
        brokers,
      });
    }
    return addresses;
  });
}

/** Resolves once the ports are forwarded. */
function open(where: string, order: Order): Promise<void> {
  return new Promise((resolve, reject) => {
    const helper = fork(program, { detached: true, stdio: "ignore" });
    const fail = (problem: string) => reject(new KitError(where, [`tunnelPort: ${problem}`]));
    helper.on("message", ({ problem }: Report) => {
      if (problem === undefined) resolve();
      else fail(problem);
      // Neither the process nor the channel to it may keep the program from ending.
      helper.disconnect();
      helper.unref();
    });
    helper.on("error", (error) => fail(`the tunnel's process did not start: ${error.message}`));
    helper.on("exit", (code) => fail(`the tunnel's process ended (${code})`));
    helper.send(order);
  });
}
