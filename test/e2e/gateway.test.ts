/** The gateway with a real Envoy: whom it lets in, what it refuses by itself, and what functions get to see. */
import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { clusterOf } from "../../local/cluster.ts";
import { settings } from "../../local/deploy.ts";
import { run } from "../../local/run.ts";
import { toolchain } from "../../local/toolchain/toolchain.ts";
import { kubectl } from "./cluster.ts";
import type { Answer, Ask, Asks } from "./gateway/ask.ts";

const root = resolve(import.meta.dirname, "../..");
const namespace = "gateway-test";
process.env.FIVEFOLD_INSTANCE ??= "fivefold-test"; // never on a node of the user's own
const instance = process.env.FIVEFOLD_INSTANCE;

let folder = "";
let pulumi: (...args: string[]) => Promise<string>;
let gateway: { address: string; ca: string; keys: { shop: string; kiosk: string } };

const own = generateKeyPairSync("rsa", { modulusLength: 2048 });
const other = generateKeyPairSync("rsa", { modulusLength: 2048 });

beforeAll(async () => {
  const cli = (...args: string[]) => run("node", ["fivefold.mjs", ...args], { cwd: root });
  await cli("node", "start");
  await cli("pulumi", "stack", "select", "--create", "platform");
  await cli("pulumi", "up", "-s", "platform", "--yes", "--non-interactive", "--skip-preview");
  folder = await mkdtemp(join(tmpdir(), "fivefold-gateway-"));
  const main = JSON.stringify(join(import.meta.dirname, "gateway/stack.ts"));
  const runtime = "{name: nodejs, options: {typescript: false}}";
  await writeFile(join(folder, "Pulumi.yaml"), `name: fivefold\nruntime: ${runtime}\nmain: ${main}\n`);
  const cluster = await clusterOf(undefined);
  const tools = await toolchain(cluster);
  const env = { ...tools.env, ...(await settings(cluster)) };
  pulumi = (...args) => run(tools.pulumi, [...args, "--stack=gateway"], { cwd: folder, env });
  await run(tools.pulumi, ["stack", "select", "--create", "gateway"], { cwd: folder, env });
  const jwk = { ...own.publicKey.export({ format: "jwk" }), kid: "own", alg: "RS256", use: "sig" };
  await pulumi("config", "set", "jwks", JSON.stringify({ keys: [jwk] }));
  await pulumi("up", "--yes", "--non-interactive", "--skip-preview");
  const { ca, keys } = JSON.parse(await pulumi("stack", "output", "--json", "--show-secrets"));
  const address = await kubectl(instance, ["get", "service/api", "-n", namespace, "-o=jsonpath={.spec.clusterIP}"]);
  gateway = { address, ca, keys };
});
afterAll(async () => {
  await pulumi?.("destroy", "--yes", "--non-interactive", "--skip-preview", "--remove");
  await run("node", ["fivefold.mjs", "stop"], { cwd: root });
  await rm(folder, { recursive: true });
});

async function ask(asks: readonly Ask[], how: Partial<Asks> = {}): Promise<Answer[]> {
  const { address, ca } = gateway;
  const input = JSON.stringify({ address, name: `api.${namespace}.svc`, ca, asks, ...how });
  const program = join(import.meta.dirname, "gateway/ask.ts");
  const command = [`--net=/run/netns/${instance}`, process.execPath, "--disable-warning=ExperimentalWarning", program];
  return JSON.parse(await run("nsenter", command, { input }));
}
const statuses = async (...asks: readonly Ask[]) => (await ask(asks)).map(({ status }) => status);
const key = (client: "shop" | "kiosk") => ({ "x-api-key": gateway.keys[client] });

function token(claims: object, signer: KeyObject = own.privateKey): Record<string, string> {
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString("base64url");
  const exp = Math.floor(Date.now() / 1000) + 600;
  const all = { iss: "https://bank.test", aud: "api", sub: "bank-7", exp, ...claims };
  const text = `${encode({ alg: "RS256", typ: "JWT", kid: "own" })}.${encode(all)}`;
  return { authorization: `Bearer ${text}.${sign("sha256", Buffer.from(text), signer).toString("base64url")}` };
}

describe("a client with a key", () => {
  it("is let in where it is named, and nobody else is", async () => {
    const asked = { path: "/shop", method: "POST", body: "1" };
    expect(
      await statuses(
        asked,
        { ...asked, headers: { "x-api-key": "wrong" } },
        { ...asked, headers: { "x-client": "shop" } },
        { ...asked, headers: key("kiosk") },
      ),
    ).toEqual([401, 401, 401, 401]);
  });

  it("cannot say that it is another, nor send its key on", async () => {
    const headers = { ...key("kiosk"), "x-client": "shop", "x-fission-params-id": "1" };
    const [answer] = await ask([{ path: "/old/card/17", headers }]);
    const seen = JSON.parse(answer?.body ?? "");
    expect(seen).toMatchObject({ path: "/new/17/of/card", params: { id: "17", kind: "card" } });
    expect(seen.headers["x-client"]).toBe("kiosk");
    expect(seen.headers).not.toHaveProperty("x-api-key");
  });

  it("has a limit of its own", async () => {
    const asked = (client: "shop" | "kiosk") => ({ path: "/limited", headers: key(client) });
    expect(await statuses(...["shop", "shop", "shop"].map(() => asked("shop")))).toEqual([200, 200, 429]);
    expect(await statuses(...["kiosk", "kiosk", "kiosk"].map(() => asked("kiosk")))).toEqual([200, 200, 429]);
  });

  it("may send so much and no more", async () => {
    const asked = (size: number) => ({ path: "/shop", method: "POST", headers: key("shop"), body: "1".repeat(size) });
    expect(await statuses(asked(1025), asked(2 ** 20))).toEqual([413, 413]);
  });
});

describe("a client with a token", () => {
  it("is let in by its issuer's signature, for this audience, until it expires", async () => {
    const asked = (headers: Record<string, string>) => ({ path: "/bank", headers });
    const [good] = await ask([asked({ ...token({}), "x-client": "shop" })]);
    expect(JSON.parse(good?.body ?? "").headers["x-client"]).toBe("bank-7");
    expect(
      await statuses(
        asked({}),
        asked(token({}, other.privateKey)),
        asked(token({ exp: 1 })),
        asked(token({ iss: "https://other.test" })),
        asked(token({ aud: "other" })),
      ),
    ).toEqual([401, 401, 401, 401, 403]);
  });
});

describe("the gateway", () => {
  it("knows no other paths and methods", async () => {
    const headers = key("shop");
    const wrong = [{ path: "/" }, { path: "/shop" }, { path: "/shop/more", method: "POST" }, { path: "/old/card" }];
    expect(await statuses(...wrong.map((each) => ({ ...each, headers })))).toEqual([404, 404, 404, 404]);
  });

  it("leads to Deployments too", async () => {
    const [answer] = await ask([{ path: "/open", headers: { "x-client": "shop" } }]);
    expect(JSON.parse(answer?.body ?? "").headers).not.toHaveProperty("x-client");
  });

  it("proves who it is", async () => {
    const [unknown] = await ask([{ path: "/open" }], { ca: "" });
    expect(unknown?.body).toMatch(/unable to verify|self-signed/);
    const [misnamed] = await ask([{ path: "/open" }], { name: "api.other.svc" });
    expect(misnamed?.body).toMatch(/does not match certificate's altnames/);
  });

  it("is the only way to its functions", async () => {
    const paths = ["/shop", `/${namespace}/shop`, `/fission-function/${namespace}/mirror`];
    const script = `Promise.all(${JSON.stringify(paths)}
      .map((path) => fetch("http://" + process.argv[1] + path, { method: "POST" }).then((r) => r.status)))
      .then((all) => console.log(JSON.stringify(all)))`;
    const address = await kubectl(instance, ["get", "service/router", "-n=fission", "-o=jsonpath={.spec.clusterIP}"]);
    const found = await run("nsenter", [`--net=/run/netns/${instance}`, process.execPath, "-e", script, address]);
    expect(JSON.parse(found)).toEqual([404, 404, 404]);
  });
});
