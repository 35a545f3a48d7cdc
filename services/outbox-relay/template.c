/* SPDX-License-Identifier: Apache-2.0 */
/*
 * template: see template.h.
 *
 * The text is read again for each event; it was found to be well-formed once,
 * and it is small.
 */
#include "template.h"

#include <stdlib.h>

#include "base/json.h"
#include "base/mem.h"

#define NODES_MAX 100000

struct template
{
	char *text;
	size_t len;
};

static const struct {
	const char *name;
	size_t at;
} own[] = {
	{"$id", offsetof(struct template_event, id)},
	{"$type", offsetof(struct template_event, type)},
	{"$aggregatetype", offsetof(struct template_event, aggregatetype)},
	{"$key", offsetof(struct template_event, key)},
	{"$time", offsetof(struct template_event, time)},
	{"$payload", offsetof(struct template_event, payload)},
};
#define OWN (sizeof(own) / sizeof(*own))

static size_t
own_of(struct ch_view name)
{
	size_t i = 0;

	while (i < OWN && !ch_view_eq_str(name, own[i].name))
		i++;
	return i;
}

/* The inside of a JSON string. */
static void
add_escaped(struct ch_buf *out, struct ch_view v)
{
	struct ch_buf quoted = CH_BUF_INIT;

	ch_json_add_string(&quoted, v);
	ch_buf_add(out, quoted.ptr + 1, quoted.len - 2);
	ch_buf_free(&quoted);
}

static const struct ch_json *
member_of(const struct ch_json *object, struct ch_view name)
{
	const struct ch_json *m = NULL;

	if (object != NULL && object->type == CH_JSON_OBJECT)
		m = object->child;
	while (m != NULL && !ch_view_eq(m->name, name))
		m = m->next;
	return m;
}

static void
add_field(struct ch_buf *out, const struct ch_json *doc, struct ch_view path)
{
	struct ch_view part;

	while (doc != NULL && ch_view_split(&path, '.', &part))
		doc = member_of(doc, part);
	if (doc != NULL)
		add_escaped(out,
			doc->type == CH_JSON_STRING ? doc->str : doc->text);
}

/* Takes the text up to the next {{name}} off *rest; the text alone at the end.
 * false: there is no more. CH_EINVAL through *rc: no end. */
static bool
next_piece(struct ch_view *rest, struct ch_view *text, struct ch_view *name,
	int *rc)
{
	const char *end = rest->ptr + rest->len, *open, *close;

	*name = (struct ch_view){NULL, 0};
	*text = *rest;
	if (rest->len == 0)
		return false;
	open = memmem(rest->ptr, rest->len, "{{", 2);
	if (open == NULL) {
		*rest = (struct ch_view){end, 0};
		return true;
	}
	text->len = (size_t)(open - rest->ptr);
	open += 2;
	close = memmem(open, (size_t)(end - open), "}}", 2);
	if (close == NULL) {
		*rc = CH_EINVAL;
		return false;
	}
	*name = ch_view_trim((struct ch_view){open, (size_t)(close - open)});
	*rest = (struct ch_view){close + 2, (size_t)(end - close - 2)};
	return true;
}

static int
check_pieces(struct ch_view text, struct ch_err *err)
{
	struct ch_view rest = text, before, name;
	int rc = CH_OK;

	while (next_piece(&rest, &before, &name, &rc)) {
		if (name.ptr == NULL)
			continue;
		if (name.len == 0 || name.len > 200 ||
			(name.ptr[0] == '$' && own_of(name) == OWN))
			return ch_err_set(err, CH_EINVAL,
				"byte %zu: \"{{%.*s}}\" is neither a field of "
				"the payload nor one of $id, $type, "
				"$aggregatetype, $key, $time, $payload",
				(size_t)(name.ptr - text.ptr),
				(int)(name.len < 64 ? name.len : 64), name.ptr);
	}
	if (rc != CH_OK)
		return ch_err_set(err, CH_EINVAL,
			"byte %zu: \"{{\" without its \"}}\"",
			(size_t)(rest.ptr - text.ptr) + before.len);
	return CH_OK;
}

static int
check_result(const struct template *t, struct ch_err *err)
{
	static const struct template_event nothing;
	struct ch_arena arena = CH_ARENA_INIT;
	struct ch_buf out = CH_BUF_INIT;
	int rc = CH_OK;

	template_fill(t, &nothing, &out);
	if (ch_json_parse(&arena, ch_buf_view(&out), NODES_MAX, err) == NULL)
		rc = ch_err_wrap(err,
			"filled with empty values it is no JSON (put each "
			"{{name}} between quotes)");
	ch_buf_free(&out);
	ch_arena_free(&arena);
	return rc;
}

struct template *
template_new(struct ch_view text, struct ch_err *err)
{
	struct template *t;

	if (check_pieces(text, err) != CH_OK)
		return NULL;
	t = ch_xcalloc(1, sizeof(*t));
	t->text = ch_xviewdup(text);
	t->len = text.len;
	if (check_result(t, err) == CH_OK)
		return t;
	template_free(t);
	return NULL;
}

void
template_free(struct template *t)
{
	if (t == NULL)
		return;
	free(t->text);
	free(t);
}

void
template_fill(const struct template *t, const struct template_event *e,
	struct ch_buf *out)
{
	struct ch_view rest = {t->text, t->len}, text, name;
	struct ch_arena arena = CH_ARENA_INIT;
	const struct ch_json *doc = NULL;
	int rc = CH_OK;
	size_t i;

	if (e->payload.len > 0)
		doc = ch_json_parse(&arena, e->payload, NODES_MAX, NULL);
	while (next_piece(&rest, &text, &name, &rc)) {
		ch_buf_addv(out, text);
		i = name.ptr != NULL ? own_of(name) : OWN;
		if (i < OWN)
			add_escaped(out,
				*(const struct ch_view *)(const void
						*)((const char *)e +
					own[i].at));
		else if (name.ptr != NULL)
			add_field(out, doc, name);
	}
	ch_arena_free(&arena);
}
