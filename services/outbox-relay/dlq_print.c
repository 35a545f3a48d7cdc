/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dlq_print: letters as lines, pages and JSON.
 *
 * Text of records is printed with control characters as \xNN: a record must
 * not write to an operator's terminal. JSON is letter_json's.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/hex.h"
#include "base/json.h"
#include "base/mem.h"
#include "dlq_private.h"
#include "message.h"

#define HEX_ROW 16
#define PRETTY_NODES_MAX 65536

void
dlq_print_safe(struct ch_view v, size_t max)
{
	struct ch_buf b = CH_BUF_INIT;

	ch_buf_add_printable(&b, v, max);
	(void)fwrite(ch_buf_str(&b), 1, b.len, stdout);
	ch_buf_free(&b);
}

void
dlq_print_age(int64_t us)
{
	int64_t s = us > 0 ? us / 1000000 : 0;

	if (s < 120)
		printf("%4" PRId64 "s", s);
	else if (s < 7200)
		printf("%4" PRId64 "m", s / 60);
	else if (s < 172800)
		printf("%4" PRId64 "h", s / 3600);
	else
		printf("%4" PRId64 "d", s / 86400);
}

void
dlq_print_line(const struct dlq *d, const struct letters_row *r)
{
	char id[CH_UUID_TEXT_MAX];

	ch_uuid_format(&r->id, id);
	printf("%s  %-9s  %-8s ", id, letter_state_name(r->state),
		letters_kind(r));
	dlq_print_age(d->now.us - r->at.us);
	printf("  ");
	dlq_print_safe(r->class, 40);
	printf("  ");
	dlq_print_safe(r->topic.len > 0 ? r->topic : CH_VIEW("(no origin)"),
		249);
	if (r->part >= 0)
		printf("[%" PRId32 "]", r->part);
	printf("  ");
	if (r->key.ptr != NULL)
		dlq_print_safe(r->key, 60);
	else
		printf("(no key)");
	printf("  ");
	dlq_print_safe(r->reason, 120);
	printf("%s\n",
		r->blocks_key && r->state == LETTER_PENDING
			? "  [blocks its key]"
			: "");
}

void
dlq_print_object(struct ch_buf *b)
{
	ch_buf_addc(b, '}');
	printf("%s\n", ch_buf_str(b));
	ch_buf_free(b);
}

/* 00000010  7b 22 69 64 22 3a 22 30  ...  {"id":"0... */
static void
print_hex(struct ch_view v)
{
	size_t row, i;

	printf("value (hex, %zu bytes)\n", v.len);
	for (row = 0; row < v.len; row += HEX_ROW) {
		printf("  %08zx ", row);
		for (i = row; i < row + HEX_ROW; i++)
			if (i < v.len)
				printf(" %02x", (unsigned char)v.ptr[i]);
			else
				printf("   ");
		printf("  ");
		for (i = row; i < row + HEX_ROW && i < v.len; i++)
			(void)putchar(v.ptr[i] >= 0x20 && v.ptr[i] < 0x7f
					? v.ptr[i]
					: '.');
		printf("\n");
	}
}

static void
print_indent(unsigned depth)
{
	printf("\n%*s", (int)(2 + 2 * depth), "");
}

/* The reader allows CH_JSON_DEPTH_MAX levels. */
static void
print_node(const struct ch_json *n, unsigned depth)
{
	const struct ch_json *c;
	bool object = n->type == CH_JSON_OBJECT;
	struct ch_buf name = CH_BUF_INIT;

	if ((!object && n->type != CH_JSON_ARRAY) || n->child == NULL) {
		dlq_print_safe(n->text, n->text.len);
		return;
	}
	(void)putchar(object ? '{' : '[');
	for (c = n->child; c != NULL; c = c->next) {
		print_indent(depth + 1);
		if (object) {
			ch_buf_clear(&name);
			ch_json_add_string(&name, c->name);
			dlq_print_safe(ch_buf_view(&name), name.len);
			printf(": ");
		}
		print_node(c, depth + 1);
		if (c->next != NULL)
			(void)putchar(',');
	}
	print_indent(depth);
	(void)putchar(object ? '}' : ']');
	ch_buf_free(&name);
}

/* false when it is no JSON. */
static bool
print_pretty(struct ch_view v)
{
	struct ch_arena arena = CH_ARENA_INIT;
	const struct ch_json *doc = v.ptr != NULL
		? ch_json_parse(&arena, v, PRETTY_NODES_MAX, NULL)
		: NULL;

	if (doc != NULL) {
		printf("value\n  ");
		print_node(doc, 0);
		printf("\n");
	}
	ch_arena_free(&arena);
	return doc != NULL;
}

static void
print_value(struct ch_view v, enum dlq_form form)
{
	struct ch_view head = {
		v.ptr, v.len < VALUE_SHOWN ? v.len : VALUE_SHOWN};
	struct ch_buf hex = CH_BUF_INIT;

	if (form == DLQ_PRETTY && print_pretty(v))
		return;
	if (v.ptr == NULL) {
		printf("value       (null)\n");
	} else if (form == DLQ_HEX) {
		print_hex(v);
	} else if (ch_view_is_utf8(v)) {
		printf("value       ");
		dlq_print_safe(v, VALUE_SHOWN);
		printf("\n");
	} else {
		ch_buf_add_hex(&hex, head.ptr, head.len);
		printf("value (hex) %s%s\n", ch_buf_str(&hex),
			head.len < v.len ? "..." : "");
		ch_buf_free(&hex);
	}
}

static void
print_pair(const char *name, struct ch_view v)
{
	printf("%-11s ", name);
	if (v.ptr != NULL)
		dlq_print_safe(v, VALUE_SHOWN);
	else
		printf("(none)");
	printf("\n");
}

static void
print_headers(const struct letters_row *r)
{
	struct ch_arena arena = CH_ARENA_INIT;
	struct message m;
	size_t i;

	if (message_headers_of(r->names, r->values, 0, false, &arena, &m,
		    NULL) != CH_OK) {
		printf("headers     (unreadable)\n");
	} else {
		for (i = 0; i < m.header_count; i++) {
			printf("header      ");
			dlq_print_safe(ch_view_of(m.headers[i].name), 256);
			printf(" = ");
			dlq_print_safe(m.headers[i].value.ptr != NULL
					? m.headers[i].value
					: CH_VIEW("(null)"),
				512);
			printf("\n");
		}
	}
	ch_arena_free(&arena);
}

void
dlq_print_letter(const struct letters_row *r, enum dlq_form form)
{
	char text[CH_TIME_TEXT_MAX], id[CH_UUID_TEXT_MAX];

	ch_uuid_format(&r->id, id);
	ch_time_format(r->at, text);
	printf("letter      %s\nkind        %s\nstate       %s", id,
		letters_kind(r), letter_state_name(r->state));
	if (r->actor.len > 0) {
		printf(" by ");
		dlq_print_safe(r->actor, 128);
		printf(": ");
		dlq_print_safe(r->state_reason, 256);
	}
	printf("\nat          %s\n", text);
	print_pair("topic", r->topic);
	printf("partition   %" PRId32 "%s\n", r->part,
		r->part < 0 ? " (by the key)" : "");
	if (r->src_offset >= 0)
		printf("offset      %" PRId64 "\n", r->src_offset);
	print_pair("row", r->row_id);
	print_pair("key", r->key);
	print_pair("class", r->class);
	print_pair("reason", r->reason);
	print_pair("fingerprint", r->fingerprint);
	if (r->is_edit) {
		ch_uuid_format(&r->original, id);
		print_pair("edited from", ch_view_of(id));
	}
	printf("attempts    %" PRId32 "\nreplays     %" PRId32 "\n",
		r->attempts, r->replays);
	print_headers(r);
	print_value(r->value, form);
	printf("\n");
}

int
dlq_say_failed(const struct ch_err *err)
{
	(void)fprintf(stderr, "dlq: %s\n", err->text);
	return DLQ_FAILED;
}

void
dlq_hint_kafka(int rc)
{
	if (rc == CH_ETIMEOUT)
		(void)fprintf(stderr,
			"dlq: do the brokers of --bootstrap answer? "
			"--log_level=info before dlq shows what was tried\n");
}

int
dlq_say_refused(const struct letters_row *r, const struct ch_err *err)
{
	char id[CH_UUID_TEXT_MAX];

	ch_uuid_format(&r->id, id);
	(void)fprintf(stderr, "%s: refused: %s\n", id, err->text);
	return DLQ_REFUSED;
}

/* ---- how far it is ---- */

static void
say_progress(const struct ch_buf *b)
{
	(void)fprintf(stderr, "dlq: %s\n", ch_buf_str(b));
}

void
dlq_progress_begin(struct dlq_progress *p, const struct dlq *d, int64_t done,
	int64_t total)
{
	p->clock = d->rt->clock;
	forecast_init(&p->forecast, done, total, ch_clock_mono(p->clock));
}

void
dlq_progress_look(struct dlq_progress *p)
{
	struct ch_buf b = CH_BUF_INIT;

	if (forecast_due(&p->forecast, ch_clock_mono(p->clock), &b)) {
		(void)fflush(stdout); /* in its place between the letters */
		say_progress(&b);
	}
	ch_buf_free(&b);
}

void
dlq_progress_step(struct dlq_progress *p)
{
	p->forecast.done++;
	dlq_progress_look(p);
}

void
dlq_progress_end(const struct dlq_progress *p)
{
	struct ch_buf b = CH_BUF_INIT;

	if (!p->forecast.was_told)
		return;
	forecast_end(&p->forecast, ch_clock_mono(p->clock), &b);
	(void)fflush(stdout);
	say_progress(&b);
	ch_buf_free(&b);
}

void
dlq_report_unlooked(const struct dlq *d)
{
	const char *why = destination_untold(&d->look);

	if (why != NULL)
		(void)fprintf(stderr,
			"dlq: the names of the topics are legal; whether they "
			"exist was not checked: %s\n",
			why);
}
