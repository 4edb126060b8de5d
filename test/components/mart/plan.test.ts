import { describe, expect, it } from "vitest";
import type { Namespace } from "../../../components/core/namespace.ts";
import { defaults } from "../../../components/mart/defaults.ts";
import type { ExistingMartArgs } from "../../../components/mart/mart.ts";
import { checkUser, planExistingMart, planMart, planTable } from "../../../components/mart/plan.ts";
import { problemsOf } from "../problems.ts";

const namespace = { componentName: "iot" } as Namespace;

describe("planMart", () => {
  it("fills in what is not said", () => {
    expect(planMart("mart", { namespace })).toEqual({
      database: "iot",
      disk: "10Gi",
      memory: "256Mi",
      sharedBuffers: "64MB",
    });
  });

  it("takes what is said", () => {
    const plan = planMart("mart", { namespace, database: "sales", storage: "1.5 TiB", memory: "2 GiB" });
    expect(plan).toEqual({ database: "sales", disk: "1.5Ti", memory: "2Gi", sharedBuffers: "512MB" });
  });

  it("lets no undefined erase a default", () => {
    const args = { namespace, storage: undefined } as unknown as Parameters<typeof planMart>[1];
    expect(planMart("mart", args).disk).toBe("10Gi");
  });

  it("names every problem at once", () => {
    const args = { namespace, database: "Sales", storage: "10gb", memory: "64 MiB" } as never;
    expect(problemsOf(() => planMart("Mart!", args))).toEqual([
      'name: write up to 40 lower-case letters, digits and dashes, starting with a letter, got "Mart!"',
      'database: write up to 63 lower-case letters, digits, dashes and underscores, not starting with a digit, got "Sales"',
      'storage: write a size such as "10 GiB", got "10gb"',
      'memory: must be 128 MiB or more, got "64 MiB"',
    ]);
  });

  it("has the defaults that it documents", () => {
    expect(defaults).toEqual({ storage: "10 GiB", memory: "256 MiB" });
  });
});

describe("planExistingMart", () => {
  const account = { username: "u", password: "p" };
  const args: ExistingMartArgs = { host: "db.example.org", database: "sales", account };

  it("uses the account", () => {
    expect(planExistingMart("mart", args)).toEqual({ port: 5432, credentials: account });
  });

  it("uses the administrator", () => {
    const { account: _, ...rest } = args;
    const plan = planExistingMart("mart", { ...rest, port: 5433, admin: { ...account, namespace } });
    expect(plan).toEqual({ port: 5433, credentials: account });
  });

  it("names every problem at once", () => {
    const wrong = { ...args, port: 0, database: "a b", admin: { ...account, namespace } };
    expect(problemsOf(() => planExistingMart("9", wrong))).toEqual([
      'name: write up to 40 lower-case letters, digits and dashes, starting with a letter, got "9"',
      "port: must be from 1 to 65535, got 0",
      'database: write up to 63 lower-case letters, digits, dashes and underscores, not starting with a digit, got "a b"',
      "account, admin: give either an account that all consumers share, or an administrator who makes one for each",
    ]);
  });

  it("wants an account", () => {
    const { account: _, ...rest } = args;
    expect(problemsOf(() => planExistingMart("mart", rest))).toHaveLength(1);
  });
});

describe("planTable", () => {
  const columns = { id: "text primary key", celsius: "double precision not null" };

  it("keeps the order of columns and views", () => {
    const views = {
      hot: "select * from readings where celsius > 30",
      all_of_it: "with x as (select 1) select * from x",
    };
    expect(planTable("iot", "readings", { columns, views })).toEqual({
      name: "readings",
      columns: Object.entries(columns),
      views: Object.entries(views),
    });
  });

  it.each([
    ["Readings", { columns }, "name: write up to 63 lower-case letters"],
    [
      "r".repeat(60),
      { columns },
      `name: too long: the role iot.${"r".repeat(60)}.write must have at most 63 characters`,
    ],
    ["readings", { columns: { ...columns, 'a"; drop table x; --': "text" } }, 'columns.a"; drop table x; --: write'],
    ["readings", { columns: { ...columns, stored: "text" } }, "columns.stored: the server fills this column"],
    ["readings", { columns: { ...columns, stored_at: "text" } }, "columns.stored_at: the server fills this column"],
    ["readings", { columns: { ...columns, more: " " } }, 'columns.more: write a type such as "text not null"'],
    ["readings", { columns: { id: "text" } }, "columns: exactly one must be the primary key"],
    ["readings", { columns: { ...columns, two: "int PRIMARY  KEY" } }, "got 2"],
    ["readings", { columns, views: { readings: "select 1" } }, "views.readings: use a name of its own"],
    [
      "readings",
      { columns, views: { gone: "drop table readings" } },
      'views.gone: write a query that starts with "select"',
    ],
  ])("refuses %j %j", (name, args, message) => {
    const problems = problemsOf(() => planTable("iot", name, args as never));
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(message);
  });
});

describe("checkUser", () => {
  it("refuses what PostgreSQL would cut", () => {
    expect(problemsOf(() => checkUser("mart", "u".repeat(63)))).toEqual([]);
    expect(problemsOf(() => checkUser("mart", "u".repeat(64)))).toEqual([
      `consumer: the role ${"u".repeat(64)} must have at most 63 characters`,
    ]);
  });
});
