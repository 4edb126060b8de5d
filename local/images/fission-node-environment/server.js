// Runs one function for Fission: our implementation of the contract of the published environment for Node 22.
// Its limits are kept on purpose, so that a function which works here works there. WebSockets are not supported.
import { readdir, stat } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pathToFileURL } from "node:url";
import bodyParser from "body-parser";
import express from "express";

const require = createRequire(import.meta.url);
const limit = process.env.BODY_PARSER_LIMIT ?? "1mb";
const useImport = process.env.LOAD_ESM !== "false";

/** The function, once the fetcher has named it. */
let userFunction;

const app = express();
app.use(bodyParser.urlencoded({ extended: false, limit }));
app.use(bodyParser.json({ limit }));
app.use(bodyParser.raw({ limit }));
app.use(bodyParser.text({ type: "text/*", limit }));

app.post("/v2/specialize", async (request, response) => {
  if (userFunction) return response.status(400).send("This container already has its function.");
  const { filepath, functionName = "" } = request.body ?? {};
  try {
    userFunction = await load(filepath, functionName);
  } catch (error) {
    console.error(`Loading "${functionName}" from ${filepath} failed:`, error);
    return response.status(500).send(String(error?.message ?? error));
  }
  console.log(`Loaded "${functionName}" from ${filepath}`);
  response.status(202).send();
});

app.use(async (request, response) => {
  if (!userFunction) return response.status(500).send("This container has no function yet.");
  const context = { request, response };
  const answer = (status, body, headers) => send(response, status, body, headers);
  try {
    if (userFunction.length < 2) {
      const { status, body, headers } = await userFunction(context);
      answer(status, body, headers);
    } else await userFunction(context, answer);
  } catch (error) {
    logFailure(error);
    if (response.headersSent) response.destroy();
    else response.status(500).type("text").send("Internal server error");
  }
});

// What the body parsers refuse, such as 413. The default handler would log parts of the body.
app.use((error, _request, response, _next) => {
  const status = error.status ?? 500;
  response.status(status).type("html").send(`<!DOCTYPE html><title>Error</title><pre>${status}</pre>`);
});

const server = app.listen(Number(process.env.PORT ?? 8888), () => console.log(`Listens on ${server.address().port}`));

// As process 1 of its container it would outlive the signal without a handler.
process.on("SIGTERM", () => process.exit(0));

/** Answers a request. Without a status the published environment never answers, and neither does this one. */
function send(response, status, body, headers) {
  if (!status) return console.error("The function returned no status: the request stays without an answer.");
  if (headers) response.set(headers);
  response.status(status);
  if (body instanceof Readable)
    body
      .on("error", logFailure)
      .on("error", () => response.destroy())
      .pipe(response);
  else response.send(body);
}

/**
 * Loads the function.
 *
 * @param path a single file or a folder
 * @param name `file.export`, `file` for its default export, or empty for the folder's own; a single file is what it is
 */
async function load(path, name) {
  const [file, exported] = name.split(".");
  const module = await loadModule(await moduleFile(path, file));
  const found = exported
    ? (module[exported] ?? module.default?.[exported])
    : (module.default?.default ?? module.default);
  const loaded = found ?? (exported ? undefined : module);
  if (typeof loaded !== "function") throw new Error(`"${name}" is no function: there is no such export.`);
  return loaded;
}

async function loadModule(file) {
  return useImport ? import(pathToFileURL(file).href) : require(file);
}

async function moduleFile(path, file) {
  if ((await stat(path)).isFile()) return path;
  const wanted = file ? join(path, file) : path;
  // `require` finds every kind of module but this one without its extension.
  if (file && (await readdir(path)).includes(`${file}.mjs`)) return `${wanted}.mjs`;
  return require.resolve(wanted);
}

/** Names the failure and where it happened. Not its message, which may quote what was sent. */
function logFailure(error) {
  const frames = String(error?.stack ?? "")
    .split("\n")
    .filter((line) => line.trim().startsWith("at "));
  console.error([`The function failed: ${error?.name ?? typeof error}`, ...frames].join("\n"));
}
