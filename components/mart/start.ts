/** What runs in the pod of the mart. */
import { administrator } from "./defaults.ts";

/**
 * Used instead of the image's own entrypoint, which starts a server without TLS and passwords while it makes the data
 * folder, and takes one that was cut short for finished.
 */
export const startScript = `set -eu
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  rm -rf "$PGDATA" "$PGDATA.new"
  initdb --pgdata="$PGDATA.new" --username="$ADMINISTRATOR" --pwfile=/server/password \\
    --auth=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8 --data-checksums
  mv "$PGDATA.new" "$PGDATA"
fi
exec postgres -D "$PGDATA" -c hba_file=/configuration/pg_hba.conf "$@"
`;

/** Passwords only, only over TLS, and consumers only into the mart's own database. */
export const accessRules = (database: string): string =>
  [`hostssl all ${administrator} all scram-sha-256`, `hostssl "${database}" all all scram-sha-256`, ""].join("\n");
