#!/bin/bash
# Runs a class of Kafka. Settings come from the environment, by the names that Kafka's own script reads.
: "${KAFKA_HEAP_OPTS=-Xmx256M}"
: "${KAFKA_LOG4J_OPTS=-Dlog4j2.configurationFile=/opt/kafka/config/tools-log4j2.yaml}"
: "${KAFKA_JVM_PERFORMANCE_OPTS=-server -XX:+UseG1GC -XX:MaxGCPauseMillis=20 -XX:InitiatingHeapOccupancyPercent=35 -XX:+ExplicitGCInvokesConcurrent -Djava.awt.headless=true}"
# The variables hold lists of options.
# shellcheck disable=SC2086
exec "$JAVA_HOME/bin/java" $KAFKA_HEAP_OPTS $KAFKA_JVM_PERFORMANCE_OPTS $KAFKA_JMX_OPTS $KAFKA_LOG4J_OPTS $KAFKA_OPTS \
  -cp "${CLASSPATH:+$CLASSPATH:}/opt/kafka/libs/*" "$@"
