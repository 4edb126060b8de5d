import type { MartTable } from "../../functions/setup/mart.ts";
import { ownColumns } from "../../functions/setup/own-columns.ts";
import { Check, defined } from "../core/check.ts";
import { isName, writeName } from "../core/names.ts";
import { isSize, toBytes, toQuantity, writeSize } from "../core/units.ts";
import { port as defaultPort, defaults } from "./defaults.ts";
import type { ExistingMartArgs, MartArgs } from "./mart.ts";
import type { Credentials, TableArgs } from "./table.ts";

export interface MartPlan {
  readonly database: string;
  readonly disk: string;
  readonly memory: string;
  /** PostgreSQL's `shared_buffers`. */
  readonly sharedBuffers: string;
}

/** PostgreSQL cuts longer names without a word. */
const longest = 63;
/** Names that need no care with quotes in the queries of views. */
const isIdentifier = (value: string): boolean => value.length <= longest && /^[a-z_][a-z0-9_]*$/.test(value);
const writeIdentifier = (got: string): string =>
  `write up to ${longest} lower-case letters, digits and underscores, not starting with a digit, got ${JSON.stringify(got)}`;
const isDatabase = (value: string): boolean => value.length <= longest && /^[a-z_][a-z0-9_-]*$/.test(value);
const writeDatabase = (got: string): string =>
  `write up to ${longest} lower-case letters, digits, dashes and underscores, not starting with a digit, got ${JSON.stringify(got)}`;

const smallest = { storage: "1 GiB", memory: "128 MiB" } as const;

/** @throws KitError naming every problem */
export function planMart(name: string, args: MartArgs): MartPlan {
  const { namespace, ...rest } = args;
  const want = { ...defaults, database: namespace.componentName, ...defined(rest) };
  const check = new Check(`Mart "${name}"`);
  check.that(isName(name), "name", writeName(name));
  check.that(isDatabase(want.database), "database", writeDatabase(want.database));
  for (const setting of ["storage", "memory"] as const) {
    const value = want[setting];
    check.that(isSize(value), setting, writeSize(value));
    const enough = !isSize(value) || toBytes(value) >= toBytes(smallest[setting]);
    check.that(enough, setting, `must be ${smallest[setting]} or more, got ${JSON.stringify(value)}`);
  }
  check.done();
  return {
    database: want.database,
    disk: toQuantity(want.storage),
    memory: toQuantity(want.memory),
    sharedBuffers: `${Math.floor(toBytes(want.memory) / 2 ** 22)}MB`,
  };
}

/** @throws KitError naming every problem */
export function planExistingMart(name: string, args: ExistingMartArgs): { port: number; credentials: Credentials } {
  const { port = defaultPort, database, account, admin } = args;
  const check = new Check(`ExistingMart "${name}"`);
  check.that(isName(name), "name", writeName(name));
  check.that(Number.isInteger(port) && port > 0 && port < 65_536, "port", `must be from 1 to 65535, got ${port}`);
  check.that(isDatabase(database), "database", writeDatabase(database));
  check.that(
    (account === undefined) !== (admin === undefined),
    "account, admin",
    "give either an account that all consumers share, or an administrator who makes one for each",
  );
  check.done();
  const { username, password } = (account ?? admin) as Credentials;
  return { port, credentials: { username, password } };
}

/** @throws KitError naming every problem */
export function planTable(database: string, name: string, args: TableArgs<Record<string, unknown>>): MartTable {
  const columns = Object.entries(args.columns);
  const views = Object.entries(args.views ?? {});
  const check = new Check(`Table "${name}"`);
  check.that(isIdentifier(name), "name", writeIdentifier(name));
  const role = `${database}.${name}.write`;
  check.that(role.length <= longest, "name", `too long: the role ${role} must have at most ${longest} characters`);
  for (const [column, definition] of columns) {
    const setting = `columns.${column}`;
    check.that(isIdentifier(column), setting, writeIdentifier(column));
    check.that(!ownColumns.some(([own]) => own === column), setting, "the server fills this column: use another name");
    check.that(definition.trim() !== "", setting, 'write a type such as "text not null"');
  }
  const keys = columns.filter(([, definition]) => /\bprimary\s+key\b/i.test(definition));
  check.that(
    keys.length === 1,
    "columns",
    `exactly one must be the primary key, for example id: "text primary key", got ${keys.length}`,
  );
  for (const [view, query] of views) {
    check.that(isIdentifier(view) && view !== name, `views.${view}`, `use a name of its own: ${writeIdentifier(view)}`);
    check.that(
      /^\s*(select|with)\b/i.test(query),
      `views.${view}`,
      'write a query that starts with "select" or "with"',
    );
  }
  check.done();
  return { name, columns, views };
}

/** @throws KitError where PostgreSQL would cut the name */
export function checkUser(mart: string, user: string): void {
  const check = new Check(`Mart "${mart}"`);
  check.that(user.length <= longest, "consumer", `the role ${user} must have at most ${longest} characters`);
  check.done();
}
