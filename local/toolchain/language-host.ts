/**
 * Pulumi's language host for Node.js: the program that the CLI starts as `pulumi-language-nodejs` and asks, over gRPC, to
 * run programs and policy packs. Takes the place of the official one, which cannot be built from its module.
 *
 * It prints its port, and gets the engine's address as an argument. Programs run with the Node that runs this file, and
 * with the SDK that they themselves have installed. Plugins are not listed beforehand: the engine finds each when the
 * first resource asks for it.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createRequire } from "node:module";
import { join } from "node:path";

const require = createRequire(import.meta.url);
const sdk = createRequire(require.resolve("@pulumi/pulumi/package.json"));
const grpc: typeof import("@grpc/grpc-js") = sdk("@grpc/grpc-js");
const messages: typeof import("@pulumi/pulumi/proto/language_pb.js") = require("@pulumi/pulumi/proto/language_pb");
const { PluginInfo }: typeof import("@pulumi/pulumi/proto/plugin_pb.js") = require("@pulumi/pulumi/proto/plugin_pb");
const { LanguageRuntimeService }: typeof import("@pulumi/pulumi/proto/language_grpc_pb.js") =
  require("@pulumi/pulumi/proto/language_grpc_pb");
const { Empty }: typeof import("google-protobuf/google/protobuf/empty_pb.js") = sdk(
  "google-protobuf/google/protobuf/empty_pb",
);

type RunRequest = InstanceType<typeof messages.RunRequest>;
type RunPluginRequest = InstanceType<typeof messages.RunPluginRequest>;
type ProgramInfo = InstanceType<typeof messages.ProgramInfo>;

/** The SDK's way of saying that the program failed and that its error was shown already. */
const alreadyShown = 32;

const engine = process.argv.slice(2).find((argument) => /^[\w.-]+:\d+$/.test(argument)) ?? "";
const children = new Set<ChildProcess>();

/** A file of the SDK that the program in a folder has installed. */
function sdkFile(name: string, folder: string): string {
  return createRequire(join(folder, "package.json")).resolve(`@pulumi/pulumi/cmd/${name}`);
}

/** What the runtime options of Pulumi.yaml or PulumiPolicy.yaml mean for the SDK. */
function optionVariables(info: ProgramInfo): Record<string, string> {
  const { typescript = true } = (info.getOptions()?.toJavaScript() ?? {}) as { typescript?: boolean };
  return { PULUMI_NODEJS_TYPESCRIPT: String(typescript) };
}

function start(args: readonly string[], cwd: string, env: NodeJS.ProcessEnv, stdout: "inherit" | "pipe"): ChildProcess {
  const child = spawn(process.execPath, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ["ignore", stdout, stdout],
  });
  children.add(child);
  child.on("error", (error) => console.error(`Node.js could not be started: ${error.message}`));
  child.on("close", () => children.delete(child));
  return child;
}

function run(request: RunRequest, answer: (response: InstanceType<typeof messages.RunResponse>) => void): void {
  const info = request.getInfo() ?? new messages.ProgramInfo();
  const config: Record<string, string> = {};
  request.getConfigMap().forEach((value, key) => {
    config[key] = value;
  });
  const child = start(
    [
      sdkFile("run", info.getProgramDirectory()),
      ...["--monitor", request.getMonitorAddress(), "--engine", engine],
      ...[
        "--organization",
        request.getOrganization(),
        "--project",
        request.getProject(),
        "--stack",
        request.getStack(),
      ],
      ...["--root-directory", info.getRootDirectory(), "--pwd", request.getPwd()],
      ...["--parallel", String(request.getParallel())],
      ...(request.getDryrun() ? ["--dry-run"] : []),
      info.getEntryPoint(),
      ...request.getArgsList(),
    ],
    info.getProgramDirectory(),
    {
      ...optionVariables(info),
      PULUMI_CONFIG: JSON.stringify(config),
      PULUMI_CONFIG_SECRET_KEYS: JSON.stringify(request.getConfigsecretkeysList()),
    },
    "inherit",
  );
  const finish = (error: string, bail = false) => {
    const response = new messages.RunResponse();
    response.setError(error);
    response.setBail(bail);
    answer(response);
  };
  child.on("close", (code, signal) => {
    if (code === 0) finish("");
    else if (code === alreadyShown) finish("", true);
    else finish(signal ? `The program was ended by ${signal}.` : `The program ended with exit code ${code}.`);
  });
}

function runPlugin(
  request: RunPluginRequest,
  send: (response: InstanceType<typeof messages.RunPluginResponse>) => void,
) {
  const info = request.getInfo() ?? new messages.ProgramInfo();
  const folder = info.getProgramDirectory();
  const policyPack = request.getKind() === "analyzer";
  const env = Object.fromEntries(
    request.getEnvList().map((pair) => [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)]),
  );
  const child = start(
    [
      sdkFile(policyPack ? "run-policy-pack" : "run-plugin", folder),
      ...request.getArgsList(),
      policyPack ? folder : info.getEntryPoint(),
    ],
    policyPack ? folder : request.getPwd(),
    { ...optionVariables(info), ...env },
    "pipe",
  );
  const response = (fill: (r: InstanceType<typeof messages.RunPluginResponse>) => void) => {
    const r = new messages.RunPluginResponse();
    fill(r);
    send(r);
  };
  child.stdout?.on("data", (data: Buffer) => response((r) => r.setStdout(data)));
  child.stderr?.on("data", (data: Buffer) => response((r) => r.setStderr(data)));
  return child;
}

/** A handler that runs `make` and answers with what it gives, or with the error that it throws. */
function answering<Request, Response>(make: (request: Request) => Response) {
  return (call: { request: Request }, callback: (error: Error | null, response?: Response) => void) => {
    try {
      callback(null, make(call.request));
    } catch (error) {
      callback(error as Error);
    }
  };
}

function endChildren(): void {
  for (const child of children) child.kill();
}

const server = new grpc.Server();
server.addService(LanguageRuntimeService, {
  handshake: answering(() => new messages.LanguageHandshakeResponse()),
  getRequiredPackages: answering(() => new messages.GetRequiredPackagesResponse()),
  getRequiredPlugins: answering(() => new messages.GetRequiredPluginsResponse()),
  getProgramDependencies: answering(() => new messages.GetProgramDependenciesResponse()),
  runtimeOptionsPrompts: answering(() => new messages.RuntimeOptionsResponse()),
  getPluginInfo: answering(() => {
    const info = new PluginInfo();
    info.setVersion(require("@pulumi/pulumi/package.json").version);
    return info;
  }),
  about: answering(() => {
    const about = new messages.AboutResponse();
    about.setExecutable(process.execPath);
    about.setVersion(process.version);
    return about;
  }),
  // The packages are installed before the CLI is started.
  installDependencies: (call: { end(): void }) => call.end(),
  run: (
    call: { request: RunRequest },
    callback: (error: Error | null, response?: InstanceType<typeof messages.RunResponse>) => void,
  ) => {
    try {
      run(call.request, (response) => callback(null, response));
    } catch (error) {
      callback(error as Error);
    }
  },
  runPlugin: (
    call: import("@grpc/grpc-js").ServerWritableStream<
      RunPluginRequest,
      InstanceType<typeof messages.RunPluginResponse>
    >,
  ) => {
    try {
      const child = runPlugin(call.request, (response) => call.write(response));
      child.on("close", (code) => {
        const last = new messages.RunPluginResponse();
        last.setExitcode(code ?? 1);
        call.write(last);
        call.end();
      });
      call.on("cancelled", () => child.kill());
    } catch (error) {
      call.destroy(error as Error);
    }
  },
  cancel: answering(() => {
    endChildren();
    return new Empty();
  }),
});

// The CLI ends its language host when it ends in order; if it was killed, nobody does,
// and process 1 becomes the parent.
const parent = process.ppid;
setInterval(() => {
  if (process.ppid === parent && parent !== 1) return;
  endChildren();
  process.exit(1);
}, 1000).unref();
process.on("SIGTERM", () => {
  endChildren();
  process.exit(0);
});

server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) => {
  if (error) {
    console.error(`The language host cannot listen: ${error.message}`);
    process.exit(1);
  }
  console.log(port);
});
