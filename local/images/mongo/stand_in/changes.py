"""The change log: nx-27017's change streams, with what the real server does and they do not.

nx-27017 logs changes by SQLite triggers, so a change and its entry are of one transaction. Here every collection is
logged from its first write, as by an oplog; updates that change nothing are not; a replacement is told from an update;
and a resume token is checked.
"""

import uuid
from datetime import datetime
from itertools import count

import neosqlite.changestream
import nx_27017.changestream
from bson import Timestamp
from neosqlite.collection import Collection
from neosqlite.collection.json_helpers import neosqlite_json_loads
from neosqlite.sql_utils import quote_table_name

from .errors import CommandError
from .state import StateFile
from .writes import kind_of_update

KEPT = 1_000_000
"""Changes kept for each database; nx-27017 keeps 1,000 for each collection, so a watcher that was away would lose some."""
PRUNE_EVERY = 10_000

LOG = "_neosqlite_changestream"
STAMP = "'%Y-%m-%dT%H:%M:%f+00:00'"

nx_27017.changestream._RESUME_RETENTION_ROWS = KEPT
neosqlite.changestream._RESUME_RETENTION_ROWS = KEPT
# Cursor ids are 64-bit integers on the wire; the Node driver rejects 32-bit ones.
nx_27017.changestream._cursor_id_counter = count(2**40)


class ChangeLog(nx_27017.changestream.ChangeStreamManager):
    def __init__(self, path: str):
        super().__init__()
        file = StateFile(path)
        # Tells the tokens of this data folder from those of another, whose row ids look alike.
        self._origin = file.load(None)
        if self._origin is None:
            self._origin = uuid.uuid4().hex
            file.save(self._origin)
        nx_27017.changestream._wire_token = self._token
        self._logged: set[tuple[str, str]] = set()

    def logs(self, db_name: str, collection_name: str) -> bool:
        return (db_name, collection_name) in self._logged

    def start_logging(self, db_name: str, collection: Collection) -> None:
        """Logs the collection's changes from now on. Its table must exist."""
        self.ensure_tracked(db_name, collection.name, lambda: collection)
        db, name, table = collection.db, collection.name, quote_table_name(collection.name)
        db.create_function("stand_in_operation", 0, kind_of_update)
        db.execute(f"CREATE INDEX IF NOT EXISTS {LOG}_order ON {LOG} (collection_name, id)")
        for event, row, operation in (
            ("INSERT", "NEW", "'insert'"),
            ("UPDATE", "NEW", "stand_in_operation()"),
            ("DELETE", "OLD", "'delete'"),
        ):
            trigger = f"_neosqlite_{name}_{event.lower()}_trigger"
            changed = "WHEN json(OLD.data) IS NOT json(NEW.data)" if event == "UPDATE" else ""
            db.execute(f"DROP TRIGGER IF EXISTS {trigger}")
            db.execute(
                f"CREATE TRIGGER {trigger} AFTER {event} ON {table} {changed} BEGIN "
                f"INSERT INTO {LOG} (collection_name, operation, document_data, timestamp) VALUES "
                f"('{name}', {operation}, json({row}.data), strftime({STAMP}, 'now')); END"
            )
        self._logged.add((db_name, name))

    def dropped(self, db_name: str, collection: Collection) -> None:
        """The collection was dropped, its triggers with it; who watches it is told so."""
        if self.logs(db_name, collection.name):
            self._logged.remove((db_name, collection.name))
            for operation in ("drop", "invalidate"):
                collection.db.execute(
                    f"INSERT INTO {LOG} (collection_name, operation, document_data, timestamp) VALUES "
                    f"(?, ?, 'null', strftime({STAMP}, 'now'))",
                    (collection.name, operation),
                )

    def database_dropped(self, db_name: str) -> None:
        self._logged = {key for key in self._logged if key[0] != db_name}

    def check_watch(self, collection: Collection, pipeline: list) -> None:
        """Refuses a stream that cannot be resumed; nx-27017 would answer, but without the code that tells why."""
        options = nx_27017.changestream.extract_change_stream_options(pipeline)
        token = options["resume_after"] or options["start_after"]
        if token is not None:
            self._check(token, collection.db)

    def create_stream(self, collection_name, pipeline, **options):
        stream = super().create_stream(collection_name, pipeline, **options)
        if options.get("resume_after") is None and options.get("start_after") is None:
            since, db = options.get("start_at_operation_time"), options["get_collection"]().db
            stream._watermark = self._last(db) if since is None else self._before(db, since)
        return stream

    def pull_stream(self, stream, batch_size=101):
        collection = self._trackers[(stream.db_name, stream.collection_name)]["collection"]
        if collection.db.in_transaction:  # what is not committed is not to be seen
            return [], self._token(stream._watermark)
        self._require(stream._watermark, collection.db)
        last = self._last(collection.db)
        rows = collection.db.execute(
            f"SELECT id, operation, document_data, timestamp FROM {LOG} "
            "WHERE collection_name = ? AND id > ? ORDER BY id LIMIT ?",
            (stream.collection_name, stream._watermark, batch_size),
        ).fetchall()
        events = [self._event(stream, row) for row in rows]
        # As with the real server, the position moves on with other collections' changes too.
        stream._watermark = rows[-1][0] if len(rows) == batch_size else last
        if any(event["operationType"] == "invalidate" for event in events):
            self.close_stream(stream._id)
        matching = [event for event in events if nx_27017.changestream._pipeline_matches(event, stream.pipeline)]
        return matching, self._token(stream._watermark)

    def prune(self, db) -> None:
        """Drops what is older than the changes kept; to be called once in a while."""
        db.execute(f"DELETE FROM {LOG} WHERE id <= ?", (self._last(db) - KEPT,))

    def _prune(self, db_name, collection_name) -> None:
        """nx-27017's own pruning reads the whole log at each call."""

    def _event(self, stream, row) -> dict:
        rowid, operation, data, stamp = row
        document = neosqlite_json_loads(data)
        when = datetime.fromisoformat(stamp)
        event = {
            "_id": self._token(rowid),
            "operationType": operation,
            "clusterTime": Timestamp(int(when.timestamp()), rowid & 0xFFFFFFFF),
            "wallTime": when,
            "ns": {"db": stream.db_name, "coll": stream.collection_name},
        }
        if document is None:
            return event
        event["documentKey"] = {"_id": document["_id"]}
        if operation in ("insert", "replace") or (operation == "update" and stream.full_document == "updateLookup"):
            event["fullDocument"] = document
        return event

    def _token(self, rowid: int) -> dict:
        return {"_data": f"nx:{rowid}:{self._origin}"}

    def _check(self, token, db) -> None:
        data = token.get("_data") if isinstance(token, dict) else None
        parts = data.split(":") if isinstance(data, str) else []
        if len(parts) != 3 or parts[0] != "nx" or not parts[1].isdigit():
            raise CommandError(260, "Resume token is not one of this server")
        self._require(int(parts[1]) if parts[2] == self._origin else -1, db)

    def _require(self, rowid: int, db) -> None:
        """All that came after this change must still be in the log."""
        oldest, last = db.execute(f"SELECT MIN(id) FROM {LOG}").fetchone()[0], self._last(db)
        if rowid > last or rowid + 1 < (last + 1 if oldest is None else oldest) or rowid < 0:
            lost = "Resume of change stream was not possible, as the resume point may no longer be in the oplog."
            raise CommandError(286, lost)

    @staticmethod
    def _last(db) -> int:
        """The newest change; AUTOINCREMENT remembers it when the row is gone."""
        row = db.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (LOG,)).fetchone()
        return row[0] if row else 0

    @staticmethod
    def _before(db, since: Timestamp) -> int:
        """The last change before a moment."""
        row = db.execute(
            f"SELECT MAX(id) FROM {LOG} WHERE unixepoch(timestamp) < ? OR (unixepoch(timestamp) = ? AND id < ?)",
            (since.time, since.time, since.inc),
        ).fetchone()
        return row[0] or 0

