import pg from "pg";
import { BadInput, reasonOf, Unavailable } from "../errors.ts";
import type { Rows } from "../ports.ts";
import { coalesce } from "./coalesce.ts";

export interface RowsSettings {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly username: string;
  readonly password: string;
  /** Certificates to trust instead of the well-known ones, in PEM. */
  readonly ca?: string;
  /** @default true */
  readonly tls?: boolean;
  /** May begin with a schema: `public.measurements`. */
  readonly table: string;
  /** The columns that rows have a value for. */
  readonly columns: readonly string[];
}

type Row = Readonly<Record<string, unknown>>;

const identifier = /^[a-z_][a-z0-9_]{0,62}$/;
const connections = 4;
/** SQLSTATE classes "data exception" and "integrity constraint violation". */
const refused = /^(22|23)/;
/** SQLSTATE classes "connection exception" and "insufficient resources", and a server that stops or starts. */
const away = /^(08|53|57P)/;

/** Inserts into a table of PostgreSQL; the table must have a primary key. */
export async function connect({
  username,
  ca,
  tls = true,
  table,
  columns,
  ...server
}: RowsSettings): Promise<Rows<Row>> {
  const pool = new pg.Pool({
    ...server,
    user: username,
    max: connections,
    connectionTimeoutMillis: 5_000,
    query_timeout: 10_000,
    ssl: tls && (ca === undefined ? true : { ca }),
  });
  // Connections that break while idle are made anew; without a listener this would end the process.
  pool.on("error", () => undefined);
  const query = async (text: string, values: unknown[]) =>
    (await pool.query(text, values).catch((error: unknown) => Promise.reject(plain(error)))).rows;

  const quotedTable = table.split(".").map(quote).join(".");
  const key = await query(
    `SELECT attname FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY (indkey)
     WHERE indrelid = $1::regclass AND indisprimary`,
    [quotedTable],
  );
  if (key.length === 0) throw new Error(`the table "${table}" has no primary key`);
  const sql = insert(quotedTable, columns.map(quote).join(", "), key.map(({ attname }) => quote(attname)).join(", "));

  const insertAll = async (rows: readonly Row[]): Promise<("inserted" | "exists" | Error)[]> => {
    try {
      const inserted = new Set((await query(sql, [JSON.stringify(rows)])).map(({ place }) => Number(place)));
      return rows.map((_, index) => (inserted.has(index + 1) ? "inserted" : "exists"));
    } catch (error) {
      if (!(error instanceof BadInput)) throw error;
      // One row that the table refuses must not take the others with it.
      return rows.length === 1 ? [error] : (await Promise.all(rows.map((row) => insertAll([row])))).flat();
    }
  };
  return { insertOnce: coalesce(insertAll, { items: 1000, calls: connections }) };
}

/** Says of each row in an array of JSON whether it was inserted. Rows go in the order of their keys, so that none wait for each other. */
function insert(table: string, columns: string, key: string): string {
  return `
    WITH given AS MATERIALIZED (
      SELECT * FROM json_populate_recordset(NULL::${table}, $1::json) WITH ORDINALITY),
    inserted AS (
      INSERT INTO ${table} (${columns}) SELECT ${columns} FROM given ORDER BY ${key}
      ON CONFLICT DO NOTHING RETURNING ${key})
    SELECT min(ordinality) AS place FROM given JOIN inserted USING (${key}) GROUP BY ${key}`;
}

function quote(name: string): string {
  if (!identifier.test(name))
    throw new Error(`"${name}" is no name of a table or column: write lower case, digits and _`);
  return `"${name}"`;
}

/** The server's messages quote values, so only its codes are passed on. */
function plain(error: unknown): Error {
  // All other errors of the driver are of the connection.
  if (!(error instanceof pg.DatabaseError)) return new Unavailable(`PostgreSQL: ${reasonOf(error)}`, { cause: error });
  const { code = "", table, column, constraint } = error;
  const where = [table, column, constraint].filter(Boolean).join(" ");
  const message = `PostgreSQL refused with SQLSTATE ${code}${where && ` (${where})`}`;
  if (refused.test(code)) return new BadInput(message);
  return away.test(code) ? new Unavailable(message) : new Error(message);
}
