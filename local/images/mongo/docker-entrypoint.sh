#!/bin/sh
# As the real image: flags alone are for mongod. The root user is made only where this script ran, as there.
if [ "${1#-}" != "$1" ]; then set -- mongod "$@"; fi
STAND_IN_ENTRYPOINT=1 exec "$@"
