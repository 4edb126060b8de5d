import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { unzipSync } from "fflate";
import { afterAll, expect, test } from "vitest";
import { bundle, bundleFunction, zip } from "../../../components/core/bundle.ts";
import { KitError } from "../../../components/core/check.ts";
import { broken, echo, store } from "../faas/fixtures/contracts.ts";

const folder = mkdtempSync(join(tmpdir(), "bundle-"));
afterAll(() => rmSync(folder, { recursive: true }));
const load = (code: string) => {
  const module = { exports: {} as Record<string, unknown> };
  new Function("module", "exports", "require", code)(module, module.exports, (name: string) =>
    process.getBuiltinModule(name),
  );
  return module.exports;
};

test("a function's bundle exports its handler, of one parameter as Fission wants it", () => {
  const { handler } = load(bundleFunction(echo, "fission").code);
  expect(handler).toBeTypeOf("function");
  expect((handler as () => unknown).length).toBe(1);
});

test("the bundled function answers a batch", async () => {
  const { handler } = load(bundleFunction(echo, "fission").code) as {
    handler: (context: object) => Promise<{ status: number; body: string }>;
  };
  const event = { origin: "t/0/1", headers: {}, attempt: 1, value: JSON.stringify({ device: "a", celsius: 1 }) };
  const request = {
    method: "POST",
    url: "/",
    headers: { "fivefold-batch": "1", "content-type": "application/json" },
    body: { events: [event, { ...event, value: "{}" }] },
  };
  const { status, body } = await handler({ request });
  expect(status).toBe(200);
  expect(JSON.parse(body).outcomes.map((outcome: { status: string }) => outcome.status)).toEqual(["done", "rejected"]);
});

test("it carries the clients of its own ports and of no others", () => {
  const none = bundleFunction(echo, "fission").code;
  const documents = bundleFunction(store, "fission").code;
  expect(none).not.toContain("MongoClient");
  expect(documents).toContain("MongoClient");
  expect(documents).not.toContain('"pg_catalog"');
});

test("the same sources give the same bytes, in another process and time zone too", () => {
  const { hash, code } = bundleFunction(echo, "fission");
  const program = `
    import { createHash } from "node:crypto";
    import { bundleFunction, zip } from ${JSON.stringify(new URL("../../../components/core/bundle.ts", import.meta.url).href)};
    import { echo } from ${JSON.stringify(new URL("../faas/fixtures/contracts.ts", import.meta.url).href)};
    const made = bundleFunction(echo, "fission");
    console.log(made.hash, createHash("sha256").update(zip(made)).digest("hex"));
  `;
  const file = join(folder, "again.ts");
  writeFileSync(file, program);
  // Behind UTC: archives hold local time, and none before 1980.
  const env = { TZ: "America/Denver" };
  const again = execFileSync(process.execPath, [file], { cwd: "/", encoding: "utf8", env });
  const archive = createHash("sha256").update(zip({ hash, code })).digest("hex");
  expect(again.trim()).toBe(`${hash} ${archive}`);
}, 60_000);

test("the archive holds index.js", () => {
  const made = bundleFunction(echo, "fission");
  const files = unzipSync(zip(made));
  expect(Object.keys(files)).toEqual(["index.js"]);
  expect(Buffer.from(files["index.js"] ?? []).toString()).toBe(made.code);
});

test("another adapter makes another bundle", () => {
  expect(bundleFunction(echo, "server").hash).not.toBe(bundleFunction(echo, "fission").hash);
});

test("a program is bundled with what it imports, and is no cached other one", () => {
  const made = (text: string) => {
    const file = join(folder, `${text}.ts`);
    writeFileSync(join(folder, `${text}-word.ts`), `export const word: string = ${JSON.stringify(text)};`);
    writeFileSync(file, `import { word } from "./${text}-word.ts"; console.log(word, import.meta.url);`);
    return bundle(file);
  };
  const [one, two] = [made("one"), made("two")];
  const run = (code: string) => execFileSync(process.execPath, ["-e", code], { encoding: "utf8" });
  expect(run(one.code)).toBe("one file:///bundle/index.js\n");
  expect(run(two.code)).toBe("two file:///bundle/index.js\n");
  expect(one.hash).not.toBe(two.hash);
});

test("what does not build is a mistake of the user's, told by file and line", () => {
  const problem = () => bundleFunction(broken, "fission");
  expect(problem).toThrow(KitError);
  expect(problem).toThrow(/test\/components\/faas\/fixtures\/broken\.ts:2: .*not-there\.ts/);
});
