import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { clusterOf } from "../cluster.ts";
import { Problem } from "../problem.ts";
import { attempt, run } from "../run.ts";
import { cachedProgram, goProgram } from "./go.ts";

/** kubectl on one cluster. */
export interface Kubectl {
  /** What a command says. */
  text(...args: string[]): Promise<string>;
  /** The objects a command names. */
  // biome-ignore lint/suspicious/noExplicitAny: objects of any kind
  json(...args: string[]): Promise<any>;
  /** Fails where the object is there already. */
  create(object: object): Promise<void>;
  /** Gives each line as it is said, and ends when the command does. */
  lines(args: readonly string[], line: (text: string) => void): Promise<void>;
}

/** The program: the one that is part of the embedded node, or the user's own, or else one that is built. */
export async function kubectlProgram(): Promise<string> {
  const built = await cachedProgram("node");
  if (!built && (await attempt("kubectl", ["version", "--client"])).code === 0) return "kubectl";
  return join(built ?? (await goProgram("node")), "kubectl");
}

/** kubectl on the embedded node, or on the cluster of a context. */
export async function kubectl(context?: string): Promise<Kubectl> {
  const program = await kubectlProgram();
  const { kubeconfig } = await clusterOf(context);
  const env = { ...process.env, KUBECONFIG: kubeconfig };
  const text = (...args: string[]) => run(program, args, { env });
  return {
    text,
    json: async (...args) => JSON.parse(await text(...args, "--output=json")),
    create: async (object) => {
      await run(program, ["create", "--filename=-"], { env, input: JSON.stringify(object) });
    },
    lines: async (args, line) => {
      const child = spawn(program, args, { env, stdio: ["ignore", "pipe", "inherit"] });
      const ended = new Promise<number | null>((resolve, reject) => child.on("error", reject).on("close", resolve));
      for await (const text of createInterface({ input: child.stdout })) line(text);
      const code = await ended;
      if (code !== 0) throw new Problem(`kubectl ${args.slice(0, 3).join(" ")} failed (${code ?? "killed"}).`);
    },
  };
}
