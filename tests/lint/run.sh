#!/usr/bin/env bash
# Runs every lint; each is a script of its own that prints what it found and
# ends non-zero when it found anything.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
export OUT=${OUT:-build/debug}

good=0 bad=0
for lint in tests/lint/check-*; do
	name=$(basename "$lint")
	if output=$("$lint" 2>&1); then
		echo "ok   $name"
		good=$((good + 1))
	else
		echo "FAIL $name"
		printf '%s\n' "$output" | sed 's/^/     /'
		bad=$((bad + 1))
	fi
done
[[ -z ${COUNT_FILE:-} ]] || echo "$good $bad" >>"$COUNT_FILE"
echo "$good passed, $bad failed"
((bad == 0))
