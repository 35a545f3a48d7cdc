#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Creates the topics of deploy/topics.conf that are missing and reports those
# whose number of partitions differs (exit 3; nothing is altered).
#
# Usage: topics.sh [--bootstrap HOST:PORT] [--config FILE] [--list FILE]
#   --bootstrap  default: BOOTSTRAP of the environment, else of $CH_STATE/env
#   --config     librdkafka properties (TLS, SASL); default CH_KAFKA_CONFIG
#   --list       default: deploy/topics.conf
# CH_PARTITIONS sets the "*" of the list (default 4).
#
# A small C client does the work (topics.c, built once into the cache), because
# Kafka's own tool starts a JVM for each topic.
set -euo pipefail
# shellcheck source=deploy/local/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

SOURCE=$CH_LOCAL/topics.c

tool_path()
{
	local digest

	digest=$(cat "$SOURCE" "$CH_CACHE/stamps/librdkafka" | sha256sum | cut -c1-16)
	say "$CH_CACHE/bin/topics-$digest"
}

build_tool()
{
	local tool=$1 flags

	[[ ! -x $tool ]] || return 0
	flags=$(PKG_CONFIG_PATH=$CH_CACHE/deps/lib/pkgconfig \
	    pkg-config --cflags --libs rdkafka)
	mkdir -p "$CH_CACHE/bin"
	rm -f "$CH_CACHE"/bin/topics-*
	# shellcheck disable=SC2086
	run_step "build the topics tool" "$CH_CACHE/log/topics.log" \
	    "see the log" "${CC:-gcc}" -std=c17 -D_GNU_SOURCE -O2 -Wall -Wextra \
	    -o "$tool.new" "$SOURCE" $flags
	mv "$tool.new" "$tool"
}

main()
{
	local bootstrap=${BOOTSTRAP:-$(env_get BOOTSTRAP)}
	local config=${CH_KAFKA_CONFIG:-} list=$CH_ROOT/deploy/topics.conf tool

	while (($# > 0)); do
		case $1 in
		--bootstrap)	bootstrap=${2:?}; shift 2 ;;
		--config)	config=${2:?}; shift 2 ;;
		--list)		list=${2:?}; shift 2 ;;
		*)	say "usage: topics.sh [--bootstrap HOST:PORT] [--config FILE] [--list FILE]" >&2
			exit 64 ;;
		esac
	done
	[[ -n $bootstrap ]] ||
	    die "create topics" "no broker named" \
	    "run kafka.sh start, or give --bootstrap or BOOTSTRAP"
	[[ -f $CH_CACHE/stamps/librdkafka ]] ||
	    die "create topics" "librdkafka is not built" "run deploy/local/deps.sh"
	tool=$(tool_path)
	with_lock "$CH_CACHE/topics.lock" build_tool "$tool"
	"$tool" --bootstrap "$bootstrap" --partitions "${CH_PARTITIONS:-4}" \
	    ${config:+--config "$config"} "$list"
}

main "$@"
