import { Problem } from "./problem.ts";

/** What a command is called, how it is used, and the file that does it. A command returns its exit code. */
interface Command {
  readonly usage: string;
  readonly help: string;
  readonly load: () => Promise<{ run(args: readonly string[]): Promise<number> }>;
}

const commands: Readonly<Record<string, Command>> = {
  start: {
    usage: "start [ARCHITECTURE] [--context NAME]",
    help: "Brings up the embedded node, or uses the cluster of a kubeconfig context, and deploys an architecture (iot).",
    load: () => import("./commands/start.ts"),
  },
  stop: {
    usage: "stop [--context NAME]",
    help: "Destroys what start deployed, and ends the embedded node. A cluster of your own is kept.",
    load: () => import("./commands/stop.ts"),
  },
  verify: {
    usage:
      "verify STACK [--rate 50] [--seconds 30] [--seed 1] [--chaos] [--outage SECONDS] [--memory] [--run RUN] [--json FILE] [--context NAME]",
    help: "Sends simulated events through a deployed architecture and accounts for every one of them. With --chaos, pods are killed meanwhile. With --outage, every function is down for so long. With --memory, the memory of the pods is watched, and must not grow. With the RUN of an earlier one, accounts for that again.",
    load: () => import("./commands/verify.ts"),
  },
  reconcile: {
    usage: "reconcile STACK [--json FILE] [--context NAME]",
    help: "Compares what data grid, stream, database and confirmations hold of every payment.",
    load: () => import("./commands/reconcile.ts"),
  },
  rules: {
    usage: "rules FILE [--stack payments] [--context NAME]",
    help: "Tells which recorded payments another rule set would have decided otherwise. FILE is JSON, or a module that exports ruleSet.",
    load: () => import("./commands/rules.ts"),
  },
  replay: {
    usage:
      "replay [TOPIC] [--list] [--dry-run] [--reason R] [--key K] [--since TIME] [--until TIME] [--uncertain] [--again] [--stack STACK] [--context NAME]",
    help: "Sends the dead letters of a topic again, each at most once, or lists them.",
    load: () => import("./commands/replay.ts"),
  },
  bench: {
    usage: "bench relay [--json FILE] [--context NAME]",
    help: "Measures the relay beside Fission's own trigger for Kafka, and fails below the bars.",
    load: () => import("./commands/bench.ts"),
  },
  pulumi: {
    usage: "pulumi ARGS...",
    help: "Runs Pulumi on the stacks that start made.",
    load: () => import("./commands/pulumi.ts"),
  },
  kubectl: {
    usage: "kubectl ARGS...",
    help: "Runs kubectl on the embedded node.",
    load: () => import("./commands/kubectl.ts"),
  },
  node: {
    usage: "node start|stop|status",
    help: "The embedded node alone.",
    load: () => import("./commands/node.ts"),
  },
  test: {
    usage: "test [check] [unit] [e2e]",
    help: "Runs every test, or the layers named. The node of the tests stands beside yours.",
    load: () => import("./commands/test.ts"),
  },
  check: {
    usage: "check",
    help: "Checks the types and the style of the source code.",
    load: () => import("./commands/check.ts"),
  },
};

function help(): string {
  const lines = Object.values(commands).map(({ usage, help }) => `  ${usage}\n      ${help}`);
  return `Usage: node fivefold.mjs COMMAND\n\n${lines.join("\n")}`;
}

async function main([name, ...args]: readonly string[]): Promise<number> {
  if (name === undefined || name === "help" || name === "--help" || name === "-h") {
    console.log(help());
    return name === undefined ? 2 : 0;
  }
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (!command) throw new Problem(`There is no command "${name}".`, help());
  // `pulumi` and `kubectl` have a help of their own.
  if (/^(--help|-h)$/.test(args[0] ?? "") && name !== "pulumi" && name !== "kubectl") {
    console.log(`Usage: node fivefold.mjs ${command.usage}\n${command.help}`);
    return 0;
  }
  return (await command.load()).run(args);
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  console.error(process.env.FIVEFOLD_DEBUG === "1" ? error : explain(error));
  process.exitCode = 1;
}

function explain(error: unknown): string {
  if (error instanceof Problem) return error.message;
  if (!(error instanceof Error)) return String(error);
  if ("code" in error && String(error.code).startsWith("ERR_PARSE_ARGS")) return `${error.message}\n\n${help()}`;
  return `${error.message}\nSet FIVEFOLD_DEBUG=1 to see where this comes from.`;
}
