/** Settings of a consumer's ports: files of a mounted Secret, so that none passes through the environment. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const secrets = "/secrets";

/**
 * Reads the settings of one port: the JSON object in `/secrets/<namespace>/<consumer>-ports/<port>`.
 *
 * The environment variable `FIVEFOLD_SETTINGS` names a folder to use in place of `/secrets/<namespace>`.
 *
 * @throws Error naming file and port where the file is missing or holds no JSON object
 */
export function readSettings<Settings extends object>(consumer: string, port: string): Settings {
  const what = `Settings of port "${port}" of "${consumer}"`;
  const inside = join(`${consumer}-ports`, port);
  const file = namespaceFolders()
    .map((folder) => join(folder, inside))
    .find((path) => existsSync(path));
  if (!file) {
    const folder = process.env.FIVEFOLD_SETTINGS || `${secrets}/<namespace>`;
    throw new Error(`${what} are missing: there is no file ${join(folder, inside)}`);
  }
  const settings = parse(readFileSync(file, "utf8"));
  if (typeof settings !== "object" || settings === null || Array.isArray(settings)) {
    throw new Error(`${what} are no JSON object: ${file}`);
  }
  return settings as Settings;
}

function namespaceFolders(): string[] {
  const instead = process.env.FIVEFOLD_SETTINGS;
  if (instead) return [instead];
  // A function does not know its namespace, and only the secrets of its own are mounted.
  return existsSync(secrets) ? readdirSync(secrets).map((namespace) => join(secrets, namespace)) : [];
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The parser's own message quotes the text, which holds secrets.
    return undefined;
  }
}
