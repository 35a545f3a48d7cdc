#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Fetches what `make compat` and `make bench B=relay` hold the relay against: the
# Debezium connector and the Kafka Connect that runs it
# (deploy/debezium/pom.xml), once, by Maven, into
# $CH_CACHE/debezium/<digest of the pom and Kafka's version>/libs.
#
# Prints that directory as its last line. Needs the network only the first time;
# Maven's own settings name mirrors and proxies.
set -euo pipefail
# shellcheck source=deploy/local/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../deploy/local/lib.sh"

POM=$CH_ROOT/deploy/debezium/pom.xml
DIGEST=$({ cat "$POM"; say "$CH_KAFKA_VERSION"; } | sha256sum | cut -c1-16)
HOME_DIR=$CH_CACHE/debezium/$DIGEST

copy_jars()
{
	rm -rf "$HOME_DIR.new"
	mvn -B -ntp -f "$POM" -Dkafka.version="$CH_KAFKA_VERSION" \
	    -DincludeScope=runtime -DoutputDirectory="$HOME_DIR.new/libs" \
	    dependency:copy-dependencies
	compgen -G "$HOME_DIR.new/libs/debezium-connector-postgres-*.jar" ||
	    { say "Maven left no debezium-connector-postgres"; return 1; }
	rm -rf "$HOME_DIR"
	mv "$HOME_DIR.new" "$HOME_DIR"
}

fetch()
{
	[[ ! -d $HOME_DIR/libs ]] || return 0
	run_step "fetch Debezium and Kafka Connect" "$CH_CACHE/log/debezium.log" \
	    "look at the log; Maven's own settings (~/.m2/settings.xml) name mirrors and proxies" \
	    copy_jars
}

mkdir -p "$CH_CACHE/debezium"
with_lock "$CH_CACHE/debezium/lock" fetch
say "$HOME_DIR/libs"
