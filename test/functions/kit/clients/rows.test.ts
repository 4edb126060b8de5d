/** Against a real PostgreSQL, if the environment variable FIVEFOLD_TEST_POSTGRES names one by its URL. */
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { connect, type RowsSettings } from "../../../../functions/kit/clients/rows.ts";
import { BadInput, Unavailable } from "../../../../functions/kit/errors.ts";

const server = { host: "127.0.0.1", port: 1, database: "d", username: "u", password: "p" };

it.each([
  { table: "a; drop table b", columns: ["id"] },
  { table: 'a"b', columns: ["id"] },
  { table: "Readings", columns: ["id"] },
  { table: "", columns: ["id"] },
])("refuses the table %j before it connects", async (settings) => {
  await expect(connect({ ...server, ...settings })).rejects.toThrow(/is no name of a table or column/);
});

it("fails to connect where nobody listens", async () => {
  const error = await connect({ ...server, table: "a", columns: ["id"] }).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(Unavailable);
  expect(String(error)).toContain("ECONNREFUSED");
});

const url = process.env.FIVEFOLD_TEST_POSTGRES;

if (!url) console.log("The tests on PostgreSQL are skipped: FIVEFOLD_TEST_POSTGRES names none.");

describe.skipIf(!url)("on PostgreSQL", () => {
  const admin = new pg.Client({ connectionString: url });
  const { hostname, port, username, password, pathname } = new URL(url ?? "postgres://u:p@h/d");
  const settings: RowsSettings = {
    host: hostname,
    port: Number(port),
    database: pathname.slice(1),
    username,
    password,
    // A server on this machine, for which TLS is not set up.
    tls: false,
    table: "public.rows_test",
    columns: ["id", "device", "at", "celsius"],
  };
  const row = (id: string, celsius = 21.5) => ({ id, device: "thermo-1", at: "2026-01-01T00:00:00.000Z", celsius });
  const count = async () => Number((await admin.query("SELECT count(*) FROM rows_test")).rows[0].count);

  beforeAll(async () => {
    await admin.connect();
    await admin.query("DROP TABLE IF EXISTS rows_test, keyless, paired");
    await admin.query(`CREATE TABLE rows_test (id text PRIMARY KEY, device text NOT NULL, at timestamptz NOT NULL,
      celsius double precision CHECK (celsius < 100), stored bigint GENERATED ALWAYS AS IDENTITY)`);
    await admin.query("CREATE TABLE keyless (id text)");
    await admin.query("CREATE TABLE paired (a text, b timestamptz, PRIMARY KEY (a, b))");
  });
  afterAll(async () => {
    await admin.query("DROP TABLE IF EXISTS rows_test, keyless, paired");
    await admin.end();
  });

  it("inserts a row once", async () => {
    const { insertOnce } = await connect(settings);
    expect(await insertOnce(row("once"))).toBe("inserted");
    expect(await insertOnce(row("once", 5))).toBe("exists");
    const { rows } = await admin.query("SELECT * FROM rows_test WHERE id = 'once'");
    expect(rows).toMatchObject([{ device: "thermo-1", celsius: 21.5, at: new Date("2026-01-01T00:00:00Z") }]);
  });

  it("says of each of many what became of it, also of doubles among them", async () => {
    const { insertOnce } = await connect(settings);
    await insertOnce(row("b"));
    const results = await Promise.all(
      ["c", "b", "a", "c", "'; DROP TABLE rows_test; --", "a"].map((id) => insertOnce(row(id))),
    );
    expect(results).toEqual(["inserted", "exists", "inserted", "exists", "inserted", "exists"]);
  });

  it("counts a row as inserted for one only of many writers at once", async () => {
    const writers = await Promise.all([connect(settings), connect(settings), connect(settings)]);
    const ids = Array.from({ length: 2000 }, (_, n) => `race-${n}`);
    const results = await Promise.all(
      writers.flatMap(({ insertOnce }, n) => (n % 2 ? ids.toReversed() : ids).map((id) => insertOnce(row(id)))),
    );
    expect(results.filter((result) => result === "inserted")).toHaveLength(2000);
    expect(results).toHaveLength(6000);
  });

  it("rejects a row that the table refuses, without its values, and takes the others", async () => {
    const before = await count();
    const { insertOnce } = await connect(settings);
    const wrong = [row("hot", 4711), { ...row("null"), device: null }, { ...row("when"), at: "secret" }];
    const results = await Promise.allSettled([row("x"), ...wrong, row("y")].map(insertOnce));
    expect(results.map((result) => (result.status === "fulfilled" ? result.value : result.reason))).toEqual([
      "inserted",
      new BadInput("PostgreSQL refused with SQLSTATE 23514 (rows_test rows_test_celsius_check)"),
      new BadInput("PostgreSQL refused with SQLSTATE 23502 (rows_test device)"),
      new BadInput("PostgreSQL refused with SQLSTATE 22007"),
      "inserted",
    ]);
    expect(await count()).toBe(before + 2);
  });

  it("needs no more than the rights to insert its columns and to read the key", async () => {
    await admin.query("DROP ROLE IF EXISTS rows_writer");
    await admin.query("CREATE ROLE rows_writer LOGIN PASSWORD 'w'");
    await admin.query("GRANT INSERT (id, device, at, celsius), SELECT (id) ON rows_test TO rows_writer");
    const { insertOnce } = await connect({ ...settings, username: "rows_writer", password: "w" });
    expect(await Promise.all([insertOnce(row("least")), insertOnce(row("least"))])).toEqual(["inserted", "exists"]);
    await admin.query("REVOKE ALL ON rows_test FROM rows_writer");
    await expect(insertOnce(row("more"))).rejects.toThrow("PostgreSQL refused with SQLSTATE 42501");
    await admin.query("DROP ROLE rows_writer");
  });

  it("knows keys of several columns", async () => {
    const { insertOnce } = await connect({ ...settings, table: "paired", columns: ["a", "b"] });
    const pair = { a: "x", b: "2026-01-01T00:00:00Z" };
    const results = [pair, { ...pair, b: "2026-01-01T01:00:00+01:00" }, { ...pair, a: "y" }].map((row) =>
      insertOnce(row),
    );
    expect(await Promise.all(results)).toEqual(["inserted", "exists", "inserted"]);
  });

  it.each([
    ["keyless", 'the table "keyless" has no primary key'],
    ["missing", "PostgreSQL refused with SQLSTATE 42P01"],
  ])("does not connect to the table %s", async (table, message) => {
    await expect(connect({ ...settings, table, columns: ["id"] })).rejects.toThrow(message);
  });
});
