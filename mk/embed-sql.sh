#!/usr/bin/env bash
# Turns SQL files into C strings: embed-sql.sh <prefix> <folder> <file.sql>...
# writes <folder>/<prefix>_sql.h and .c with <prefix>_sql_<file> for each.
# A statement's trailing semicolon is dropped: prepared statements take none.
set -euo pipefail

prefix=$1 folder=$2
shift 2
header=$folder/${prefix}_sql.h
source=$folder/${prefix}_sql.c

{
	printf '/* Generated from the .sql files; do not edit. */\n'
	printf '#ifndef CH_GEN_%s_SQL_H\n#define CH_GEN_%s_SQL_H\n\n' \
		"${prefix^^}" "${prefix^^}"
	for file; do
		name=$(basename "$file" .sql)
		printf 'extern const char %s_sql_%s[];\n' "$prefix" "${name//-/_}"
	done
	printf '\n#endif\n'
} > "$header.new"

{
	printf '/* Generated from the .sql files; do not edit. */\n'
	printf '#include "%s_sql.h"\n' "$prefix"
	for file; do
		name=$(basename "$file" .sql)
		printf '\nconst char %s_sql_%s[] =\n' "$prefix" "${name//-/_}"
		awk '/^--/ {next} {gsub(/\\/, "\\\\"); gsub(/"/, "\\\""); lines[++n] = $0}
			END {
				while (n > 0 && lines[n] ~ /^[ \t]*$/) n--
				sub(/;[ \t]*$/, "", lines[n])
				for (i = 1; i <= n; i++) printf "\t\"%s\\n\"\n", lines[i]
				if (n == 0) print "\t\"\""
				print "\t;"
			}' "$file"
	done
} > "$source.new"
mv "$source.new" "$source"
mv "$header.new" "$header"
