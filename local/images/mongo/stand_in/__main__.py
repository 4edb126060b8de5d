"""`mongod`, as far as the kit uses it."""

import argparse
import asyncio
import os
import signal
import ssl
import stat
import sys

from .access import Users
from .replica_set import ReplicaSet


def main() -> None:
    options = _options()
    print("mongod: STAND-IN FOR TESTS (nx-27017 on SQLite). IT IS NOT MONGODB", flush=True)
    if options.keyFile:
        _check_key_file(options.keyFile)
    users = Users(f"{options.dbpath}/stand-in-users.json")
    _create_root(users)
    replica_set = ReplicaSet(f"{options.dbpath}/stand-in-replica-set.json", options.replSet, options.port)

    from .server import Server  # loads nx-27017, which takes a while: bad flags are told before

    # Process 1 of a container is deaf to it otherwise. Nothing needs closing: what was acknowledged is on disk.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    server = Server(options.dbpath, users, replica_set)
    host = "0.0.0.0" if options.bind_ip_all else options.bind_ip
    print(f"mongod: Waiting for connections on {host}:{options.port}", flush=True)
    asyncio.run(server.listen(host, options.port, _tls(options)))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="mongod", allow_abbrev=False)
    parser.add_argument("--replSet")
    parser.add_argument("--keyFile")
    parser.add_argument("--bind_ip_all", action="store_true")
    parser.add_argument("--bind_ip", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=27017)
    parser.add_argument("--dbpath", default="/data/db")
    parser.add_argument("--tlsMode", choices=["disabled", "requireTLS"], default="disabled")
    parser.add_argument("--tlsCertificateKeyFile")
    parser.add_argument("--tlsCAFile")
    parser.add_argument("--tlsAllowConnectionsWithoutCertificates", action="store_true")
    parser.add_argument("--wiredTigerCacheSizeGB", type=float)
    options = parser.parse_args()
    if options.tlsMode == "requireTLS" and not options.tlsCertificateKeyFile:
        parser.error("--tlsMode requireTLS needs --tlsCertificateKeyFile")
    if not os.path.isdir(options.dbpath):
        parser.error(f"Data directory {options.dbpath} not found")
    return options


def _check_key_file(path: str) -> None:
    """The real server refuses such a file too; a Secret that was only mounted must fail here as there."""
    if os.stat(path).st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        sys.exit(f"mongod: permissions on {path} are too open")
    with open(path, encoding="utf-8") as file:
        if not 6 <= len("".join(file.read().split())) <= 1024:
            sys.exit(f"mongod: the key in {path} must be of 6 to 1024 characters")


def _create_root(users: Users) -> None:
    """What the real image's entrypoint does on an empty data folder."""
    if len(users):
        return
    if "STAND_IN_ENTRYPOINT" not in os.environ:
        sys.exit("mongod: no user exists, and the image's entrypoint, which makes one, did not run")
    name = os.environ.get("MONGO_INITDB_ROOT_USERNAME")
    password = os.environ.get("MONGO_INITDB_ROOT_PASSWORD")
    file = os.environ.get("MONGO_INITDB_ROOT_PASSWORD_FILE")
    if file and password:
        sys.exit("mongod: MONGO_INITDB_ROOT_PASSWORD and MONGO_INITDB_ROOT_PASSWORD_FILE are both set")
    if file:
        with open(file, encoding="utf-8") as content:
            password = content.read().rstrip("\n")
    if not (name and password):
        sys.exit("mongod: the stand-in always has access control: set MONGO_INITDB_ROOT_USERNAME and _PASSWORD")
    users.create("admin", name, password, ["root"])


def _tls(options: argparse.Namespace) -> ssl.SSLContext | None:
    if options.tlsMode == "disabled":
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(options.tlsCertificateKeyFile)
    if options.tlsCAFile:
        context.load_verify_locations(options.tlsCAFile)
        optional = options.tlsAllowConnectionsWithoutCertificates
        context.verify_mode = ssl.CERT_OPTIONAL if optional else ssl.CERT_REQUIRED
    return context


if __name__ == "__main__":
    main()
