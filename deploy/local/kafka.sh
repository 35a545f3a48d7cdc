#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# One private Apache Kafka broker (KRaft, controller inside) for one fleet,
# in $CH_STATE/kafka, on 127.0.0.1 and on ports chosen once.
#
# Usage: kafka.sh start|stop|kill|status|ready|alive
#   start   formats if new; returns when metadata is really answered; may be
#           repeated
#   stop    orderly (SIGTERM), within 30 s
#   kill    kill -9: a start on the same data must and does work
#   status  prints the state; exit 0 when it answers, 1 when not, 3 stopped
#   ready   like status, silent
#   alive   exit 0 when the process is there, whether it answers or not
#
# CH_KAFKA_PROPERTIES: lines that are added to the broker's properties.
# CH_KAFKA_PROXIED="PORT:TOLD ..." (tests): listens on each PORT too, and tells
# who asks there to come to TOLD, where a proxy stands.
#
# Not for production: replication factor 1 and a 256 MB heap.
set -euo pipefail
# shellcheck source=deploy/local/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

DIR=$CH_STATE/kafka
LIBS=$CH_CACHE/kafka/$CH_KAFKA_VERSION/libs
PIDFILE=$CH_STATE/run/kafka.pid
PROPERTIES=$DIR/server.properties
LOG=$CH_STATE/log/kafka.log
OUT=$CH_STATE/log/kafka.out
HEAP=${CH_KAFKA_HEAP:-256m}
# A broker that lives is waited for: after a kill it reads again each log that
# it has, thousands in a long test run, maybe on a machine with other work.
START_SECONDS=180

pid_of_kafka()
{
	our_pid "$PIDFILE" "$PROPERTIES"
}

read_ports()
{
	local port controller

	[[ -s $DIR/ports ]] || return 1
	read -r port controller <"$DIR/ports"
	PORT=$port
	CONTROLLER_PORT=$controller
}

choose_ports()
{
	read_ports && return 0
	PORT=$(free_port)
	CONTROLLER_PORT=$(free_port)
	while [[ $CONTROLLER_PORT == "$PORT" ]]; do
		CONTROLLER_PORT=$(free_port)
	done
	printf '%s %s\n' "$PORT" "$CONTROLLER_PORT" >"$DIR/ports"
}

require_ports_free()
{
	local p

	for p in "$PORT" "$CONTROLLER_PORT"; do
		! port_is_taken "$p" ||
		    die "start Kafka" "port $p is taken by another process" \
		    "stop that process ('ss -ltnp' names it), or rm $DIR/ports to have others chosen"
	done
}

# The cleaner's buffer is 128 MB by default, half of our heap: hence the small
# one. Group sessions of 1 s are allowed so that fault tests need not wait; the
# broker session bounds how long a start after kill -9 waits for the dead one.
write_properties()
{
	local listeners='' told='' protocols='' pair n=0

	for pair in ${CH_KAFKA_PROXIED:-}; do
		n=$((n + 1))
		listeners+=,PROXIED$n://127.0.0.1:${pair%:*}
		told+=,PROXIED$n://127.0.0.1:${pair#*:}
		protocols+=,PROXIED$n:PLAINTEXT
	done
	cat >"$PROPERTIES" <<EOF
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:$CONTROLLER_PORT
listeners=PLAINTEXT://127.0.0.1:$PORT,CONTROLLER://127.0.0.1:$CONTROLLER_PORT$listeners
advertised.listeners=PLAINTEXT://127.0.0.1:$PORT,CONTROLLER://127.0.0.1:$CONTROLLER_PORT$told
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT$protocols
log.dirs=$DIR/data
auto.create.topics.enable=false
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
offsets.retention.minutes=10080
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
message.max.bytes=1048588
log.retention.hours=168
log.segment.bytes=134217728
log.retention.check.interval.ms=60000
log.cleaner.dedupe.buffer.size=8388608
log.cleaner.threads=1
num.network.threads=2
num.io.threads=4
num.recovery.threads.per.data.dir=2
background.threads=4
controlled.shutdown.enable=true
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=3000
${CH_KAFKA_PROPERTIES:-}
EOF
	cat >"$DIR/log4j2.properties" <<EOF
status = error
appender.file.type = RollingFile
appender.file.name = file
appender.file.fileName = $LOG
appender.file.filePattern = $LOG.%i
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d{yyyy-MM-dd'T'HH:mm:ss.SSS} %p %c{1} %m%n
appender.file.policies.type = Policies
appender.file.policies.size.type = SizeBasedTriggeringPolicy
appender.file.policies.size.size = 16MB
appender.file.strategy.type = DefaultRolloverStrategy
appender.file.strategy.max = 2
rootLogger.level = warn
rootLogger.appenderRef.file.ref = file
EOF
}


format_if_new()
{
	[[ ! -f $DIR/data/meta.properties ]] || return 0
	local jvm=(-Xmx96m -XX:+UseSerialGC -XX:TieredStopAtLevel=1
	    -Dlog4j2.configurationFile="$DIR/log4j2.properties" -cp "$LIBS/*")
	local uuid

	# 16 random bytes in Kafka's own form: base64url without padding; a
	# leading '-' would be taken for an option
	uuid=A$(head -c 16 /dev/urandom | base64 | tr '+/' '-_' | cut -c2-22)
	rm -rf "$DIR/data"
	run_step "format Kafka's storage" "$CH_STATE/log/kafka-format.log" \
	    "rm -rf $DIR (this loses its topics) and try again" \
	    java "${jvm[@]}" kafka.tools.StorageTool format --standalone \
	    -t "$uuid" -c "$PROPERTIES"
}

require_java()
{
	local v

	command -v java >/dev/null ||
	    die "start Kafka" "no java" "run deploy/local/deps.sh"
	v=$(java -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p' | head -n 1)
	((${v:-0} >= 17)) ||
	    die "start Kafka" "java is version ${v:-unknown}, Kafka needs 17 or later" \
	    "install openjdk-17-jre-headless and put it first in PATH"
	[[ -d $LIBS ]] ||
	    die "start Kafka" "no jars in $LIBS" "run deploy/local/deps.sh"
}

launch()
{
	setsid java "-Xmx$HEAP" -Xms128m -XX:+UseSerialGC \
	    -XX:+ExitOnOutOfMemoryError -Djava.awt.headless=true \
	    "-Dlog4j2.configurationFile=$DIR/log4j2.properties" \
	    -cp "$LIBS/*" kafka.Kafka "$PROPERTIES" \
	    </dev/null >>"$OUT" 2>&1 9>&- &
	echo $! >"$PIDFILE"
}

answers()
{
	read_ports && kcat -b "127.0.0.1:$PORT" -L -J -m 2 2>/dev/null |
	    grep -q '"brokers":\[{'
}

wait_ready()
{
	local end=$((SECONDS + START_SECONDS))

	until answers; do
		if ! pid_of_kafka >/dev/null; then
			tail -n 20 "$OUT" "$LOG" >&2 || true
			die "start Kafka" "the broker ended while starting" \
			    "see $LOG and $OUT"
		fi
		((SECONDS < end)) ||
		    die "start Kafka" "no answer on 127.0.0.1:$PORT after $START_SECONDS s" \
		    "see $LOG"
		sleep 0.1
	done
}

start_locked()
{
	local began

	if pid_of_kafka >/dev/null; then
		wait_ready
		return 0
	fi
	began=$(now_ms)
	require_java
	choose_ports
	require_ports_free
	write_properties
	format_if_new
	launch
	wait_ready
	env_set BOOTSTRAP "127.0.0.1:$PORT"
	say "  Kafka $CH_KAFKA_VERSION on 127.0.0.1:$PORT: up in $(tenths_since "$began")"
}

start()
{
	state_dirs
	mkdir -p "$DIR"
	with_lock "$CH_STATE/run/kafka.lock" start_locked
}

stop()
{
	local signal=$1 seconds=$2 pid

	if pid=$(pid_of_kafka); then
		kill "-$signal" "$pid"
		if ! wait_gone "$pid" "$seconds"; then
			warn "Kafka (pid $pid) did not stop within $seconds s: kill -9"
			kill -KILL "$pid"
			wait_gone "$pid" 10 || die "stop Kafka" "pid $pid does not die" \
			    "its disk may hang: see 'dmesg'"
		fi
	fi
	rm -f "$PIDFILE"
}

status()
{
	local pid

	if ! pid=$(pid_of_kafka); then
		say "Kafka: stopped"
		return 3
	fi
	if ! answers; then
		say "Kafka: pid $pid lives but does not answer; see $LOG"
		return 1
	fi
	say "Kafka: up, pid $pid, 127.0.0.1:$PORT"
}

case ${1:-} in
start)	start ;;
stop)	stop TERM 30 ;;
kill)	stop KILL 10 ;;
status)	status ;;
ready)	status >/dev/null ;;
alive)	pid_of_kafka >/dev/null ;;
*)	say "usage: kafka.sh start|stop|kill|status|ready|alive" >&2; exit 64 ;;
esac
