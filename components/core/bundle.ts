/** Bundles by esbuild: one CommonJS file that Node runs as it is. The same sources give the same bytes. */
import { createHash } from "node:crypto";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { type BuildOptions, buildSync, version } from "esbuild";
import { gzipSync, strToU8, zipSync } from "fflate";
import type { Contract, Ports } from "../../functions/kit/contract.ts";
import { type Built, remembered } from "./bundle-cache.ts";
import { KitError } from "./check.ts";

export interface Bundle {
  readonly code: string;
  /** SHA-256 of the code in hex. */
  readonly hash: string;
}

const root = fileURLToPath(new URL("../../", import.meta.url));
const kit = (path: string) => `${root}functions/kit/${path}`;

/** Optional native or authentication add-ons that `mongodb` asks for by `require` and does without. */
const external = [
  "@aws-sdk/credential-providers",
  "@mongodb-js/zstd",
  "gcp-metadata",
  "kerberos",
  "mongodb-client-encryption",
  "snappy",
];

const alias = {
  // The URL parser that `mongodb` brings along has 300 KB of tables; Node's own does.
  "whatwg-url": kit("node-url.ts"),
  // The checksums of @platformatic/kafka; the other entry reads its WebAssembly from a file beside it.
  "@platformatic/wasm-utils": "@platformatic/wasm-utils/bundled",
  // For proxies and for Avro, which `mongodb`, `mqtt` and @platformatic/kafka are never told to use.
  socks: kit("nothing.ts"),
  avsc: kit("nothing.ts"),
};

const cacheFolder = `${root}node_modules/.cache/fivefold`;

const bundles = new Map<string, Bundle>();

/**
 * Bundles a program that has its own `main`, such as the relay or a set-up job.
 *
 * @throws KitError if it does not build
 */
export function bundle(entry: URL | string): Bundle {
  return build(`import ${JSON.stringify(typeof entry === "string" ? entry : fileURLToPath(entry))};`);
}

/**
 * Bundles a function: its handler, the provider's adapter, and one client for each kind of port that it needs.
 *
 * @param adapter name of a module in `functions/kit/adapters`
 * @throws KitError if it does not build
 */
export function bundleFunction(contract: Contract, adapter: string): Bundle {
  const kinds = [...new Set(Object.values(contract.needs as Ports).map((port) => port.kind))].sort();
  const imports = kinds.map(
    (kind) => `import { connect as ${kind} } from ${JSON.stringify(kit(`clients/${kind}.ts`))};`,
  );
  return build(
    [
      `import handle from ${JSON.stringify(fileURLToPath(contract.entry))};`,
      `import { adapt } from ${JSON.stringify(kit(`adapters/${adapter}.ts`))};`,
      ...imports,
      `export const handler = adapt(handle, { ${kinds.join(", ")} });`,
    ].join("\n"),
  );
}

/** Archives hold local time, without saying which. */
const mtime = new Date(1980, 0, 1);

/** A zip archive with the bundle as `index.js`. The same code gives the same bytes. */
export function zip(bundle: Bundle): Uint8Array {
  return packed("zip", bundle, (code) => zipSync({ "index.js": [code, { mtime, level: 9 }] }));
}

/** The same code gives the same bytes. */
export function gzip(bundle: Bundle): Uint8Array {
  return packed("gzip", bundle, (code) => gzipSync(code, { mtime: 0, level: 9 }));
}

function packed(how: string, { code, hash }: Bundle, pack: (code: Uint8Array) => Uint8Array): Uint8Array {
  const make = () => ({ code: Buffer.from(pack(strToU8(code))).toString("base64"), inputs: [] });
  return Buffer.from(remembered(cacheFolder, `${how} ${hash}`, make), "base64");
}

function build(entry: string): Bundle {
  const known = bundles.get(entry);
  if (known) return known;
  const key = JSON.stringify([version, options, entry]);
  const code = remembered(cacheFolder, key, () => tryBuild(entry));
  const built = { code, hash: createHash("sha256").update(code).digest("hex") };
  bundles.set(entry, built);
  return built;
}

const options = {
  absWorkingDir: root,
  bundle: true,
  write: false,
  metafile: true,
  minify: true,
  legalComments: "none",
  platform: "node",
  target: "node22",
  format: "cjs",
  external,
  alias,
  // CommonJS has no import.meta; the kit asks for it only in contracts, whose `entry` nobody reads at run time.
  define: { "import.meta.url": '"file:///bundle/index.js"' },
  loader: { ".csv": "text" },
  tsconfigRaw: "{}",
  logLevel: "silent",
} as const satisfies BuildOptions;

function tryBuild(entry: string): Built {
  try {
    const stdin = { contents: entry, resolveDir: root, loader: "ts" } as const;
    const { outputFiles, metafile } = buildSync({ ...options, stdin });
    const files = Object.keys(metafile.inputs).filter((input) => input !== "<stdin>");
    return { code: outputFiles[0]?.text ?? "", inputs: files.map((file) => resolve(root, file)) };
  } catch (error) {
    const { errors } = error as { errors?: { text: string; location?: { file: string; line: number } | null }[] };
    if (!errors) throw error;
    throw new KitError(
      "A function or program could not be bundled",
      errors.map(({ text, location }) => (location ? `${location.file}:${location.line}: ${text}` : text)),
    );
  }
}
