import { spawn } from "node:child_process";
import { createWriteStream } from "node:fs";
import { Problem } from "./problem.ts";

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly input?: string;
  /** File to which what the program says is appended. */
  readonly log?: string;
  /** @default - no limit */
  readonly timeoutSeconds?: number;
}

/** Runs a program to its end and returns its standard output. A failure is a Problem that ends with what the program said last. */
export async function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const result = await attempt(command, args, options);
  if (result.code === 0) return result.stdout;
  const said = (result.stderr.trim() || result.stdout.trim()).split("\n").slice(-15).join("\n");
  throw new Problem(`${command} ${args.slice(0, 3).join(" ")} failed (${result.code ?? "killed"}).`, said);
}

/** Like `run`, but a failure is an answer too. A program that does not exist counts as exit code 127. */
export function attempt(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: options.env ?? process.env,
      stdio: [options.input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
      ...(options.timeoutSeconds && { timeout: options.timeoutSeconds * 1000 }),
    });
    const log = options.log ? createWriteStream(options.log, { flags: "a" }) : undefined;
    let stdout = "";
    let stderr = "";
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
      log?.write(text);
    });
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
      log?.write(text);
    });
    child.on("error", (error: NodeJS.ErrnoException) => {
      log?.end();
      if (error.code === "ENOENT") resolve({ code: 127, stdout: "", stderr: `${command}: not found` });
      else reject(error);
    });
    child.on("close", (code) => {
      log?.end();
      resolve({ code, stdout, stderr });
    });
    child.stdin?.on("error", () => {}); // a program may end without reading all of its input
    child.stdin?.end(options.input);
  });
}

/** Runs a program with this terminal as its own and returns its exit code. */
export function inherit(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  cwd?: string,
): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env, cwd, stdio: "inherit" });
    const pass = (signal: NodeJS.Signals) => {
      // A terminal has sent it to the child as well, and a second one makes Pulumi give up at once.
      if (signal !== "SIGINT" || !process.stdin.isTTY) child.kill(signal);
    };
    process.on("SIGINT", pass).on("SIGTERM", pass);
    child.on("error", reject);
    child.on("close", (code, signal) => {
      process.off("SIGINT", pass).off("SIGTERM", pass);
      resolve(code ?? (signal === "SIGINT" ? 130 : 143));
    });
  });
}
