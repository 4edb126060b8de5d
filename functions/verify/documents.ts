/** Reads a collection. */
import { MongoClient } from "mongodb";
import type { DocumentsSettings } from "../kit/clients/documents.ts";

/**
 * Every document whose field holds this time or a later one, by its id.
 *
 * @param field one that holds a time as ISO text in UTC
 * @param since milliseconds since 1970
 */
export async function readDocuments<Document>(
  settings: DocumentsSettings,
  field: string,
  since: number,
): Promise<Map<string, Document>> {
  const { hosts, replicaSet, database, collection, username, password, authSource, ca } = settings;
  const client = new MongoClient(`mongodb://${hosts.join(",")}/`, {
    replicaSet,
    auth: { username, password },
    authSource,
    tls: true,
    ...(ca === undefined ? {} : { ca }),
    readConcern: { level: "majority" },
    serverSelectionTimeoutMS: 5_000,
    connectTimeoutMS: 5_000,
    socketTimeoutMS: 30_000,
  });
  try {
    const found = client
      .db(database)
      .collection<{ _id: string }>(collection)
      .find({ [field]: { $gte: new Date(since).toISOString() } });
    const documents = new Map<string, Document>();
    for await (const { _id, ...document } of found) documents.set(_id, document as Document);
    return documents;
  } finally {
    await client.close();
  }
}
