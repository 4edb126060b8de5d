/** The client of the port kind `documents`: a MongoDB collection. Calls made at about the same time go as one command. */
import {
  type AnyBulkWriteOperation,
  type BulkWriteResult,
  type Collection,
  MongoBulkWriteError,
  MongoClient,
  MongoClientClosedError,
  MongoError,
  MongoNetworkError,
  MongoServerSelectionError,
  MongoTopologyClosedError,
} from "mongodb";
import { reasonOf, Unavailable } from "../errors.ts";
import type { Documents } from "../ports.ts";
import { coalesce } from "./coalesce.ts";

export interface DocumentsSettings {
  /** `host:port` of every member. */
  readonly hosts: readonly string[];
  readonly replicaSet: string;
  readonly database: string;
  readonly collection: string;
  readonly username: string;
  readonly password: string;
  /** The database that knows the user. */
  readonly authSource: string;
  /** PEM of the authorities that may have signed the servers' certificates; without it the public ones. */
  readonly ca?: string;
}

interface Stored {
  readonly _id: string;
  readonly [field: string]: unknown;
}

interface Write {
  readonly kind: "insert" | "put";
  readonly id: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

type Written = "inserted" | "exists" | "put";

/** What of a collection is used. */
export interface DocumentCollection {
  /** In order, up to the first that fails. */
  readonly write: (
    operations: readonly AnyBulkWriteOperation<Stored>[],
  ) => Promise<Pick<BulkWriteResult, "upsertedIds">>;
  readonly read: (ids: readonly string[]) => Promise<readonly Stored[]>;
}

const mostTogether = 200;
const duplicateKey = 11000;

/** Connects with the first call. TLS always, to a server whose certificate is verified; a write is done when a majority has it. */
export async function connect(settings: DocumentsSettings): Promise<Documents<unknown>> {
  let client = clientOf(settings);
  const use = async <Result>(work: (collection: Collection<Stored>) => Promise<Result>): Promise<Result> => {
    const used = client;
    try {
      return await work(used.db(settings.database).collection<Stored>(settings.collection));
    } catch (error) {
      // The driver may never find again a server that was killed: its monitor waits for ever (seen with 7.9.0).
      if (error instanceof MongoServerSelectionError && client === used) {
        client = clientOf(settings);
        void used.close().catch(() => undefined);
      }
      throw error;
    }
  };
  return documentsOf({
    write: (operations) => use((collection) => collection.bulkWrite([...operations], { ordered: true })),
    read: (ids) =>
      use((collection) => collection.find({ _id: { $in: [...ids] } }, { batchSize: ids.length + 1 }).toArray()),
  });
}

function clientOf(settings: DocumentsSettings): MongoClient {
  return new MongoClient(`mongodb://${settings.hosts.join(",")}/`, {
    replicaSet: settings.replicaSet,
    auth: { username: settings.username, password: settings.password },
    authSource: settings.authSource,
    tls: true,
    ...(settings.ca === undefined ? {} : { ca: settings.ca }),
    writeConcern: { w: "majority", wtimeoutMS: 5_000 },
    serverSelectionTimeoutMS: 5_000,
    connectTimeoutMS: 5_000,
    socketTimeoutMS: 30_000,
    maxPoolSize: 10,
    ignoreUndefined: true,
  });
}

/** Documents of a collection that is connected already. */
export function documentsOf(collection: DocumentCollection): Documents<unknown> {
  const reads = coalesce((ids: readonly string[]) => read(collection, ids), { items: mostTogether, calls: 4 });
  // One command at a time keeps the order of writes to one id.
  const writes = coalesce((batch: readonly Write[]) => write(collection, batch), { items: mostTogether, calls: 1 });
  return {
    get: reads,
    insertOnce: async (id, document) =>
      (await writes({ kind: "insert", id, fields: fieldsOf(document) })) === "inserted" ? "inserted" : "exists",
    put: async (id, document) => {
      await writes({ kind: "put", id, fields: fieldsOf(document) });
    },
  };
}

async function read(collection: DocumentCollection, ids: readonly string[]): Promise<unknown[]> {
  const wanted = [...new Set(ids)];
  const found = await collection.read(wanted).catch((error: unknown) => Promise.reject(meaningOf(error)));
  const documents = new Map(found.map(({ _id, ...fields }) => [_id, fields]));
  return ids.map((id) => documents.get(id));
}

/**
 * Writes in order. The server stops at the first write that fails, so what comes after that one goes in another command:
 * a write's failure is its own.
 */
async function write(collection: DocumentCollection, batch: readonly Write[]): Promise<(Written | Error)[]> {
  const outcomes: (Written | Error)[] = [];
  while (outcomes.length < batch.length) {
    const rest = batch.slice(outcomes.length);
    try {
      const { upsertedIds } = await collection.write(rest.map(operation));
      outcomes.push(...rest.map((one, at) => written(one, at in upsertedIds)));
    } catch (error) {
      const failed = failedAt(error);
      if (failed === undefined) {
        outcomes.push(...rest.map(() => meaningOf(error))); // it is not known which of them the server has
      } else {
        const { upsertedIds } = (error as MongoBulkWriteError).result;
        outcomes.push(...rest.slice(0, failed).map((one, at) => written(one, at in upsertedIds)));
        outcomes.push(outcomeOf(rest[failed] as Write, error as MongoBulkWriteError));
      }
    }
  }
  return outcomes;
}

function operation({ kind, id, fields }: Write): AnyBulkWriteOperation<Stored> {
  return kind === "insert"
    ? { updateOne: { filter: { _id: id }, update: { $setOnInsert: fields }, upsert: true } }
    : { replaceOne: { filter: { _id: id }, replacement: fields, upsert: true } };
}

const written = ({ kind }: Write, upserted: boolean): Written =>
  kind === "put" ? "put" : upserted ? "inserted" : "exists";

/** The driver has tried again by itself what is worth it; without a server, or without a primary, there is nobody to ask. */
function meaningOf(error: unknown): Error {
  const isAway =
    error instanceof MongoNetworkError ||
    error instanceof MongoServerSelectionError ||
    error instanceof MongoTopologyClosedError ||
    error instanceof MongoClientClosedError ||
    (error instanceof MongoError &&
      ["RetryableWriteError", "RetryableError"].some((label) => error.hasErrorLabel(label)));
  return isAway ? new Unavailable(`MongoDB: ${reasonOf(error)}`, { cause: error }) : (error as Error);
}

/** The place of the write that failed, if it is that which failed and no more. */
function failedAt(error: unknown): number | undefined {
  if (!(error instanceof MongoBulkWriteError) || error.result.getWriteConcernError()) return undefined;
  return [error.writeErrors].flat()[0]?.index;
}

/** Two processes that insert the same id at once can make the server refuse one of them: it is there then. */
function outcomeOf({ kind }: Write, error: MongoBulkWriteError): Written | Error {
  const [first] = [error.writeErrors].flat();
  const here = kind === "insert" && first?.code === duplicateKey && /index: _id_/.test(first.errmsg ?? "");
  return here ? "exists" : error;
}

/** Checked here, because the driver would refuse all that was to go with it. */
function fieldsOf(document: unknown): Record<string, unknown> {
  if (typeof document !== "object" || document === null || Array.isArray(document)) {
    throw new TypeError("a document must be an object");
  }
  const { _id, ...fields } = document as Record<string, unknown>;
  for (const name of Object.keys(fields)) {
    if (name.startsWith("$") || name.includes(".")) {
      throw new TypeError(`a document must not have a field named "${name}": no "$" at the start and no "."`);
    }
  }
  return fields;
}
