"""Errors as the real server words them: code, name, message."""

NAMES = {
    2: "BadValue",
    8: "UnknownError",
    11: "UserNotFound",
    13: "Unauthorized",
    18: "AuthenticationFailed",
    23: "AlreadyInitialized",
    31: "RoleNotFound",
    59: "CommandNotFound",
    73: "InvalidNamespace",
    76: "NoReplicationEnabled",
    93: "InvalidReplicaSetConfig",
    94: "NotYetInitialized",
    115: "CommandNotSupported",
    260: "InvalidResumeToken",
    286: "ChangeStreamHistoryLost",
    10107: "NotWritablePrimary",
    51003: "Location51003",
}


class CommandError(Exception):
    """A command that is answered with ok: 0."""

    def __init__(self, code: int, message: str):
        super().__init__(message)
        self.code = code

    def reply(self) -> dict:
        return {"ok": 0.0, "errmsg": str(self), "code": self.code, "codeName": NAMES.get(self.code, "UnknownError")}
