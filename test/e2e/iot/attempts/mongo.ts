import { BSON, MongoClient, type MongoClientOptions } from "mongodb";
import { administrator } from "../../../../components/mongo/defaults.ts";
import type { DocumentsSettings } from "../../../../functions/kit/clients/documents.ts";
import { readSettings } from "../../../../functions/kit/settings.ts";
import { type Attempts, addressOf, say } from "./attempt.ts";
import { forged, idOf, stored, victim } from "./readings.ts";

/** May read the database. */
const reader = readSettings<DocumentsSettings>("compute", "readings");
/** May read and write it. */
const writer = readSettings<DocumentsSettings>("normalize", "readings");
const [host = ""] = reader.hosts;

async function inMongo<T>(
  { ca = "", username, password, replicaSet, authSource }: DocumentsSettings,
  use: (client: MongoClient) => Promise<T>,
  options: MongoClientOptions = { auth: { username, password }, authSource },
): Promise<T> {
  const timeouts = { serverSelectionTimeoutMS: 5_000, connectTimeoutMS: 5_000 };
  const client = new MongoClient(`mongodb://${host}/`, { tls: true, ca, replicaSet, ...timeouts, ...options });
  try {
    return await use(client);
  } finally {
    await client.close();
  }
}

interface Document {
  _id: string;
}

const document = { _id: idOf(victim, forged), ...stored(victim, forged) };
const insert = (database: string, collection: string) => (client: MongoClient) =>
  client.db(database).collection<Document>(collection).insertOne(document);
const find = (database: string, collection: string) => (client: MongoClient) =>
  client
    .db(database)
    .collection(collection)
    .findOne({ _id: "none" as never });
const { database, collection } = reader;

/** OP_MSG with the command `hello`, which is answered before anybody says who he is. */
function hello(): Buffer {
  const command = BSON.serialize({ hello: 1, $db: "admin" });
  const header = Buffer.alloc(21);
  for (const [at, value] of [21 + command.length, 1, 0, 2013, 0].entries()) header.writeInt32LE(value, at * 4);
  return Buffer.concat([header, command]);
}

/** The documents of some readings in the databases that were tried, as the administrator sees them. */
export const documentsOf = (password: string, ids: readonly string[]): Promise<string[]> =>
  inMongo({ ...reader, username: administrator, password }, async (client) => {
    const find = (name: string) =>
      client
        .db(name)
        .collection<Document>(collection)
        .find({ _id: { $in: [...ids] } });
    const found = await Promise.all(
      [database, "refused"].map(async (name) => [name, await find(name).toArray()] as const),
    );
    return found.flatMap(([name, documents]) => documents.map(({ _id }) => `${name}: ${_id}`)).sort();
  });

export const mongoAttempts: Attempts = {
  "MongoDB: an unknown user": () => inMongo({ ...reader, username: "nobody" }, find(database, collection)),
  "MongoDB: a wrong password": () => inMongo({ ...reader, password: "wrong" }, find(database, collection)),
  "MongoDB: another user's password": () =>
    inMongo({ ...reader, username: writer.username }, find(database, collection)),
  "MongoDB: no user": () => inMongo(reader, find(database, collection), {}),
  "MongoDB: plain text": () => say(hello(), addressOf(host)),
  "MongoDB: who may only read writes": () => inMongo(reader, insert(database, collection)),
  "MongoDB: reads another database": () => inMongo(reader, find("refused", collection)),
  "MongoDB: writes another database": () => inMongo(writer, insert("refused", collection)),
  "MongoDB: reads the users": () => inMongo(writer, find("admin", "system.users")),
  "MongoDB: makes a user": () =>
    inMongo(writer, (client) => client.db(database).command({ createUser: "refused", pwd: "refused", roles: [] })),
  "MongoDB: lists the databases": () => inMongo(writer, (client) => client.db("admin").command({ listDatabases: 1 })),
};
