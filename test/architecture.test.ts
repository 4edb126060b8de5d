/** The rules of who may import whom, kept by a test. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import ts from "typescript";
import { describe, expect, it } from "vitest";

const root = resolve(import.meta.dirname, "..");
const folders = ["bench", "components", "functions", "stacks", "policy", "local"];

const sources = folders.flatMap((folder) => {
  try {
    return readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".ts") && !file.includes("node_modules"))
      .map((file) => join(folder, file));
  } catch {
    return [];
  }
});

const imports = sources.flatMap((from) => {
  const { importedFiles } = ts.preProcessFile(readFileSync(join(root, from), "utf8"));
  return importedFiles.map(({ fileName }) => ({
    from,
    to: fileName.startsWith(".") ? relative(root, resolve(root, dirname(from), fileName)) : fileName,
  }));
});

const forbidden: [from: RegExp, to: RegExp, why: string][] = [
  [/^functions\//, /^@pulumi\/|^components\/|^stacks\/|^local\//, "run-time code must not load Pulumi"],
  [
    /^functions\/[^/]+\/(contracts|events)\.ts$/,
    /^(?!zod$|\.\/events|functions\/kit\/(contract|schema|ports)\.ts$|functions\/[^/]+\/events\.ts$)/,
    "a contract must not load handlers or clients",
  ],
  [/^components\/core\//, /^components\/(?!core\/)/, "what all components share knows none of them"],
  [/^components\//, /^stacks\/|^policy\/|^local\//, "components do not know their users"],
  [/^stacks\/(?!platform)/, /^@pulumi\/kubernetes/, "a raw object in a stack means that a component is missing"],
  [
    /^local\//,
    /^components\/(?!core\/(?:versions|labels)\.ts$)|^stacks\/|^functions\//,
    "the embedded node knows nothing of the kit",
  ],
];

describe("imports", () => {
  it("are found", () => expect(imports.length).toBeGreaterThan(20));

  it.each(forbidden)("none from %s to %s", (from, to, why) => {
    const broken = imports.filter((edge) => from.test(edge.from) && to.test(edge.to));
    expect(broken, why).toEqual([]);
  });
});
