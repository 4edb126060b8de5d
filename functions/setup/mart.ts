/** Makes database, table, views and roles of a PostgreSQL server what the stack says. */
import pg from "pg";
import type { Access } from "../kit/ports.ts";
import { ownColumns } from "./own-columns.ts";
import { rightsOf } from "./rights.ts";
import { Hopeless } from "./run.ts";

export interface MartServer {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  /** May make databases and roles. */
  readonly username: string;
  readonly password: string;
  /** PEM; without it the public authorities. */
  readonly ca?: string | undefined;
}

export type MartSpecification =
  | { readonly task: "table"; readonly server: MartServer; readonly table: MartTable }
  | { readonly task: "user"; readonly server: MartServer; readonly user: MartUser };

export interface MartTable {
  readonly name: string;
  /** Definitions by column, in order. */
  readonly columns: readonly (readonly [name: string, definition: string])[];
  /** Queries by view, in order. */
  readonly views: readonly (readonly [name: string, query: string])[];
}

export interface MartUser {
  readonly name: string;
  readonly password: string;
  readonly table: string;
  readonly access: Access;
}

export async function setUpMart(specification: MartSpecification): Promise<string> {
  const { server } = specification;
  if (specification.task === "user") return await within(server, (run) => ensureUser(run, server, specification.user));
  await within({ ...server, database: "postgres" }, (run) => ensureDatabase(run, server.database), "no transaction");
  return await within(server, (run) => ensureTable(run, server, specification.table));
}

type Run = (sql: string, values?: readonly unknown[]) => Promise<Record<string, string | null>[]>;

async function ensureDatabase(run: Run, database: string): Promise<string> {
  const known = await run("select from pg_database where datname = $1", [database]);
  if (known.length === 0) {
    await run(`create database ${id(database)}`).catch((error: unknown) => {
      if (!madeMeanwhile.includes((error as pg.DatabaseError).code ?? "")) throw error;
    });
  }
  return `There is the database ${database}`;
}

/** SQLSTATE where the Job of another table was quicker. */
const madeMeanwhile = ["42P04", "23505"];

/** One Job after another: PostgreSQL fails where two change the rights of one thing at once. */
const lock = "select pg_advisory_xact_lock(20040)";

async function ensureTable(run: Run, { database }: MartServer, { name, columns, views }: MartTable): Promise<string> {
  await run(lock);
  await run(`revoke all on database ${id(database)} from public`);
  await run("revoke all on schema public from public");
  // Large objects belong to no schema: anyone could store them.
  for (const make of largeObjectMakers) await run(`revoke execute on function pg_catalog.${make} from public`);
  const all = [...columns, ...ownColumns];
  const list = all.map(([column, definition]) => `${id(column)} ${definition}`).join(", ");
  const table = `public.${id(name)}`;
  await run(`create table if not exists ${table} (${list})`);
  // The server itself tells what the definitions mean, and with it whether the table is what they say.
  await run(`create temporary table wanted (${list}) on commit drop`);
  await grow(run, name, new Map(all));
  for (const [view, query] of views) await run(`create or replace view public.${id(view)} as ${query}`);

  const readable = [table, ...views.map(([view]) => `public.${id(view)}`)].join(", ");
  const [key] = await run(
    "select string_agg(quote_ident(attname), ', ') as columns from pg_index join pg_attribute " +
      "on attrelid = indrelid and attnum = any(indkey) where indrelid = $1::regclass and indisprimary",
    [table],
  );
  for (const access of ["read", "write"] as const) {
    const group = id(groupOf(database, name, access));
    await run(`do $$ begin create role ${group} nologin; exception when duplicate_object then null; end $$`);
    await run(`grant connect on database ${id(database)} to ${group}`);
    await run(`grant usage on schema public to ${group}`);
    if (access === "read") await run(`grant select on ${readable} to ${group}`);
    // `on conflict (key) do nothing` reads the key.
    else await run(`grant insert (${columns.map(([column]) => id(column)).join(", ")}) on ${table} to ${group}`);
    if (access === "write") await run(`grant select (${key?.columns}) on ${table} to ${group}`);
  }
  return `The table ${name} is in the database ${database}`;
}

const largeObjectMakers = ["lo_creat(integer)", "lo_create(oid)", "lo_from_bytea(oid, bytea)"];

/** Adds the columns that are missing. Anything else would change or drop data, which is for people to do. */
async function grow(run: Run, table: string, definitions: ReadonlyMap<string, string>): Promise<void> {
  const described = (relation: string) =>
    run(
      "select attname as name, format_type(atttypid, atttypmod) || case when attnotnull then ' not null' else '' end || " +
        "coalesce(' default ' || pg_get_expr(adbin, adrelid), '') || case when exists (select from pg_index where " +
        "indrelid = attrelid and indisprimary and attnum = any(indkey)) then ' primary key' else '' end as is " +
        "from pg_attribute left join pg_attrdef on adrelid = attrelid and adnum = attnum " +
        "where attrelid = $1::regclass and attnum > 0 and not attisdropped order by attnum",
      [relation],
    );
  const actual = new Map((await described(`public.${id(table)}`)).map(({ name, is }) => [name, is]));
  const wanted = new Map((await described("pg_temp.wanted")).map(({ name, is }) => [name, is]));
  const problems = [...actual].flatMap(([name, is]) => {
    if (!wanted.has(name)) return [`column ${name} is no longer in the stack`];
    return wanted.get(name) === is ? [] : [`column ${name} is "${is}", the stack says "${wanted.get(name)}"`];
  });
  if (problems.length > 0) {
    throw new Hopeless(
      `The table ${table} holds data in another form: ${problems.join("; ")}. ` +
        "Only new columns are added by themselves: change the table with SQL, or give the new form another name.",
    );
  }
  for (const [name, definition] of definitions) {
    if (!actual.has(name)) await run(`alter table public.${id(table)} add column ${id(name)} ${definition}`);
  }
}

async function ensureUser(run: Run, { database }: MartServer, { name, password, table, access }: MartUser) {
  await run(lock);
  // A statement that fails is logged, and this one holds a password.
  await run("set local log_min_error_statement = panic");
  const [known] = await run("select rolname from pg_roles where rolname = $1", [name]);
  await run(`${known ? "alter" : "create"} role ${id(name)} login password ${pg.escapeLiteral(password)}`);
  const held = await run(
    "select groups.rolname as name from pg_auth_members join pg_roles as users on users.oid = member " +
      "join pg_roles as groups on groups.oid = roleid where users.rolname = $1",
    [name],
  );
  for (const group of held) await run(`revoke ${id(group.name ?? "")} from ${id(name)}`);
  for (const right of rightsOf(access)) await run(`grant ${id(groupOf(database, table, right))} to ${id(name)}`);
  return `The role ${name} may ${rightsOf(access).join(" and ")} in the table ${table}`;
}

/** The role that has the rights; the roles of consumers are members of it. */
export const groupOf = (database: string, table: string, access: "read" | "write"): string =>
  `${database}.${table}.${access}`;

const id = pg.escapeIdentifier;

async function within(
  server: MartServer,
  work: (run: Run) => Promise<string>,
  mode: "transaction" | "no transaction" = "transaction",
) {
  const { host, port, database, username: user, password, ca } = server;
  const ssl = { rejectUnauthorized: true, ...(ca === undefined ? {} : { ca }) };
  const client = new pg.Client({ host, port, database, user, password, ssl, connectionTimeoutMillis: 5_000 });
  try {
    await client.connect();
    const run: Run = async (sql, values) => (await client.query(sql, values as unknown[] | undefined)).rows;
    if (mode === "no transaction") return await work(run);
    await run("begin");
    const done = await work(run);
    await run("commit");
    return done;
  } catch (error) {
    throw telling(error, server);
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** Classes of SQLSTATE that pass by themselves: connection, resources, the operator's doing, two that want the same. */
const passing = ["08", "53", "57", "58", "40", "55"];

function telling(error: unknown, { host, username }: MartServer): unknown {
  if (!(error instanceof pg.DatabaseError)) return error;
  if (error.code === "28P01") {
    return new Hopeless(
      `${host} refuses the password of ${username}. ` +
        "Its volume was probably made with another one: give that one back, or delete the volume to start afresh.",
    );
  }
  if (passing.includes(error.code?.slice(0, 2) ?? "")) return error;
  return new Hopeless(`${host} refuses: ${error.message}${error.detail ? ` (${error.detail})` : ""}`);
}
