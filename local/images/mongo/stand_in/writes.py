"""neosqlite's writes where they differ from the real server's, or where the kit's own are many."""

import nx_27017.handler
from neosqlite.collection import Collection
from neosqlite.collection.json_helpers import neosqlite_json_dumps
from neosqlite.collection.query_helper import _convert_bytes_to_binary
from neosqlite.results import UpdateResult
from neosqlite.sql_utils import quote_table_name

_operation = "update"
_replace_one = Collection.replace_one
_update_one = Collection.update_one


def kind_of_update() -> str:
    """What the change log calls the update that is under way."""
    return _operation


def _replace(self, filter, replacement, upsert=False, session=None):
    global _operation
    _operation = "replace"
    try:
        # Without it, neosqlite gives a document that it upserts a new id.
        named = {"_id": filter["_id"]} if "_id" in filter else {}
        return _replace_one(self, filter, {**named, **replacement}, upsert=upsert, session=session)
    finally:
        _operation = "update"


def _update(self, filter, update, upsert=False, array_filters=None, session=None):
    if upsert and set(update) == {"$setOnInsert"} and set(filter) == {"_id"} and isinstance(filter["_id"], str):
        fields = update["$setOnInsert"]
        if not any("." in name for name in fields):
            return _insert_once(self, filter["_id"], fields)
    return _update_one(self, filter, update, upsert=upsert, array_filters=array_filters, session=session)


def _insert_once(collection: Collection, identity: str, fields: dict) -> UpdateResult:
    """The upsert that stores an event once: one statement instead of neosqlite's three and a copy."""
    document = neosqlite_json_dumps(_convert_bytes_to_binary({"_id": identity, **fields}))
    table = quote_table_name(collection.name)
    inserted = collection.db.execute(
        f"INSERT INTO {table} (data, _id) VALUES (?, ?) ON CONFLICT (_id) DO NOTHING", (document, identity)
    ).rowcount
    return UpdateResult(1 - inserted, 0, identity if inserted else None)


Collection.replace_one = _replace
Collection.update_one = _update


_describe_error = nx_27017.handler._bulk_write_error


def _describe(error: Exception, index: int) -> dict:
    description = _describe_error(error, index)
    if description["code"] == 11000:  # in the real server's words, which tell the index
        table, _, column = description["errmsg"].rpartition(" ")[2].rpartition(".")
        name = "_id_" if column == "_id" else f"{column}_1"
        description["errmsg"] = f"E11000 duplicate key error collection: {table} index: {name}"
    return description


nx_27017.handler._bulk_write_error = _describe
