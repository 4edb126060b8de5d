/** The files of Mosquitto. */
import { largestPacket, port, readers, topics } from "./defaults.ts";

/** Where the container finds what is mounted. */
export const paths = {
  config: "/mosquitto/config",
  /** The Secret, and the copy of it that Mosquitto reads. */
  secret: "/secret",
  access: "/access",
  data: "/mosquitto/data",
} as const;

/** Mosquitto wants to own its files, but those of Secrets belong to root. */
export const startScript = `#!/bin/sh
set -eu
umask 077
cp -f ${paths.secret}/* ${paths.access}/
exec /usr/sbin/mosquitto -c ${paths.config}/mosquitto.conf
`;

/** @param queue bytes that wait for one reader */
export function mosquittoConfiguration(queue: number): string {
  return `listener ${port}
protocol mqtt
certfile ${paths.access}/tls.crt
keyfile ${paths.access}/tls.key
tls_version tlsv1.2
max_packet_size ${largestPacket}

allow_anonymous false
# Otherwise a device could take over the session of another, or of a relay with all that waits in it.
use_username_as_clientid true
password_file ${paths.access}/passwords
acl_file ${paths.access}/rules

# What is accepted is on disk within two seconds, and at a regular end.
persistence true
persistence_location ${paths.data}/
autosave_interval 1
retain_available false
queue_qos0_messages false
# More than fit; with 0 a device that publishes what it may not would lose its connection.
max_queued_messages 100000000
max_queued_bytes ${queue}
max_inflight_messages 1000

log_dest stdout
log_type error
log_type warning
log_type notice
connection_messages false
`;
}

/** A device writes under its own name; nobody reads but the relays. */
export const accessRules = `${readers.map((reader) => `user ${reader}\ntopic read ${topics.filter}\n\n`).join("")}pattern write ${topics.pattern}
`;
