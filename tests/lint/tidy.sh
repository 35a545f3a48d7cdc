#!/usr/bin/env bash
# clang-tidy over common/ and services/: tidy.sh <gen folder> <deps include> [name]
# Prints what .clang-tidy objects to; ends with status 1 when there is any.
# JOBS files at a time, each in a process of its own (see .clang-tidy).
set -euo pipefail
cd "$(dirname "$0")/../.."
export GEN=$1 DEPS_INCLUDE=$2
name=${3:-}

tidy_one()
{
	local file=$1 output
	local -a flags=(-std=c17 -D_GNU_SOURCE -Icommon -I"$GEN" -I"$(dirname "$file")"
		-isystem "$DEPS_INCLUDE" -isystem /usr/include/postgresql
		'-DCH_VERSION="tidy"' '-DCH_GIT_ID="tidy"')

	if ! output=$(clang-tidy --quiet "$file" -- "${flags[@]}" 2>/dev/null); then
		printf '%s\n' "${output//"$PWD/"/}"
		return 1
	fi
}
export -f tidy_one

mapfile -t files < <(find common services -name '*.c' -path "*$name*" | sort)
((${#files[@]} > 0)) || { echo "no file matches '$name'" >&2; exit 1; }
# shellcheck disable=SC2016	# $1 is the inner shell's
printf '%s\0' "${files[@]}" |
	xargs -0 -n 1 -P "${JOBS:-2}" bash -c 'tidy_one "$1"' tidy ||
	{ echo "clang-tidy objects"; exit 1; }
echo "clang-tidy: ${#files[@]} files, nothing to object to"
