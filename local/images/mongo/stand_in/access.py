"""Users, SCRAM-SHA-256 and what a role may do."""

import base64
import re

from scramp import ScramException, ScramMechanism

from .errors import CommandError
from .state import StateFile

MECHANISM = "SCRAM-SHA-256"
ITERATIONS = 15_000  # the real server's default for SCRAM-SHA-256

# What a built-in role allows: on its own database, or (ANYWHERE) on all of them.
ROLES = {
    "read": {"read"},
    "readWrite": {"read", "write", "schema"},
    "dbAdmin": {"schema", "admin"},
    "userAdmin": {"users"},
    "dbOwner": {"read", "write", "schema", "admin", "users"},
}
ANYWHERE = {
    "root": {"read", "write", "schema", "admin", "users", "cluster"},
    "readAnyDatabase": {"read"},
    "readWriteAnyDatabase": {"read", "write", "schema"},
    "dbAdminAnyDatabase": {"schema", "admin"},
    "userAdminAnyDatabase": {"users"},
    "clusterAdmin": {"cluster"},
    "clusterMonitor": {"cluster"},
}

OPEN = {"hello", "isMaster", "ismaster", "ping", "buildInfo", "buildinfo", "saslStart", "saslContinue", "logout"} | {
    "connectionStatus",
    "endSessions",
}
ANY_USER = {"killCursors", "commitTransaction", "abortTransaction", "getMore"}
ACTIONS = {
    **dict.fromkeys(("find", "aggregate", "count", "distinct", "explain"), "read"),
    **dict.fromkeys(("listCollections", "listIndexes", "collStats", "dbStats"), "read"),
    **dict.fromkeys(("insert", "update", "delete", "findAndModify", "findandmodify"), "write"),
    **dict.fromkeys(("create", "drop", "createIndexes", "dropIndexes"), "schema"),
    **dict.fromkeys(("dropDatabase", "renameCollection", "validate"), "admin"),
    **dict.fromkeys(("createUser", "updateUser", "dropUser", "usersInfo"), "users"),
    **dict.fromkeys(("replSetInitiate", "replSetGetStatus", "replSetGetConfig", "serverStatus", "listDatabases"), "cluster"),
}


class Users:
    """The users of one data folder, kept in a file there."""

    def __init__(self, path: str):
        self._file = StateFile(path)
        self._users = self._file.load({})
        self._scram = ScramMechanism(MECHANISM)

    def __len__(self) -> int:
        return len(self._users)

    def find(self, db: str, name: str) -> dict | None:
        return self._users.get(f"{db}.{name}")

    def create(self, db: str, name: str, password: str, roles: list) -> None:
        if self.find(db, name):
            raise CommandError(51003, f'User "{name}@{db}" already exists')
        user = {"user": name, "db": db, "roles": _roles(roles, db), "credentials": self._credentials(password)}
        self._save(f"{db}.{name}", user)

    def update(self, db: str, name: str, password: str | None, roles: list | None) -> None:
        user = dict(self._existing(db, name))
        if password is not None:
            user["credentials"] = self._credentials(password)
        if roles is not None:
            user["roles"] = _roles(roles, db)
        self._save(f"{db}.{name}", user)

    def drop(self, db: str, name: str) -> None:
        self._existing(db, name)
        del self._users[f"{db}.{name}"]
        self._file.save(self._users)

    def describe(self, db: str, which) -> list[dict]:
        """The answer to usersInfo: 1 for all of the database, a name, {user, db}, or a list of those."""
        wanted = which if isinstance(which, list) else [which]
        found = []
        for user in self._users.values():
            for one in wanted:
                by_name = one if isinstance(one, dict) else {"user": one, "db": db}
                every = one == 1 and user["db"] == db
                if every or (user["user"] == by_name.get("user") and user["db"] == by_name.get("db", db)):
                    public = {key: user[key] for key in ("user", "db", "roles")}
                    found.append({"_id": f"{user['db']}.{user['user']}", **public, "mechanisms": [MECHANISM]})
                    break
        return found

    def allows(self, identity: tuple[str, str], action: str, db: str) -> bool:
        user = self.find(*identity)
        return user is not None and any(
            action in ANYWHERE.get(role["role"], ())
            if role["db"] == "admin" and role["role"] in ANYWHERE
            else role["db"] == db and action in ROLES.get(role["role"], ())
            for role in user["roles"]
        )

    def _existing(self, db: str, name: str) -> dict:
        user = self.find(db, name)
        if user is None:
            raise CommandError(11, f"User '{name}@{db}' not found")
        return user

    def _save(self, key: str, user: dict) -> None:
        self._users[key] = user
        self._file.save(self._users)

    def _credentials(self, password: str) -> dict:
        salt, stored, server, iterations = self._scram.make_auth_info(password, iteration_count=ITERATIONS)
        encoded = {"salt": salt, "storedKey": stored, "serverKey": server}
        return {**{k: base64.b64encode(v).decode() for k, v in encoded.items()}, "iterationCount": iterations}


class Conversation:
    """One SCRAM exchange of one connection."""

    def __init__(self, users: Users, db: str):
        self.identity: tuple[str, str] | None = None
        self._db = db
        self._users = users
        self._server = ScramMechanism(MECHANISM).make_server(self._lookup)

    def start(self, payload: bytes) -> dict:
        return self._step(lambda text: self._server.set_client_first(text), self._server.get_server_first, payload, False)

    def finish(self, payload: bytes) -> dict:
        return self._step(lambda text: self._server.set_client_final(text), self._server.get_server_final, payload, True)

    def _step(self, receive, answer, payload: bytes, done: bool) -> dict:
        try:
            receive(bytes(payload).decode())
            text = answer()
        except (ScramException, KeyError, ValueError):
            raise CommandError(18, "Authentication failed.") from None
        if done:
            self.identity = (self._db, self._name)
        return {"conversationId": 1, "done": done, "payload": text.encode(), "ok": 1.0}

    def _lookup(self, name: str) -> tuple:
        self._name = re.sub("=2C", ",", name).replace("=3D", "=")
        user = self._users.find(self._db, self._name)
        if user is None:
            raise KeyError(name)
        credentials = user["credentials"]
        keys = [base64.b64decode(credentials[key]) for key in ("salt", "storedKey", "serverKey")]
        return (*keys, credentials["iterationCount"])


def _roles(roles: list, db: str) -> list[dict]:
    full = [role if isinstance(role, dict) else {"role": role, "db": db} for role in roles]
    for role in full:
        if role.get("role") not in ROLES and not (role.get("role") in ANYWHERE and role.get("db") == "admin"):
            raise CommandError(31, f"Could not find role: {role.get('role')}@{role.get('db')}")
    return [{"role": role["role"], "db": role["db"]} for role in full]
