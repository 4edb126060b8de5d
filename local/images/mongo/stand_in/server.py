"""Commands and connections: what nx-27017 lacks is answered here, everything else by nx-27017.

All runs on one thread: SQLite takes one writer at a time, and an event loop costs less than threads that wait for it.
"""

import asyncio
import logging
import sqlite3
import ssl
import struct
import uuid
from datetime import datetime, timezone

from bson.errors import BSONError
from nx_27017.changestream import is_change_stream_pipeline
from nx_27017.handler import NeoSQLiteHandler
from nx_27017.wire_protocol import (
    MAX_BSON_DOCUMENT_SIZE,
    MAX_MESSAGE_SIZE_BYTES,
    MAX_WIRE_VERSION,
    MAX_WRITE_BATCH_SIZE,
    MIN_WIRE_VERSION,
    OP_MSG,
    OP_QUERY,
    ResponseBuilder,
    WireProtocol,
)

from .access import ACTIONS, ANY_USER, MECHANISM, OPEN, Conversation, Users
from .changes import PRUNE_EVERY, ChangeLog
from .errors import CommandError
from .replica_set import ReplicaSet

# nx-27017 logs commands with their documents.
logging.getLogger("nx_27017").setLevel(logging.CRITICAL + 1)
logging.getLogger("neosqlite").setLevel(logging.CRITICAL + 1)

WRITES = {"insert", "update", "delete", "findAndModify", "findandmodify"}
MORE_TO_COME = 2
DEFAULT_AWAIT_SECONDS = 1.0


class Connection:
    def __init__(self, number: int):
        self.number = number
        self.id = str(uuid.uuid4())
        self.conversation: Conversation | None = None
        self.identity: tuple[str, str] | None = None


class Server:
    def __init__(self, folder: str, users: Users, replica_set: ReplicaSet):
        self._users = users
        self._replica_set = replica_set
        self._log = ChangeLog(f"{folder}/stand-in-origin.json")
        self._data = NeoSQLiteHandler(data_dir=f"{folder}/stand-in-data")
        self._data._change_stream_manager = self._log
        self._changed: dict[tuple[str, str], asyncio.Event] = {}
        self._connections = 0
        self._unpruned: dict[str, int] = {}

    async def listen(self, host: str, port: int, tls: ssl.SSLContext | None) -> None:
        server = await asyncio.start_server(self._serve, host, port, ssl=tls, reuse_address=True, backlog=128)
        async with server:
            await server.serve_forever()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections += 1
        connection = Connection(self._connections)
        try:
            while True:
                header = await reader.readexactly(16)
                length, request, _, opcode = struct.unpack("<iiii", header)
                if not 16 < length <= MAX_MESSAGE_SIZE_BYTES:
                    return
                message = header + await reader.readexactly(length - 16)
                if opcode == WireProtocol.OP_MSG:
                    parsed = OP_MSG.parse(message)
                    reply = await self._answer(connection, parsed)
                    if parsed["flags"] & MORE_TO_COME:
                        continue
                    writer.write(ResponseBuilder.build_op_msg_reply(0, request, reply))
                elif opcode == WireProtocol.OP_QUERY:  # only a driver's first hello
                    query = OP_QUERY.parse(message)
                    body = {**query["query"], "$db": query["db"]}
                    reply = await self._answer(connection, {"request_id": request, "sections": [("body", body)]})
                    writer.write(ResponseBuilder.build_reply(0, request, [reply]))
                else:
                    return
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            pass  # the client has gone
        except (BSONError, ValueError) as error:
            print(f"mongod: closed a connection that sent what is no message: {type(error).__name__}", flush=True)
        finally:
            self._data.close_streams_for_connection(connection.id)
            writer.close()

    async def _answer(self, connection: Connection, message: dict) -> dict:
        body = next((section for kind, section in message["sections"] if kind == "body"), {})
        command = next(iter(body), "")
        db = body.get("$db", "test")
        try:
            self._authorize(connection, command, db, body, message)
            own = getattr(self, f"_do_{command}", None)
            if own:
                return own(connection, db, body)
            message["_conn_id"] = connection.id
            if command == "getMore":
                return await self._get_more(db, body, message)
            return self._pass_on(command, db, body, message)
        except CommandError as error:
            return error.reply()
        except Exception as error:  # noqa: BLE001: nx-27017 raises whatever SQLite or Python raised
            return CommandError(8, str(error)).reply()

    def _authorize(self, connection: Connection, command: str, db: str, body: dict, message: dict) -> None:
        if command in OPEN:
            return
        if connection.identity is None:
            raise CommandError(13, f"Command {command} requires authentication")
        if command not in ACTIONS and command not in ANY_USER and command != "bulkWrite":
            raise CommandError(59, f"no such command: '{command}'")
        needed = {(ACTIONS[command], db)} if command in ACTIONS else set()
        if command == "aggregate":
            for stage in body.get("pipeline", []):
                if "$out" in stage or "$merge" in stage:
                    needed.add(("write", db))
        if command == "bulkWrite":
            needed = {("write", namespace.split(".")[0]) for namespace in _namespaces(body, message)}
        for action, name in needed:
            if not self._users.allows(connection.identity, action, name):
                raise CommandError(13, f"not authorized on {name} to execute command {command}")
        if command in ACTIONS and ACTIONS[command] in ("read", "write", "schema") and not self._replica_set.writable:
            raise CommandError(10107, "not primary: the replica set was not initiated yet")

    def _pass_on(self, command: str, db: str, body: dict, message: dict) -> dict:
        names = []
        if command in WRITES or command == "create":
            names = [(db, body[command])]
        elif command == "bulkWrite":
            names = [tuple(namespace.split(".", 1)) for namespace in _namespaces(body, message)]
        for name in names:
            self._prepare(*name)
        if command == "aggregate" and is_change_stream_pipeline(body["pipeline"]):
            if not isinstance(body["aggregate"], str):
                raise CommandError(115, "the stand-in watches collections only")
            self._prepare(db, body["aggregate"])
            self._log.check_watch(self._data.get_database(db)[body["aggregate"]], body["pipeline"])
        connection = self._data.get_database(db).db if command in WRITES else None
        own_transaction = connection is not None and not connection.in_transaction and "startTransaction" not in body
        if own_transaction:
            connection.execute("BEGIN IMMEDIATE")
        try:
            handle = self._data.handle_insert if command == "insert" else self._data.handle_command
            if command == "insert":
                message["sections"] = [_documents(section) for section in message["sections"]]
            _, reply = handle(message)
        except BaseException:
            if own_transaction:
                connection.execute("ROLLBACK")
            raise
        if own_transaction:
            connection.execute("COMMIT")
        if reply.get("ok") != 1:
            return {"code": 8, "codeName": "UnknownError", **reply}
        if command == "drop":
            self._log.dropped(db, self._data.get_database(db)[body["drop"]])
            names = [(db, body["drop"])]
        elif command == "dropDatabase":
            self._log.database_dropped(db)
        for name in names:
            self._wake(name)
        self._prune_sometimes(db, reply.get("n", 0))
        return reply

    def _prepare(self, db: str, name: str) -> None:
        if self._log.logs(db, name):
            return
        try:
            collection = self._data.get_database(db)[name]
            collection.create()
        except (ValueError, sqlite3.OperationalError):
            rule = "letters, digits and underscores, and none of SQL's own words"
            raise CommandError(73, f"the stand-in takes no collection or database of the name {db}.{name}: {rule}") from None
        self._log.start_logging(db, collection)

    def _wake(self, name: tuple[str, str]) -> None:
        waiting = self._changed.pop(name, None)
        if waiting:
            waiting.set()

    def _prune_sometimes(self, db: str, written: int) -> None:
        self._unpruned[db] = self._unpruned.get(db, 0) + written
        if self._unpruned[db] >= PRUNE_EVERY:
            self._unpruned[db] = 0
            self._log.prune(self._data.get_database(db).db)

    async def _get_more(self, db: str, body: dict, message: dict) -> dict:
        """Waits for a change, as the real server does, where nx-27017 answers at once with nothing."""
        loop = asyncio.get_running_loop()
        until = loop.time() + (body["maxTimeMS"] / 1000 if "maxTimeMS" in body else DEFAULT_AWAIT_SECONDS)
        while True:
            stream = self._log.get_stream(int(body["getMore"]))
            _, reply = self._data.handle_command(message)
            remaining = until - loop.time()
            if stream is None or reply["cursor"]["nextBatch"] or remaining <= 0:
                return reply
            changed = self._changed.setdefault((db, body["collection"]), asyncio.Event())
            try:
                await asyncio.wait_for(changed.wait(), remaining)
            except TimeoutError:
                pass

    def _do_hello(self, connection: Connection, db: str, body: dict) -> dict:
        reply = {
            "helloOk": True,
            **self._replica_set.hello(),
            "maxBsonObjectSize": MAX_BSON_DOCUMENT_SIZE,
            "maxMessageSizeBytes": MAX_MESSAGE_SIZE_BYTES,
            "maxWriteBatchSize": MAX_WRITE_BATCH_SIZE,
            "localTime": datetime.now(timezone.utc),
            "logicalSessionTimeoutMinutes": 30,
            "connectionId": connection.number,
            "minWireVersion": MIN_WIRE_VERSION,
            "maxWireVersion": MAX_WIRE_VERSION,
            "readOnly": False,
            "ok": 1.0,
        }
        if "hello" not in body:
            reply["ismaster"] = reply["isWritablePrimary"]
        if "saslSupportedMechs" in body:
            user_db, _, name = body["saslSupportedMechs"].partition(".")
            if self._users.find(user_db, name):
                reply["saslSupportedMechs"] = [MECHANISM]
        speculative = body.get("speculativeAuthenticate")
        if speculative:
            try:
                reply["speculativeAuthenticate"] = self._do_saslStart(connection, speculative.get("db", "admin"), speculative)
            except CommandError:
                connection.conversation = None  # the driver then authenticates the long way, and is told why it cannot
        return reply

    _do_isMaster = _do_ismaster = _do_hello

    def _do_saslStart(self, connection: Connection, db: str, body: dict) -> dict:
        if body.get("mechanism") != MECHANISM:
            raise CommandError(2, f"Received authentication for mechanism {body.get('mechanism')} which is not enabled")
        connection.conversation = Conversation(self._users, db)
        return connection.conversation.start(body["payload"])

    def _do_saslContinue(self, connection: Connection, _db: str, body: dict) -> dict:
        conversation, connection.conversation = connection.conversation, None
        if conversation is None:
            raise CommandError(18, "No SASL session state found")
        reply = conversation.finish(body["payload"])
        connection.identity = conversation.identity
        return reply

    def _do_logout(self, connection: Connection, _db: str, _body: dict) -> dict:
        connection.identity = None
        return {"ok": 1.0}

    def _do_ping(self, _connection: Connection, _db: str, _body: dict) -> dict:
        return {"ok": 1.0}

    def _do_buildInfo(self, _connection: Connection, _db: str, _body: dict) -> dict:
        return {
            "version": "8.0.0",
            "versionArray": [8, 0, 0, 0],
            "modules": ["stand-in"],
            "standIn": "nx-27017 on SQLite, for tests; not MongoDB",
            "maxBsonObjectSize": MAX_BSON_DOCUMENT_SIZE,
            "ok": 1.0,
        }

    _do_buildinfo = _do_buildInfo

    def _do_connectionStatus(self, connection: Connection, _db: str, _body: dict) -> dict:
        user = self._users.find(*connection.identity) if connection.identity else None
        names = [{"user": user["user"], "db": user["db"]}] if user else []
        roles = user["roles"] if user else []
        return {"authInfo": {"authenticatedUsers": names, "authenticatedUserRoles": roles}, "ok": 1.0}

    def _do_createUser(self, _connection: Connection, db: str, body: dict) -> dict:
        self._users.create(db, body["createUser"], body["pwd"], body["roles"])
        return {"ok": 1.0}

    def _do_updateUser(self, _connection: Connection, db: str, body: dict) -> dict:
        self._users.update(db, body["updateUser"], body.get("pwd"), body.get("roles"))
        return {"ok": 1.0}

    def _do_dropUser(self, _connection: Connection, db: str, body: dict) -> dict:
        self._users.drop(db, body["dropUser"])
        return {"ok": 1.0}

    def _do_usersInfo(self, _connection: Connection, db: str, body: dict) -> dict:
        return {"users": self._users.describe(db, body["usersInfo"]), "ok": 1.0}

    def _do_replSetInitiate(self, _connection: Connection, _db: str, body: dict) -> dict:
        self._replica_set.initiate(body["replSetInitiate"])
        return {"ok": 1.0}

    def _do_replSetGetStatus(self, _connection: Connection, _db: str, _body: dict) -> dict:
        return self._replica_set.status()

    def _do_replSetGetConfig(self, _connection: Connection, _db: str, _body: dict) -> dict:
        return self._replica_set.config()


def _namespaces(body: dict, message: dict) -> list[str]:
    sequences = [section for kind, section in message["sections"] if kind == "payload"]
    infos = body.get("nsInfo") or next((s["nsInfo"] for s in sequences if "nsInfo" in s), [])
    return [info["ns"] for info in infos]


def _documents(section: tuple) -> tuple:
    """An insert's documents as nx-27017's insert handler takes them."""
    kind, content = section
    return ("payload_docs", content["documents"]) if kind == "payload" else section
