/** Reads the changes of a MongoDB collection, each at least once, from a position that survives the reader. */
import { setTimeout as wait } from "node:timers/promises";
import {
  BSON,
  type ChangeStream,
  type ChangeStreamDocument,
  type Collection,
  type Db,
  type Document,
  MongoError,
  MongoNetworkError,
  ObjectId,
  type ResumeToken,
} from "mongodb";

export interface ChangeEvent {
  /** Opaque. To be saved when this event and all before it are done: reading then goes on behind it. */
  readonly token: string;
  readonly operation: "insert" | "update" | "replace" | "delete";
  readonly id: string;
  /** Without its `_id`. After an update it is as it is now, or undefined where it has been deleted since. */
  readonly document: Record<string, unknown> | undefined;
  /** When it was changed, by the server's clock. Undefined for a document that was there before the first start. */
  readonly time: Date | undefined;
}

export interface WatchOptions {
  readonly collection: Collection;
  /** A saved token. Without one it is the first start, which tells of all documents as inserts, then of the changes. */
  readonly resumeAfter?: string;
  readonly operations: readonly ("insert" | "update" | "replace")[];
  readonly signal: AbortSignal;
  /**
   * Takes a token that belongs to no event, to be saved when all events before it are done: at the first start, before
   * the first event; when the documents of the first start were all told; and once a minute while there is no event, so
   * that the saved position never grows older than the server's oplog.
   */
  readonly position?: (token: string) => Promise<void>;
  /** Is told of each failure that is about to be tried again. */
  readonly retrying?: (error: Error) => void;
}

/** The changes since the saved position are no longer to be had. Starting again would hide that some were missed. */
export class HistoryLost extends Error {
  override readonly name = "HistoryLost";
}

/** Where a reader is. During the first start's scan, `after` is where the changes begin that follow the scan. */
interface Position {
  readonly after: ResumeToken;
  readonly scan?: true;
}

const positionEveryMilliseconds = 60_000;
const backoff = { firstMilliseconds: 100, longestMilliseconds: 10_000 };

/** https://github.com/mongodb/mongo/blob/master/src/mongo/base/error_codes.yml */
const historyLostCodes = new Set([260, 280, 286]);
/** What a change stream may be resumed after: https://github.com/mongodb/specifications/blob/master/source/change-streams/change-streams.md */
const transientCodes = new Set([
  6, 7, 43, 63, 89, 91, 133, 150, 189, 234, 262, 9001, 10107, 11600, 11602, 13388, 13435, 13436,
]);

/**
 * Follows a collection until the signal aborts.
 *
 * The first start takes the server's position, then tells of all documents that are there, then of the changes since
 * that position. So nothing is missed that was written before the relay came or while it scanned, and some events come
 * twice. A scan that was broken off begins again.
 *
 * @throws HistoryLost if the position is no longer in the oplog, or the collection was dropped or renamed
 * @throws MongoServerSelectionError if the server is away for longer than the client waits; other failures of the
 *   network are tried again
 * @throws MongoError if the server refuses, for example for lack of a role
 */
export async function* watch(options: WatchOptions): AsyncGenerator<ChangeEvent> {
  const { collection, operations, signal, retrying, position: tell = async () => {} } = options;
  let position = options.resumeAfter === undefined ? undefined : parse(options.resumeAfter);
  let failures = 0;
  while (!signal.aborted) {
    let stream: ChangeStream | undefined;
    try {
      if (!position) {
        const after = await currentPosition(collection);
        position = operations.includes("insert") ? { after, scan: true } : { after };
        await tell(format(position));
      }
      if (position.scan) {
        const token = format(position);
        for await (const { _id, ...document } of collection.find()) {
          if (signal.aborted) return;
          yield { token, operation: "insert", id: idOf(_id), document, time: undefined };
        }
        position = { after: position.after };
        await tell(format(position));
      }
      stream = open(collection, operations, position.after);
      const close = () => void stream?.close().catch(() => {});
      signal.addEventListener("abort", close, { once: true });
      try {
        let toldAt = Date.now();
        while (!signal.aborted) {
          const change = await stream.tryNext();
          failures = 0;
          if (change) {
            if (change.operationType === "invalidate") throw gone(collection);
            position = { after: change._id };
            const event = eventOf(change, format(position));
            if (event) yield event;
          } else {
            if (stream.closed) throw new MongoNetworkError("the change stream ended");
            position = { after: stream.resumeToken };
            if (Date.now() - toldAt >= positionEveryMilliseconds) {
              await tell(format(position));
              toldAt = Date.now();
            }
          }
        }
      } finally {
        signal.removeEventListener("abort", close);
      }
    } catch (error) {
      if (signal.aborted) return;
      if (isHistoryLost(error)) throw lost(collection, error);
      if (!isTransient(error)) throw error;
      retrying?.(error);
      failures += 1;
      const longest = Math.min(backoff.longestMilliseconds, backoff.firstMilliseconds * 2 ** Math.min(failures, 10));
      await wait(longest * (0.5 + Math.random() / 2), undefined, { signal }).catch(() => {});
    } finally {
      await stream?.close().catch(() => {});
    }
  }
}

/** Keeps a reader's token in the database that it reads, one document for each reader. */
export function tokenStore(
  database: Db,
  name: string,
): { load(): Promise<string | undefined>; save(token: string): Promise<void> } {
  const tokens = database.collection<{ _id: string; token: string; savedAt: Date }>("_relay_tokens", {
    writeConcern: { w: "majority" },
    readConcern: { level: "majority" },
  });
  return {
    load: async () => (await tokens.findOne({ _id: name }))?.token,
    save: async (token) => {
      await tokens.updateOne({ _id: name }, { $set: { token, savedAt: new Date() } }, { upsert: true });
    },
  };
}

function open(collection: Collection, operations: readonly string[], resumeAfter: ResumeToken): ChangeStream {
  const pipeline = [{ $match: { operationType: { $in: [...operations, "invalidate"] } } }];
  return collection.watch(pipeline, { fullDocument: "updateLookup", resumeAfter, batchSize: 500 });
}

/** The server's position now: the driver tells it as soon as a stream is open, before any change. */
async function currentPosition(collection: Collection): Promise<ResumeToken> {
  const stream = collection.watch([], { maxAwaitTimeMS: 1 });
  try {
    let first: ResumeToken;
    stream.once("resumeTokenChanged", (token) => {
      first = token;
    });
    await stream.tryNext();
    if (first === undefined) throw new Error(`the server told no position in ${collection.namespace}`);
    return first;
  } finally {
    await stream.close();
  }
}

function eventOf(change: ChangeStreamDocument, token: string): ChangeEvent | undefined {
  switch (change.operationType) {
    case "insert":
    case "update":
    case "replace": {
      const { _id: _, ...document } = change.fullDocument ?? {};
      return {
        token,
        operation: change.operationType,
        id: idOf(change.documentKey._id),
        document: change.fullDocument ? document : undefined,
        time: timeOf(change),
      };
    }
    default:
      return undefined;
  }
}

/** Servers before 6.0 tell only the seconds of their logical clock. */
function timeOf({ wallTime, clusterTime }: ChangeStreamDocument & { wallTime?: Date }): Date | undefined {
  return wallTime ?? (clusterTime && new Date(clusterTime.t * 1000));
}

function idOf(id: unknown): string {
  return typeof id === "object" && !(id instanceof ObjectId) ? BSON.EJSON.stringify(id) : String(id);
}

const format = (position: Position): string => BSON.EJSON.stringify(position);

function parse(token: string): Position {
  let position: Document | undefined;
  try {
    position = BSON.EJSON.parse(token);
  } catch {}
  if (typeof position !== "object" || position === null || !("after" in position)) {
    throw new HistoryLost("The saved position is none that this relay wrote.");
  }
  return position as Position;
}

const isHistoryLost = (error: unknown): boolean =>
  error instanceof MongoError && typeof error.code === "number" && historyLostCodes.has(error.code);

function isTransient(error: unknown): error is MongoError {
  if (error instanceof MongoNetworkError) return true;
  if (!(error instanceof MongoError)) return false;
  return (
    (typeof error.code === "number" && transientCodes.has(error.code)) ||
    error.hasErrorLabel("ResumableChangeStreamError")
  );
}

const beginAgain =
  "Delete the saved position to begin again: every document that is there is then delivered once more, and changes in between are not.";

const lost = ({ namespace }: Collection, cause: unknown): HistoryLost =>
  new HistoryLost(
    `The saved position in ${namespace} is no longer in MongoDB's oplog, so changes may have been missed. ${beginAgain}`,
    {
      cause,
    },
  );

const gone = ({ namespace }: Collection): HistoryLost =>
  new HistoryLost(`The collection ${namespace} was dropped or renamed, so its changes end here. ${beginAgain}`);
