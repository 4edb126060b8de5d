import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { setTimeout as wait } from "node:timers/promises";
import { Problem } from "../problem.ts";

/** A program that runs as long as the node does. */
export interface Daemon {
  readonly name: string;
  readonly command: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** @default "node" */
  readonly network?: "node" | "machine";
}

/** The programs of a node that is starting: all of them must live until it is up. */
export class Daemons {
  readonly pids: Record<string, number> = {};
  readonly #instance: string;
  readonly #logs: string;
  readonly #controlGroup: string;
  #failure: { readonly what: string; readonly log: string } | undefined;

  constructor(instance: string, logs: string, controlGroup: string) {
    this.#instance = instance;
    this.#logs = logs;
    this.#controlGroup = controlGroup;
  }

  /** Starts a program that outlives this process. Its output goes to a file named after it. */
  start(daemon: Daemon): void {
    const file = `${this.#logs}/${daemon.name}.log`;
    const output = openSync(file, "a");
    // Not `ip netns exec`: that one mounts /sys anew, and the kubelet and runc then find no control groups.
    const enter = daemon.network === "machine" ? [] : ["nsenter", `--net=/run/netns/${this.#instance}`];
    const child = spawn(
      "/bin/sh",
      ["-c", 'echo $$ > "$0" && exec "$@"', this.#controlGroup, ...enter, ...daemon.command],
      { detached: true, stdio: ["ignore", output, output], cwd: "/", env: { ...process.env, ...daemon.env } },
    );
    closeSync(output);
    child.on("error", (error) => this.#fail(daemon.name, error.message, file));
    child.on("exit", (code, signal) => this.#fail(daemon.name, `ended with ${signal ?? `exit code ${code}`}`, file));
    child.unref();
    if (child.pid) this.pids[daemon.name] = child.pid;
  }

  #fail(name: string, how: string, file: string): void {
    this.#failure ??= { what: `${name} ${how}. Its log is ${file} and ends with:`, log: file };
  }

  /** Waits until a check holds. Fails with the tail of the log if a program dies meanwhile, or when the time is over. */
  async until(what: string, seconds: number, holds: () => Promise<boolean>): Promise<void> {
    const deadline = Date.now() + seconds * 1000;
    while (!(await holds())) {
      if (this.#failure) throw new Problem(this.#failure.what, await tail(this.#failure.log));
      if (Date.now() > deadline)
        throw new Problem(`Not within ${seconds} s: ${what}.`, `The logs of the node's programs are in ${this.#logs}.`);
      await wait(50);
    }
  }
}

async function tail(log: string): Promise<string> {
  const text = await readFile(log, "utf8").catch(() => "");
  return text.trim().split("\n").slice(-15).join("\n");
}
