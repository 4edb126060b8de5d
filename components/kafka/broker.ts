/** The files of a broker's container: its properties, its log settings and the script that starts it. */
import { administrator, ports } from "./defaults.ts";
import type { Replication } from "./plan.ts";

/** Where the container finds what is mounted. */
export const paths = {
  config: "/config",
  certificates: "/certificates",
  admin: "/admin",
  data: "/var/lib/kafka",
} as const;

const tls = {
  "ssl.keystore.type": "PEM",
  "ssl.keystore.location": `${paths.certificates}/server.pem`,
  "ssl.truststore.type": "PEM",
  "ssl.truststore.location": `${paths.certificates}/ca.pem`,
};

const controllerClient = {
  "security.protocol": "SSL",
  ...tls,
  "request.timeout.ms": 5_000,
  "default.api.timeout.ms": 10_000,
};

/** @param commonName of the certificate that brokers show each other; their authority signs no other */
export function configuration(commonName: string, replication: Replication, tunnelPort: number) {
  return {
    "server.properties": serverProperties(commonName, replication),
    "controller-client.properties": properties(controllerClient),
    "log4j2.properties": logging,
    "start.sh": startScript(tunnelPort),
  };
}

/** What all brokers share; the script adds what differs. */
function serverProperties(commonName: string, { factor, minInSync }: Replication): string {
  const scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;";
  return properties({
    "listener.security.protocol.map": "CLIENTS:SASL_SSL,TUNNEL:SASL_SSL,REPLICATION:SSL,CONTROLLER:SSL",
    "inter.broker.listener.name": "REPLICATION",
    "controller.listener.names": "CONTROLLER",
    "sasl.enabled.mechanisms": "SCRAM-SHA-512",
    "listener.name.clients.scram-sha-512.sasl.jaas.config": scram,
    "listener.name.tunnel.scram-sha-512.sasl.jaas.config": scram,
    "listener.name.replication.ssl.client.auth": "required",
    "listener.name.controller.ssl.client.auth": "required",
    ...tls,

    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "allow.everyone.if.no.acl.found": false,
    "super.users": `User:${administrator};User:CN=${commonName}`,

    "auto.create.topics.enable": false,
    "default.replication.factor": factor,
    "min.insync.replicas": minInSync,
    "offsets.topic.replication.factor": factor,
    "offsets.topic.num.partitions": 12,
    "transaction.state.log.replication.factor": factor,
    "transaction.state.log.min.isr": minInSync,
    "transaction.state.log.num.partitions": 12,
    "share.coordinator.state.topic.replication.factor": factor,
    "share.coordinator.state.topic.min.isr": minInSync,
    "share.coordinator.state.topic.num.partitions": 12,

    // A folder of its own: Kafka takes `lost+found` at the top of a disk for a broken partition.
    "log.dirs": `${paths.data}/log`,
    "num.network.threads": 2,
    "num.io.threads": 4,
    "background.threads": 4,
    // 128 MiB by default, which a small heap cannot spare.
    "log.cleaner.dedupe.buffer.size": 16 * 2 ** 20,
  });
}

const logging = properties({
  status: "error",
  "appender.stdout.type": "Console",
  "appender.stdout.name": "stdout",
  "appender.stdout.layout.type": "PatternLayout",
  "appender.stdout.layout.pattern": "%d{ISO8601} %-5p %m (%c)%n",
  "rootLogger.level": "info",
  "rootLogger.appenderRef.stdout.ref": "stdout",
  // Every property at every start.
  "logger.values.name": "org.apache.kafka.common.config.AbstractConfig",
  "logger.values.level": "warn",
});

/**
 * Reads POD_NAME, SERVICE (the headless one), CONTROLLERS (how many) and CLUSTER_ID.
 *
 * The quorum is dynamic: broker 0 founds it, other controllers join it by themselves, so that one broker can become
 * three. Should broker 0 lose its disk, it must not found a second one.
 */
function startScript(tunnelPort: number): string {
  return `#!/bin/sh
set -eu
ordinal="\${POD_NAME##*-}"
host="$POD_NAME.$SERVICE"
bin=/opt/kafka/bin
own=/tmp/server.properties

quorum=""
others=""
i=0
while [ "$i" -lt "$CONTROLLERS" ]; do
  controller="\${POD_NAME%-*}-$i.$SERVICE:${ports.controller}"
  quorum="$quorum\${quorum:+,}$controller"
  if [ "$i" != "$ordinal" ]; then others="$others\${others:+,}$controller"; fi
  i=$((i + 1))
done

roles=broker
listeners="CLIENTS://:${ports.clients},REPLICATION://:${ports.replication},TUNNEL://127.0.0.1:${ports.tunnel}"
advertised="CLIENTS://$host:${ports.clients},REPLICATION://$host:${ports.replication}"
advertised="$advertised,TUNNEL://localhost:$((${tunnelPort} + ordinal))"
if [ "$ordinal" -lt "$CONTROLLERS" ]; then
  roles=broker,controller
  listeners="$listeners,CONTROLLER://:${ports.controller}"
  advertised="$advertised,CONTROLLER://$host:${ports.controller}"
fi
cat ${paths.config}/server.properties - > "$own" <<EOF
node.id=$ordinal
process.roles=$roles
listeners=$listeners
advertised.listeners=$advertised
controller.quorum.bootstrap.servers=$quorum
EOF
if [ "$ordinal" -lt "$CONTROLLERS" ]; then echo "controller.quorum.auto.join.enable=true" >> "$own"; fi

quorum_exists() {
  [ -n "$others" ] && KAFKA_HEAP_OPTS=-Xmx128m "$bin/kafka-metadata-quorum.sh" --bootstrap-controller "$others" \\
    --command-config ${paths.config}/controller-client.properties describe --status
}

if [ ! -e ${paths.data}/log/meta.properties ]; then
  found=--no-initial-controllers
  if [ "$ordinal" = 0 ] && ! quorum_exists; then found=--standalone; fi
  # What it says of the password's hash is not for the log.
  KAFKA_HEAP_OPTS=-Xmx128m "$bin/kafka-storage.sh" format --cluster-id "$CLUSTER_ID" --config "$own" "$found" \\
    --add-scram "SCRAM-SHA-512=[name=${administrator},password=$(cat ${paths.admin}/password)]" > /dev/null
fi
exec "$bin/kafka-server-start.sh" "$own"
`;
}

function properties(values: Readonly<Record<string, string | number | boolean>>): string {
  return Object.entries(values)
    .map(([key, value]) => `${key}=${value}\n`)
    .join("");
}
