/* SPDX-License-Identifier: Apache-2.0 */
/*
 * corpus: the kept inputs of a fuzz target, given to its rules once more by a
 * unit test.
 *
 * A rule is a function of bytes that returns what does not hold, or NULL. The
 * tests run from the repository's root.
 */
#ifndef TEST_CORPUS_H
#define TEST_CORPUS_H

#include <check.h>
#include <dirent.h>
#include <stdio.h>

#define CORPUS_FILE_MAX 65536

typedef const char *corpus_rule(const void *bytes, size_t size);

static inline void
corpus_replay_file(const char *path, corpus_rule *rule)
{
	static char bytes[CORPUS_FILE_MAX];
	FILE *f = fopen(path, "rb");
	const char *broken;
	size_t n;

	ck_assert_msg(f != NULL, "%s", path);
	n = fread(bytes, 1, sizeof(bytes), f);
	fclose(f);
	broken = rule(bytes, n);
	ck_assert_msg(broken == NULL, "%s does not hold: %s", path, broken);
}

/* Every file of tests/fuzz/corpus/<name>; there are at least so many. */
static inline void
corpus_replay(const char *name, size_t least, corpus_rule *rule)
{
	char dir[256], path[768];
	struct dirent *e;
	size_t files = 0;
	DIR *d;

	snprintf(dir, sizeof(dir), "tests/fuzz/corpus/%s", name);
	d = opendir(dir);
	ck_assert_msg(d != NULL, "%s: run it from the repository", dir);
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		corpus_replay_file(path, rule);
		files++;
	}
	closedir(d);
	ck_assert_uint_ge(files, least);
}

#endif
