/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_json: any bytes as a JSON document (libFuzzer).
 *
 * Holds: every value's text lies in the input; canonical text is a document
 * again, and its own canonical text; any bytes written as a string are read
 * back, the same when they are UTF-8 without NUL; what is salvaged is text, and
 * of a document exactly the strings that it has, whatever follows it.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_salvage.h"

#define NODES 4096

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void
require(bool ok)
{
	if (!ok)
		abort();
}

static void
check_within(const struct ch_json *v, struct ch_view input)
{
	size_t count = 0;

	require(v->text.len > 0 && v->text.ptr >= input.ptr &&
		v->text.ptr + v->text.len <= input.ptr + input.len);
	for (const struct ch_json *c = v->child; c != NULL; c = c->next) {
		check_within(c, input);
		count++;
	}
	require(count == v->count);
}

static void
check_canonical(struct ch_arena *arena, const struct ch_json *root)
{
	struct ch_buf once = CH_BUF_INIT, twice = CH_BUF_INIT;
	const struct ch_json *again;

	ch_json_canonical(&once, root);
	again = ch_json_parse(arena, ch_buf_view(&once), NODES, NULL);
	require(again != NULL && again->type == root->type);
	ch_json_canonical(&twice, again);
	require(ch_view_eq(ch_buf_view(&once), ch_buf_view(&twice)));
	ch_buf_free(&once);
	ch_buf_free(&twice);
}

static void
check_string(struct ch_arena *arena, struct ch_view input)
{
	struct ch_buf quoted = CH_BUF_INIT;
	const struct ch_json *v;

	ch_json_add_string(&quoted, input);
	v = ch_json_parse(arena, ch_buf_view(&quoted), 1, NULL);
	if (input.len == 0 || memchr(input.ptr, '\0', input.len) == NULL) {
		require(v != NULL && v->type == CH_JSON_STRING);
		require(!ch_view_is_utf8(input) || ch_view_eq(v->str, input));
	}
	ch_buf_free(&quoted);
}

static const char *const names[] = {"id", "org", "a", NULL};

static void
check_salvaged(const struct ch_json *found, struct ch_view input)
{
	size_t count = 0;

	for (const struct ch_json *v = found->child; v != NULL; v = v->next) {
		require(v->type == CH_JSON_STRING && ch_view_is_utf8(v->str));
		require(v->text.ptr >= input.ptr &&
			v->text.ptr + v->text.len <= input.ptr + input.len);
		count++;
	}
	require(found->type == CH_JSON_OBJECT && found->count == count);
	require(count < sizeof(names) / sizeof(names[0]));
}

static void
check_same_strings(const struct ch_json *root, const struct ch_json *found)
{
	for (size_t i = 0; names[i] != NULL; i++) {
		struct ch_view a, b;
		bool is_text = ch_json_str(root, names[i], &a);

		require(is_text == ch_json_str(found, names[i], &b));
		require(!is_text || ch_view_eq(a, b));
	}
}

static void
check_salvage(struct ch_arena *arena, const struct ch_json *root,
	struct ch_view input)
{
	const struct ch_json *found = ch_json_salvage(arena, input, names);
	struct ch_buf longer = CH_BUF_INIT;

	if (found != NULL)
		check_salvaged(found, input);
	if (root == NULL)
		return;
	require((root->type == CH_JSON_OBJECT) == (found != NULL));
	check_same_strings(root, found);
	ch_buf_addv(&longer, input);
	ch_buf_adds(&longer, ",\"id\":\"x\"} \\");
	check_same_strings(root,
		ch_json_salvage(arena, ch_buf_view(&longer), names));
	ch_buf_free(&longer);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct ch_arena arena = CH_ARENA_INIT;
	struct ch_view input = {(const char *)bytes, size};
	const struct ch_json *root = ch_json_parse(&arena, input, NODES, NULL);

	if (root != NULL) {
		check_within(root, input);
		check_canonical(&arena, root);
	}
	check_salvage(&arena, root, input);
	check_string(&arena, input);
	ch_arena_free(&arena);
	return 0;
}
