#!/usr/bin/env bash
# Turns the files of a page into C strings, byte for byte:
# embed-page.sh <prefix> <folder> <file>... writes <folder>/<prefix>_page.h and
# .c with <prefix>_page_<file> for each, dots and dashes as underscores.
set -euo pipefail

prefix=$1 folder=$2
shift 2
header=$folder/${prefix}_page.h
source=$folder/${prefix}_page.c

name_of()
{
	basename "$1" | tr '.-' '__'
}

{
	printf '/* Generated from the files of the page; do not edit. */\n'
	printf '#ifndef CH_GEN_%s_PAGE_H\n#define CH_GEN_%s_PAGE_H\n\n' \
		"${prefix^^}" "${prefix^^}"
	for file; do
		printf 'extern const char %s_page_%s[];\n' "$prefix" \
			"$(name_of "$file")"
	done
	printf '\n#endif\n'
} > "$header.new"

{
	printf '/* Generated from the files of the page; do not edit. */\n'
	printf '#include "%s_page.h"\n' "$prefix"
	for file; do
		printf '\nconst char %s_page_%s[] =\n' "$prefix" \
			"$(name_of "$file")"
		# a ? could begin a trigraph
		sed -e 's/[\\"?]/\\&/g' -e 's/\t/\\t/g' \
			-e 's/.*/\t"&\\n"/' "$file"
		printf '\t;\n'
	done
} > "$source.new"
mv "$source.new" "$source"
mv "$header.new" "$header"
