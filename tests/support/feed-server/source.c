/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source: see source.h.
 */
#include "source.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/mem.h"
#include "feed_gen.h"

#define FILE_MAX (256u << 20)
#define EVENT_NODES 1000000

struct source {
	struct source_options opt;
	struct feed_gen *gen;
	struct feed_row rows[FEED_ROWS_MAX];
	int row_count;
	int row_next;
	struct ch_buf text;  /* the file, frames one a line */
	struct ch_view rest; /* of text */
};

static int
read_file(const char *path, struct ch_buf *out, struct ch_err *err)
{
	FILE *file = fopen(path, "rb");
	size_t n;

	if (file == NULL)
		return ch_err_errno(err, errno, "FEED_FILE %s", path);
	do {
		ch_buf_reserve(out, 65536);
		n = fread(out->ptr + out->len, 1, 65536, file);
		out->len += n;
	} while (n > 0 && out->len < FILE_MAX);
	fclose(file);
	return 0;
}

/* A member's text as it stands in the document: numbers keep their digits. */
static struct ch_view
raw(const struct ch_json *event, const char *name)
{
	const struct ch_json *v = ch_json_get(event, name);

	return v != NULL ? v->text : CH_VIEW("\"\"");
}

static void
add_raw(struct ch_buf *b, const char *name, struct ch_view value)
{
	ch_json_add_name(b, name);
	ch_buf_addv(b, value);
}

/* One event of a recorded session as the frame that it came in. */
static void
add_event(struct ch_buf *b, const struct ch_json *event)
{
	int64_t ms = 0;

	(void)ch_json_i64(event, "source_ts_ms", &ms);
	ch_buf_adds(b, "{\"connection_id\":\"replay\",\"payload\":{");
	add_raw(b, "asset", raw(event, "token_id"));
	add_raw(b, "conditionId", raw(event, "market_id"));
	add_raw(b, "outcome", raw(event, "outcome"));
	ch_buf_adds(b, ",\"outcomeIndex\":999");
	add_raw(b, "price", raw(event, "price"));
	add_raw(b, "proxyWallet", raw(event, "trader"));
	add_raw(b, "side", raw(event, "side"));
	add_raw(b, "size", raw(event, "size"));
	add_raw(b, "slug", raw(event, "slug"));
	ch_json_add_member_i64(b, "timestamp", ms / 1000);
	add_raw(b, "title", raw(event, "title"));
	add_raw(b, "transactionHash", raw(event, "tx_hash"));
	ch_buf_printf(b,
		"},\"timestamp\":%lld,\"topic\":\"activity\",\"type\":"
		"\"trades\"}\n",
		(long long)ms);
}

/* A session document becomes lines of frames. */
static int
convert_session(struct source *s, struct ch_err *err)
{
	struct ch_arena arena = CH_ARENA_INIT;
	struct ch_buf lines = CH_BUF_INIT;
	const struct ch_json *root =
		ch_json_parse(&arena, ch_buf_view(&s->text), EVENT_NODES, err);
	const struct ch_json *events = ch_json_get(root, "events");

	if (root != NULL && events == NULL)
		ch_err_set(err, CH_EINVAL, "no events in the session");
	for (const struct ch_json *e = events != NULL ? events->child : NULL;
		e != NULL; e = e->next)
		add_event(&lines, e);
	ch_arena_free(&arena);
	ch_buf_free(&s->text);
	s->text = lines;
	return events != NULL ? 0 : CH_EINVAL;
}

static int
open_file(struct source *s, struct ch_err *err)
{
	int rc = read_file(s->opt.file, &s->text, err);
	struct ch_view v;

	if (rc != 0)
		return rc;
	v = ch_buf_view(&s->text);
	if (v.len == 0)
		return ch_err_set(err, CH_EINVAL, "%s is empty", s->opt.file);
	if (memmem(v.ptr, v.len, "\"topic\"", 7) == NULL)
		rc = convert_session(s, err);
	s->rest = ch_buf_view(&s->text);
	return rc;
}

int
source_open(struct source **out, const struct source_options *opt,
	struct ch_err *err)
{
	struct source *s = ch_xcalloc(1, sizeof(*s));
	int rc = 0;

	s->opt = *opt;
	s->gen = feed_gen_new(opt->seed, opt->markets, opt->wallets);
	if (opt->file != NULL)
		rc = open_file(s, err);
	if (rc != 0) {
		source_close(s);
		return rc;
	}
	*out = s;
	return 0;
}

void
source_close(struct source *s)
{
	if (s == NULL)
		return;
	feed_gen_free(s->gen);
	ch_buf_free(&s->text);
	free(s);
}

/* Digits behind each "timestamp": 13 of them are ms, 10 are seconds. */
static void
add_restamped(struct ch_view line, struct ch_time now, struct ch_buf *out)
{
	static const char member[] = "\"timestamp\":";
	const char *end = line.ptr + line.len;
	const char *from = line.ptr;
	const char *at;

	while ((at = memmem(from, (size_t)(end - from), member,
			sizeof(member) - 1)) != NULL) {
		const char *digits = at + sizeof(member) - 1;
		const char *rest = digits;

		while (rest < end && isdigit((unsigned char)*rest))
			rest++;
		ch_buf_add(out, from, (size_t)(digits - from));
		ch_buf_add_i64(out,
			now.us / (rest - digits > 10 ? 1000 : 1000000));
		from = rest;
	}
	ch_buf_add(out, from, (size_t)(end - from));
}

static bool
next_line(struct source *s, struct ch_time now, struct ch_buf *out)
{
	struct ch_view line;

	do {
		if (s->rest.len == 0 && s->opt.loop)
			s->rest = ch_buf_view(&s->text);
		if (!ch_view_split(&s->rest, '\n', &line))
			return false;
		line = ch_view_trim(line);
	} while (line.len == 0);
	if (s->opt.restamp)
		add_restamped(line, now, out);
	else
		ch_buf_addv(out, line);
	return true;
}

bool
source_next(struct source *s, struct ch_time now, struct ch_buf *out)
{
	ch_buf_clear(out);
	if (s->opt.file != NULL)
		return next_line(s, now, out);
	if (s->row_next == s->row_count) {
		s->row_count = feed_gen_transaction(s->gen, now, s->rows);
		s->row_next = 0;
	}
	feed_gen_frame(s->gen, &s->rows[s->row_next++], out);
	return true;
}
