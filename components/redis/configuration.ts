import { createHash } from "node:crypto";
import { administrator, port } from "./defaults.ts";
import type { RedisPlan } from "./plan.ts";

/** The server's configuration. Nothing is acknowledged before it is on disk, and nothing is evicted to make room. */
export function configuration({ data, replicas }: RedisPlan, password: string): string {
  const settings = {
    port: 0,
    "tls-port": port,
    "tls-cert-file": "/server/tls.crt",
    "tls-key-file": "/server/tls.key",
    "tls-ca-cert-file": "/server/ca.crt",
    // Clients show who they are by their passwords.
    "tls-auth-clients": "no",
    "tls-replication": "yes",
    // It guards servers without passwords, and here nobody comes in without one.
    "protected-mode": "no",
    dir: "/data",
    aclfile: "/data/users.acl",
    appendonly: "yes",
    appendfsync: "always",
    save: '""',
    maxmemory: data,
    "maxmemory-policy": "noeviction",
    primaryuser: administrator,
    primaryauth: password,
    ...(replicas > 0 && { "min-replicas-to-write": 1 }),
  };
  return Object.entries(settings)
    .map(([name, value]) => `${name} ${value}\n`)
    .join("");
}

/** The users that a server begins with; all others are made by set-up jobs. */
export function firstUsers(password: string): string {
  const hash = createHash("sha256").update(password).digest("hex");
  return `user default off\nuser ${administrator} on #${hash} ~* &* +@all\n`;
}

/** The first member is the primary: what it acknowledged is on its disk, so it comes back with it. */
export const startScript = `
[ -e /data/users.acl ] || cp /server/users.acl /data/users.acl || exit 1
case "$HOSTNAME" in
  *-0) exec valkey-server /server/valkey.conf ;;
  *) exec valkey-server /server/valkey.conf --replicaof "$PRIMARY" ${port} ;;
esac
`;
