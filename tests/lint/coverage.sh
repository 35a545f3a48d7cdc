#!/usr/bin/env bash
# Line coverage of common/base and of the pure modules, by gcov: coverage.sh <build folder>
set -euo pipefail
out=$1
floor=${COV_FLOOR:-85}
summary=$(mktemp)
trap 'rm -f "$summary"' EXIT
while read -r notes; do
	source=${notes#"$out"/obj/}
	source=${source%.gcno}.c
	case $source in
	common/base/*) ;;
	services/*)
		module=$(basename "$source" .c)
		grep -qE "^Pure modules:.*\`?$module\b" "$(dirname "$source")/README.md" || continue ;;
	*) continue ;;
	esac
	gcov -n "$notes" 2>/dev/null | awk -v f="$source" '
		$0 ~ "^File .*" f {hit = 1} hit && /^Lines executed/ {
			split($2, a, ":"); sub("%.*", "", a[2]); print a[2], $4, f; exit}'
done < <(find "$out/obj" -name '*.gcno' | sort) >"$summary"
sort -n "$summary" | awk '{printf "%6s%%  %s\n", $1, $3}'
awk -v floor="$floor" '{lines += $2; hit += $1 * $2 / 100}
	END {p = lines ? 100 * hit / lines : 0
	printf "lines of pure code covered: %.1f%% of %d (floor %d%%)\n", p, lines, floor
	exit p < floor}' "$summary"
