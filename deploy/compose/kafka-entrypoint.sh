#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# One broker in KRaft mode on /data; advertises KAFKA_HOST:9092 (the service's
# name). For trial and test: one node, no TLS, no authentication. An unfinished
# format is made again; a formatted volume is never touched.
set -euo pipefail

jars=$(echo /opt/kafka/*/libs)
config=/data/server.properties
java=(java "-Xmx${KAFKA_HEAP:-256m}" -XX:+UseSerialGC -XX:+ExitOnOutOfMemoryError
    -Dlog4j2.configurationFile=/data/log4j2.properties -cp "$jars/*")

# The cleaner's buffer is 128 MB by default, half of this heap.
cat >"$config" <<PROPERTIES
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:9093
listeners=PLAINTEXT://:9092,CONTROLLER://127.0.0.1:9093
advertised.listeners=PLAINTEXT://${KAFKA_HOST:-kafka}:9092,CONTROLLER://127.0.0.1:9093
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs=/data/log
auto.create.topics.enable=false
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
log.segment.bytes=134217728
log.cleaner.dedupe.buffer.size=8388608
log.cleaner.threads=1
PROPERTIES
cat >/data/log4j2.properties <<'LOGGING'
status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{yyyy-MM-dd'T'HH:mm:ss.SSS} %p %c{1} %m%n
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
LOGGING

if [[ ! -f /data/log/meta.properties ]]; then
	rm -rf /data/log
	# 16 random bytes in Kafka's own form; a leading '-' would be an option
	id=A$(head -c 16 /dev/urandom | base64 | tr '+/' '-_' | cut -c2-22)
	"${java[@]}" kafka.tools.StorageTool format --standalone -t "$id" -c "$config"
fi
exec "${java[@]}" kafka.Kafka "$config"
