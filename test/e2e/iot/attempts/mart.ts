import { Client, type ClientConfig } from "pg";
import type { RowsSettings } from "../../../../functions/kit/clients/rows.ts";
import { readSettings } from "../../../../functions/kit/settings.ts";
import type { Attempts } from "./attempt.ts";
import { forged, measured, victim } from "./readings.ts";

/** May read one table and its views. */
const reader = readSettings<RowsSettings>("verify", "mart");
/** May insert into it, and read no more than the key. */
const writer = readSettings<RowsSettings>("mart-writer", "mart");
const { table } = reader;

async function inMart(
  { host, port, database, username: user, password, ca }: RowsSettings,
  sql: string,
  values: unknown[] = [],
  options: ClientConfig = {},
): Promise<Record<string, unknown>[]> {
  const client = new Client({ host, port, database, user, password, ssl: ca ? { ca } : true, ...options });
  await client.connect();
  try {
    return (await client.query(sql, values)).rows;
  } finally {
    await client.end();
  }
}

const row = measured(victim, forged);
const insert = `insert into ${table} (${Object.keys(row)}) values (${Object.keys(row).map((_, at) => `$${at + 1}`)})`;

/** Ids of rows with one of the sequences. */
export const rowsOf = async (...sequences: number[]): Promise<string[]> =>
  (await inMart(reader, `select id from ${table} where sequence = any($1) order by id`, [sequences])).map(({ id }) =>
    String(id),
  );

/** Relations of a name that nobody may have made. */
export const forgedRelations = () => inMart(reader, "select relname from pg_class where relname = 'refused'");

export const martAttempts: Attempts = {
  "mart: an unknown role": () => inMart({ ...reader, username: "nobody" }, "select 1"),
  "mart: a wrong password": () => inMart({ ...reader, password: "wrong" }, "select 1"),
  "mart: another role's password": () => inMart({ ...reader, password: writer.password }, "select 1"),
  "mart: plain text": () => inMart(reader, "select 1", [], { ssl: false }),
  "mart: another database": () => inMart({ ...reader, database: "postgres" }, "select 1"),
  "mart: who may only read writes": () => inMart(reader, insert, Object.values(row)),
  "mart: who may only write reads": () => inMart(writer, `select celsius from ${table} limit 0`),
  // Harmless even where they are let do it: the condition holds for no row.
  "mart: who may only write changes": () => inMart(writer, `update ${table} set celsius = 0 where false`),
  "mart: who may only write deletes": () => inMart(writer, `delete from ${table} where false`),
  "mart: makes a table": () => inMart(writer, "create table refused (id int)"),
  "mart: makes a temporary table": () => inMart(writer, "create temporary table refused (id int)"),
  "mart: makes a schema": () => inMart(writer, "create schema refused"),
  "mart: makes a role": () => inMart(writer, "create role refused"),
  "mart: stores a large object": () => inMart(reader, "select lo_create(0)"),
  "mart: becomes the administrator": () => inMart(writer, "set role fivefold"),
  "mart: reads the passwords": () => inMart(reader, "select rolpassword from pg_authid"),
  "mart: reads a file of the server": () => inMart(reader, "select pg_read_file('/etc/passwd')"),
  "mart: runs a program on the server": () => inMart(reader, "copy (select 1) to program 'true'"),
};
