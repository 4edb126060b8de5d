"""A replica set of one member, which is what the stand-in can be."""

import time
from datetime import datetime, timezone

from bson import ObjectId, Timestamp

from .errors import CommandError
from .state import StateFile

_ELECTION = ObjectId("7fffffff0000000000000001")


class ReplicaSet:
    def __init__(self, path: str, name: str | None, port: int):
        self._file = StateFile(path)
        self._config = self._file.load(None)
        self._port = port
        self.name = name
        if self._config and self._config["_id"] != name:
            raise SystemExit(f"the data folder belongs to the replica set {self._config['_id']}, --replSet says {name}")

    @property
    def writable(self) -> bool:
        return self.name is None or self._config is not None

    def initiate(self, config) -> None:
        if self.name is None:
            raise CommandError(76, "This node was not started with replication enabled.")
        if self._config:
            raise CommandError(23, "already initialized")
        if not isinstance(config, dict) or not config:
            config = {"_id": self.name, "members": [{"_id": 0, "host": f"localhost:{self._port}"}]}
        members = config.get("members")
        if config.get("_id") != self.name:
            raise CommandError(93, f"Rejecting initiate with a set name that differs from command line set name: {self.name}")
        if not isinstance(members, list) or not all(isinstance(m, dict) and isinstance(m.get("host"), str) for m in members):
            raise CommandError(93, "members must be a list of {_id, host}")
        if len(members) != 1:
            raise CommandError(93, f"the stand-in does not replicate: it takes 1 member, got {len(members)}")
        self._config = {"_id": self.name, "version": 1, "members": [{"_id": 0, "host": members[0]["host"]}]}
        self._file.save(self._config)

    def hello(self) -> dict:
        if self.name is None:
            return {"isWritablePrimary": True}
        if self._config is None:
            return {
                "isWritablePrimary": False,
                "secondary": False,
                "isreplicaset": True,
                "info": "Does not have a valid replica set config",
            }
        host = self._config["members"][0]["host"]
        now = Timestamp(int(time.time()), 1)
        moment = {"ts": now, "t": 1}
        today = datetime.now(timezone.utc)
        last = {"opTime": moment, "lastWriteDate": today, "majorityOpTime": moment, "majorityWriteDate": today}
        return {
            "isWritablePrimary": True,
            "secondary": False,
            "setName": self.name,
            "setVersion": self._config["version"],
            "hosts": [host],
            "primary": host,
            "me": host,
            "electionId": _ELECTION,
            "lastWrite": last,
        }

    def config(self) -> dict:
        return {"config": self._initiated(), "ok": 1.0}

    def status(self) -> dict:
        host = self._initiated()["members"][0]["host"]
        member = {"_id": 0, "name": host, "health": 1.0, "state": 1, "stateStr": "PRIMARY", "self": True}
        return {"set": self.name, "date": datetime.now(timezone.utc), "myState": 1, "members": [member], "ok": 1.0}

    def _initiated(self) -> dict:
        if self.name is None:
            raise CommandError(76, "not running with --replSet")
        if self._config is None:
            raise CommandError(94, "no replset config has been received")
        return self._config
