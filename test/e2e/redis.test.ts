/** The data grid and the relay of its stream against a real Valkey: killed, taken over, replayed, they lose nothing. */
import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { Valkey } from "iovalkey";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bundle } from "../../components/core/bundle.ts";
import type { Outcome } from "../../functions/kit/batch.ts";
import { connect, type GridSettings, keysOf } from "../../functions/kit/clients/grid.ts";
import { Unavailable } from "../../functions/kit/errors.ts";
import type { Claim, Grid } from "../../functions/kit/ports.ts";
import { connectValkey } from "../../functions/kit/valkey.ts";
import { type Part, setUpRedis } from "../../functions/setup/redis.ts";
import { Hopeless } from "../../functions/setup/run.ts";
import { Lab, until } from "./relay-lab.ts";

interface Payment {
  readonly id: number;
  readonly outcome: "approved" | "declined";
}

const lab = new Lab();
const done: Outcome = { status: "done" };
let server: Valkey;

beforeAll(async () => {
  await lab.startValkey();
  server = connectValkey(lab.valkey);
});
afterAll(async () => {
  server?.disconnect();
  await lab.close();
});

const day = 86_400_000;
function gridOf(map: string, settings: Partial<GridSettings> = {}): Grid<Payment> {
  const all = { ...lab.valkey, map, keepMilliseconds: day, retentionMilliseconds: day, ...settings };
  return connect(all, { encoding: "json" }) as Grid<Payment>;
}

async function claimed(grid: Grid<Payment>, key: string, milliseconds = 10_000) {
  const claim = await grid.claim(key, milliseconds);
  if (claim.status !== "claimed") throw new Error(`${key} is ${claim.status}`);
  return claim;
}

async function write(grid: Grid<Payment>, key: string, value: Payment): Promise<void> {
  const { claim } = await claimed(grid, key);
  expect(await grid.write(key, value, claim)).toBe("written");
}

const approved = (id: number): Payment => ({ id, outcome: "approved" });

describe("the grid", () => {
  it("lets one of many take a key", async () => {
    const grid = gridOf("taken");
    const claims = await Promise.all(Array.from({ length: 50 }, () => grid.claim("one", 10_000)));
    expect(claims.filter(({ status }) => status === "claimed")).toHaveLength(1);
    const [winner] = claims.filter(
      (claim): claim is Claim<Payment> & { status: "claimed" } => claim.status === "claimed",
    );
    expect(winner?.value).toBeUndefined();
    await grid.release("one", "somebody else's");
    expect((await grid.claim("one", 10_000)).status).toBe("taken");
    await grid.release("one", winner?.claim ?? "");
    expect((await grid.claim("one", 10_000)).status).toBe("claimed");
  });

  it("writes value, entry and counts in one step, and ends the claim", async () => {
    const grid = gridOf("written");
    const { claim } = await claimed(grid, "one");
    expect(await grid.write("one", approved(1), claim, [{ name: "card", amount: 250 }])).toBe("written");
    await write(grid, "two", approved(2));
    const again = await claimed(grid, "two");
    expect(again.value).toEqual(approved(2));
    await grid.write("two", { id: 2, outcome: "declined" }, again.claim, [{ name: "card", amount: -50 }]);
    expect(await grid.get("one")).toEqual(approved(1));
    expect(await grid.get("two")).toEqual({ id: 2, outcome: "declined" });
    expect(await grid.get("three")).toBeUndefined();
    expect(await grid.counts(["card", "other"], 10)).toEqual([
      { times: 2, amount: 200 },
      { times: 0, amount: 0 },
    ]);
    const entries = await server.xrange(keysOf("written").stream, "-", "+");
    expect(entries.map(([, fields]) => fields)).toEqual([
      ["key", "one", "value", JSON.stringify(approved(1))],
      ["key", "two", "value", JSON.stringify(approved(2))],
      ["key", "two", "value", JSON.stringify({ id: 2, outcome: "declined" })],
    ]);
  });

  it("writes nothing at all once the claim has ended", async () => {
    const grid = gridOf("lost");
    const { claim } = await claimed(grid, "one", 50);
    await sleep(100);
    const other = await claimed(grid, "one");
    expect(await grid.write("one", approved(1), claim, [{ name: "card", amount: 1 }])).toBe("lost");
    expect(await grid.get("one")).toBeUndefined();
    expect(await server.exists(keysOf("lost").stream)).toBe(0);
    expect(await grid.counts(["card"], 10)).toEqual([{ times: 0, amount: 0 }]);
    expect(await grid.write("one", approved(1), other.claim)).toBe("written");
  });

  it("forgets values and entries after their time", async () => {
    const grid = gridOf("short", { keepMilliseconds: 200, retentionMilliseconds: 200 });
    for (let id = 0; id < 300; id += 1) await write(grid, `old-${id}`, approved(id));
    await sleep(300);
    await write(grid, "new", approved(1));
    expect(await grid.get("old-0")).toBeUndefined();
    expect(await grid.get("new")).toEqual(approved(1));
    // The server drops whole nodes of about 100 entries.
    expect(await server.xlen(keysOf("short").stream)).toBeLessThan(110);
  });

  it("says that the server is away, and goes on when it is back", async () => {
    const grid = gridOf("away");
    await write(grid, "one", approved(1));
    await lab.killValkey();
    await expect(grid.get("one")).rejects.toThrow(Unavailable);
    await expect(grid.claim("two", 1000)).rejects.toThrow(Unavailable);
    await lab.runValkey();
    await until(async () => (await grid.get("one").catch(() => undefined))?.id === 1, 20, "the value is there again");
    await until(() => server.status === "ready", 20, "the test is connected again");
  });

  it("is refused with a wrong password, which is nobody's absence", async () => {
    const grid = gridOf("refused", { password: "wrong" });
    await expect(grid.get("one")).rejects.toThrow();
  });
});

describe("users", () => {
  const server = () => ({ ...lab.valkey, hosts: ["localhost"] });
  const as = async (part: Part) => {
    const account = { name: `user of ${part}`.replaceAll(/\W/g, "-"), password: `secret of ${part}` };
    await setUpRedis({ server: server(), user: { ...account, map: "mine", part } });
    return connectValkey({ ...lab.valkey, username: account.name, password: account.password });
  };
  const refused = /NOPERM/;

  it.each<[Part, allowed: string[][], forbidden: string[][]]>([
    [
      "values",
      [
        ["set", "mine:value:a", "1"],
        ["xadd", "mine:changes", "*", "key", "a"],
        ["hincrby", "mine:count:a", "times", "1"],
      ],
      [["set", "other:value:a", "1"], ["xadd", "mine.dead-letters", "*", "a", "b"], ["flushall"], ["keys", "*"]],
    ],
    [
      "values, to read",
      [
        ["get", "mine:value:a"],
        ["xrange", "mine:changes", "-", "+"],
        ["xrange", "mine.dead-letters", "-", "+"],
      ],
      [
        ["set", "mine:value:a", "1"],
        ["get", "other:value:a"],
        ["xadd", "mine:changes", "*", "a", "b"],
      ],
    ],
    [
      "stream",
      [
        ["xgroup", "CREATE", "mine:changes", "g", "0", "MKSTREAM"],
        ["xinfo", "CONSUMERS", "mine:changes", "g"],
      ],
      [
        ["get", "mine:value:a"],
        ["xadd", "mine:changes", "*", "a", "b"],
        ["xgroup", "DESTROY", "mine:changes", "g"],
      ],
    ],
    [
      "dead letters",
      [
        ["xadd", "mine.dead-letters", "*", "a", "b"],
        ["xrange", "mine.dead-letters", "-", "+"],
      ],
      [
        ["get", "mine:value:a"],
        ["xadd", "mine:changes", "*", "a", "b"],
        ["xadd", "other.dead-letters", "*", "a", "b"],
      ],
    ],
  ])("of the part %j may use it, and nothing else", async (part, allowed, forbidden) => {
    const client = await as(part);
    try {
      for (const [command = "", ...args] of allowed) await client.call(command, ...args);
      for (const [command = "", ...args] of [...forbidden, ["acl", "LIST"], ["config", "GET", "*"]])
        await expect(client.call(command, ...args), command).rejects.toThrow(refused);
    } finally {
      client.disconnect();
    }
  });

  it("are made anew by the next set-up, and kept when the server starts again", async () => {
    const client = await as("values");
    await lab.killValkey();
    await lab.runValkey();
    await until(async () => (await client.get("mine:value:a").catch(() => undefined)) === "1", 20, "it may still read");
    client.disconnect();
    (await as("values")).disconnect();
  });

  it("are not made with a wrong password of the administrator, which no patience helps", async () => {
    const user = { name: "somebody", password: "p", map: "mine", part: "values" as const };
    const wrong = setUpRedis({ server: { ...server(), password: "wrong" }, user });
    await expect(wrong).rejects.toThrow(Hopeless);
  });

  it("nobody comes in without a name or in plain text", async () => {
    const nameless = connectValkey({ ...lab.valkey, username: "default", password: "" });
    await expect(nameless.get("mine:value:a")).rejects.toThrow();
    nameless.disconnect();
    const plain = new Valkey({ port: lab.valkeyPort, maxRetriesPerRequest: 0, retryStrategy: () => null });
    plain.on("error", () => undefined);
    await expect(plain.get("mine:value:a")).rejects.toThrow();
  });
});

describe("from the grid to a function", () => {
  const letters = (map: string) => ({ redis: lab.valkey, stream: `${map}.dead-letters` });
  const settingsOf = (map: string, target: object, when?: object) => ({
    source: { kind: "redis", ...lab.valkey, stream: keysOf(map).stream, group: map, ...(when && { when }) },
    target,
    deadLetters: letters(map),
    retries: 2,
    backoff: { firstMilliseconds: 10 },
  });
  const pending = async (map: string) => Number((await server.xpending(keysOf(map).stream, map))[0]);

  it("delivers all, those of a key in order, while relay and server are killed", async () => {
    const [count, keys] = [6_000, 40];
    const grid = gridOf("killed");
    const seen: number[] = [];
    const target = await lab.function(({ value }) => {
      seen.push((JSON.parse(value) as Payment).id);
      return done;
    });
    const writing = (async () => {
      for (let id = 0; id < count; id += keys) {
        const round = Array.from({ length: keys }, async (_, key) => {
          for (;;) {
            try {
              const claim = await grid.claim(`key-${key}`, 2_000);
              if (claim.status === "claimed") {
                if (claim.value?.id === id + key) return await grid.release(`key-${key}`, claim.claim);
                if ((await grid.write(`key-${key}`, approved(id + key), claim.claim)) === "written") return;
              }
            } catch (error) {
              expect(error).toBeInstanceOf(Unavailable);
            }
            await sleep(50);
          }
        });
        await Promise.all(round);
      }
    })();
    let relay = await lab.relay("killed", settingsOf("killed", target), "pod-0");
    for (const [at, share] of [0.2, 0.5, 0.8].entries()) {
      await until(() => new Set(seen).size > count * share, 120, `${share} of all are delivered`);
      if (at === 1) {
        await lab.killValkey();
        await lab.runValkey();
      } else {
        await relay.end("SIGKILL");
        // Once as the same pod, once as another.
        relay = await lab.relay("killed", settingsOf("killed", target), at === 0 ? "pod-0" : "pod-1");
      }
    }
    await writing;
    await until(() => new Set(seen).size === count, 120, "all are delivered");
    await until(async () => (await pending("killed")) === 0, 20, "all are acknowledged");
    const firsts = [...new Set(seen)];
    for (let key = 0; key < keys; key += 1) {
      const ofKey = firsts.filter((id) => id % keys === key);
      expect(ofKey).toEqual([...ofKey].sort((one, other) => one - other));
    }
    expect(await relay.end("SIGTERM")).toBe(0);
    // Who leaves in peace leaves nothing: no consumer that another would have to wait for.
    expect(await server.xinfo("CONSUMERS", keysOf("killed").stream, "killed")).toEqual([]);
  });

  it("delivers only what it is for, and to each group all of it", async () => {
    const grid = gridOf("chosen");
    const seen: Record<string, number[]> = { approved: [], declined: [], all: [] };
    const relays = [];
    for (const outcome of ["approved", "declined", "all"]) {
      const target = await lab.function(({ value }) => {
        seen[outcome]?.push((JSON.parse(value) as Payment).id);
        return done;
      });
      const { source, ...rest } = settingsOf("chosen", target, outcome === "all" ? undefined : { outcome });
      const name = `chosen-${outcome}`;
      relays.push(await lab.relay(name, { source: { ...source, group: name }, ...rest }));
    }
    for (let id = 0; id < 20; id += 1)
      await write(grid, `key-${id}`, { id, outcome: id % 4 === 0 ? "declined" : "approved" });
    await until(() => seen.all?.length === 20, 20, "all are delivered");
    await until(() => seen.declined?.length === 5 && seen.approved?.length === 15, 20, "each has its own");
    for (const outcome of ["approved", "declined"]) {
      const group = `chosen-${outcome}`;
      const waiting = async () => Number((await server.xpending(keysOf("chosen").stream, group))[0]);
      await until(async () => (await waiting()) === 0, 20, "what is for others is acknowledged too");
    }
    for (const relay of relays) expect(await relay.end("SIGTERM")).toBe(0);
  });

  it("takes over from a relay that is gone, and not from one that is only held up", async () => {
    const grid = gridOf("over");
    const seen: number[] = [];
    let stuck = true;
    const target = await lab.function(({ value }): Outcome => {
      const { id } = JSON.parse(value) as Payment;
      if (stuck) return { status: "unavailable", reason: "not yet" };
      seen.push(id);
      return done;
    });
    const settings = { ...settingsOf("over", target), inFlight: { events: 10 } };
    const first = await lab.relay("over", settings, "pod-first");
    await first.ready();
    for (let id = 0; id < 30; id += 1) await write(grid, `key-${id}`, approved(id));
    await until(async () => (await pending("over")) > 0, 20, "the first has got some");
    const second = await lab.relay("over", settings, "pod-second");
    await sleep(15_000);
    expect(second.output).not.toContain("takes over");
    await first.end("SIGKILL");
    stuck = false;
    await until(() => new Set(seen).size === 30, 60, "the second delivers all");
    expect(second.output).toContain("takes over from a consumer that is gone");
    expect(seen).toHaveLength(30);
    expect(await second.end("SIGTERM")).toBe(0);
  });

  it("keeps what fails as a dead letter, which a replay sends again once", async () => {
    const grid = gridOf("dead");
    const seen: number[] = [];
    let broken = true;
    const target = await lab.function(({ value }): Outcome => {
      const { id } = JSON.parse(value) as Payment;
      if (broken && id % 5 === 0) return { status: "failed", reason: "is broken" };
      if (broken && id % 5 === 1) return { status: "rejected", reason: "is bad" };
      seen.push(id);
      return done;
    });
    const settings = settingsOf("dead", target);
    const relay = await lab.relay("dead", settings);
    for (let id = 0; id < 20; id += 1) await write(grid, `key-${id}`, approved(id));
    await until(async () => (await server.xlen("dead.dead-letters")) === 8, 20, "eight dead letters");
    await until(async () => (await pending("dead")) === 0, 20, "all are acknowledged");
    const [, fields = []] = (await server.xrange("dead.dead-letters", "-", "+"))[0] ?? [];
    const letter = Object.fromEntries(
      Array.from({ length: fields.length / 2 }, (_, at) => [fields[2 * at], fields[2 * at + 1]]),
    );
    expect(letter).toMatchObject({
      key: expect.stringMatching(/^key-/),
      value: expect.stringContaining('"outcome":"approved"'),
      "header:dead-letter-topic": keysOf("dead").stream,
      "header:dead-letter-trigger": "dead",
    });

    const script = join(lab.folder, "replay.cjs");
    writeFileSync(script, bundle(new URL("../../functions/relay/replay.main.ts", import.meta.url)).code);
    const replay = async (args: object) => {
      const env = {
        ...process.env,
        FIVEFOLD_SETTINGS: join(lab.folder, "settings"),
        FIVEFOLD_NAME: "dead",
        REPLAY_ARGUMENTS: JSON.stringify(args),
      };
      const { stdout } = await promisify(execFile)(process.execPath, [script], { env });
      return JSON.parse(/^RESULT (.*)$/m.exec(stdout)?.[1] ?? "{}");
    };
    expect(await replay({ dryRun: true })).toMatchObject({ topic: "dead.dead-letters", open: 8, chosen: 8 });
    broken = false;
    expect(await replay({ reason: "failed" })).toMatchObject({ chosen: 4, sent: 4, failed: 0 });
    expect(await replay({})).toMatchObject({ chosen: 4, sent: 4, failed: 0, open: 4 });
    expect(await replay({})).toMatchObject({ chosen: 0, sent: 0, open: 0 });
    expect([...seen].sort((one, other) => one - other)).toEqual(Array.from({ length: 20 }, (_, id) => id));
    expect(await relay.end("SIGTERM")).toBe(0);
  });
});
