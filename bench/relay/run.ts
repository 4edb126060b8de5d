/** Sets the bench up in a cluster, does what its program asks for, and removes all of it. */
import { randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { managedBy, nameLabel } from "../../components/core/labels.ts";
import { say, step } from "../../local/log.ts";
import { killPod } from "../../local/node/cgroups.ts";
import { instanceName } from "../../local/paths.ts";
import { Problem } from "../../local/problem.ts";
import { run } from "../../local/run.ts";
import { type Kubectl, kubectl } from "../../local/toolchain/kubectl.ts";
import type { Figures, Trigger } from "./figures.ts";
import {
  benchJob,
  broker,
  deployments,
  fissionTrigger,
  functions,
  home,
  job,
  kafkaHost,
  masterSecret,
  namespace,
  relay,
  type Secrets,
} from "./objects.ts";

export interface Conditions {
  readonly node: string;
  readonly kubernetes: string;
  readonly standIns: readonly string[];
  readonly killedBy: string;
}

export interface Results extends Figures {
  readonly conditions: Conditions;
}

/** Measures and reports, and removes what it needed for that, however it ends. */
export async function benchRelay(
  context: string | undefined,
  report: (results: Results) => Promise<void>,
): Promise<void> {
  const bench = new Bench(await kubectl(context), context === undefined);
  let removed: Promise<void> | undefined;
  const remove = () => {
    removed ??= step("Removing the bench", () => bench.remove());
    return removed;
  };
  await bench.remove();
  const interrupted = () => remove().finally(() => process.exit(130));
  process.once("SIGINT", interrupted);
  try {
    await step("Setting up broker, function and triggers", () => bench.setUp());
    const conditions = await bench.conditions();
    await report({ ...(await bench.run()), conditions });
  } finally {
    process.off("SIGINT", interrupted);
    await remove();
  }
}

class Bench {
  readonly #kubectl: Kubectl;
  /** Processes of its pods are processes of this machine. */
  readonly #embedded: boolean;

  constructor(cluster: Kubectl, embedded: boolean) {
    this.#kubectl = cluster;
    this.#embedded = embedded;
  }

  async setUp(): Promise<void> {
    const { name, key } = masterSecret;
    const { data } = await this.#kubectl.json("get", "secret", name, "-n", masterSecret.namespace).catch(() => {
      throw new Problem("There is no Fission on this cluster.", "Deploy it first: npm start");
    });
    const secrets: Secrets = {
      ...(await selfSigned(kafkaHost)),
      password: randomBytes(16).toString("hex"),
      master: Buffer.from(data[key], "base64").toString(),
    };
    await this.#createAll(home);
    await this.#wait(`fissiontenant/${namespace}`, "condition=Ready");
    await this.#createAll([...broker(secrets), ...functions(), ...(await relay(secrets)), ...fissionTrigger(secrets)]);
    await this.#wait("deployment/kafka", "condition=Available");
    for (const kind of ["functions.fission.io", "httptriggers.fission.io"])
      await this.#wait(kind, "condition=Ready", "--all");
  }

  /** Runs the program, which asks for what it cannot do itself. */
  async run(): Promise<Figures> {
    const { metadata } = await this.#kubectl.json(
      ...["get", "messagequeuetrigger", deployments.fission, "-n", namespace],
    );
    await this.#createAll(benchJob(metadata.uid));
    await this.#wait(`job/${job}`, "jsonpath={.status.ready}=1").catch(() => {});
    let figures: Figures | undefined;
    let doing: Promise<unknown> = Promise.resolve();
    await this.#kubectl.lines(["logs", "-f", `job/${job}`, "-n", namespace], (line) => {
      const [word = "", rest = ""] = line.split(/ (.*)/s);
      if (word === "RESULT") figures = JSON.parse(rest);
      else if (word === "START") doing = doing.then(() => this.#scale(rest as Trigger, 1));
      else if (word === "STOP") doing = doing.then(() => this.#scale(rest as Trigger, 0));
      else if (word === "KILL") doing = doing.then(() => this.#kill(rest as Trigger));
      else say(line);
      doing.catch(() => {}); // thrown below
    });
    await doing;
    if (!figures) throw new Problem("The bench ended without figures.", "What it said last is above.");
    return figures;
  }

  async conditions(): Promise<Conditions> {
    const { items } = await this.#kubectl.json("get", "nodes");
    const [{ status, metadata }] = items;
    const { cpu, memory } = status.capacity;
    const gibibytes = Math.round(Number.parseInt(memory, 10) / 2 ** 20);
    return {
      node: `${items.length > 1 ? `${items.length} nodes, one of them with ` : ""}${cpu} cores, ${gibibytes} GiB`,
      kubernetes: status.nodeInfo.kubeletVersion,
      standIns: metadata.labels["fivefold.dev/stand-ins"]?.split(".") ?? [],
      killedBy: this.#embedded ? "SIGKILL to its processes" : "kubectl delete pod --grace-period=0 --force",
    };
  }

  async remove(): Promise<void> {
    const remove = (...what: string[]) => this.#kubectl.text("delete", ...what, "--ignore-not-found", "--timeout=180s");
    const found = await this.#kubectl.json("get", "namespace", "--field-selector", `metadata.name=${namespace}`);
    const [there] = found.items;
    if (!there) return;
    if (there.metadata.labels[managedBy] !== "fivefold")
      throw new Problem(
        `The namespace "${namespace}" is not of the bench's making.`,
        "The bench needs one of this name.",
      );
    await remove("job", job, "-n", namespace);
    // Fission lets go of a function only while it knows its environment and may work in the namespace.
    await remove("functions.fission.io", "--all", "-n", namespace);
    await remove("fissiontenant", namespace);
    await remove("namespace", namespace);
  }

  #createAll(items: readonly object[]): Promise<void> {
    return this.#kubectl.create({ apiVersion: "v1", kind: "List", items });
  }

  #wait(what: string, condition: string, ...more: string[]): Promise<string> {
    return this.#kubectl.text("wait", what, `--for=${condition}`, "-n", namespace, "--timeout=180s", ...more);
  }

  async #scale(trigger: Trigger, replicas: number): Promise<void> {
    await this.#kubectl.text("scale", `deployment/${deployments[trigger]}`, `--replicas=${replicas}`, "-n", namespace);
  }

  async #kill(trigger: Trigger): Promise<void> {
    const pods = ["pods", "-n", namespace, "-l", `${nameLabel}=${deployments[trigger]}`];
    const { items } = await this.#kubectl.json("get", ...pods);
    // One that was stopped before may still be about to end.
    const { metadata } = items.find((pod: { metadata: object }) => !("deletionTimestamp" in pod.metadata));
    if (!this.#embedded) {
      await this.#kubectl.text("delete", "pod", metadata.name, "-n", namespace, "--grace-period=0", "--force");
      return;
    }
    await killPod(instanceName(), metadata.uid);
  }
}

/** Key and certificate of a server that is its own authority. */
async function selfSigned(host: string): Promise<{ certificate: string; key: string }> {
  const folder = await mkdtemp(join(tmpdir(), "fivefold-bench-"));
  try {
    const key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -keyout key.pem";
    const names = ["-subj", `/CN=${host}`, "-addext", `subjectAltName=DNS:${host}`];
    await run("openssl", [...`req -x509 ${key} -out certificate.pem -days 2`.split(" "), ...names], { cwd: folder });
    const read = (name: string) => readFile(join(folder, name), "utf8");
    return { certificate: await read("certificate.pem"), key: await read("key.pem") };
  } finally {
    await rm(folder, { recursive: true });
  }
}
