/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dialect: a table of names and forms, and one reader for all of them.
 */
#include "dialect.h"

#include <assert.h>
#include <string.h>

/* Four times as long when all of it is unprintable: with a broken header for
 * each field that is still within DIALECT_REASON_MAX. */
#define MESSAGE_SHOWN 1000 /* bytes of the exception's message */
#define BROKEN_SHOWN 32	   /* of a broken header's value */
#define TOPIC_NAME_MAX 249 /* Kafka's */

enum field {
	FIELD_TOPIC,
	FIELD_PART,
	FIELD_OFFSET,
	FIELD_TIMESTAMP,
	FIELD_ATTEMPTS,
	FIELD_CLASS,
	FIELD_CAUSE, /* says more than the class: that is Spring's wrapper */
	FIELD_MESSAGE,
	FIELDS
};

enum form {
	FORM_TEXT,
	FORM_DECIMAL,
	FORM_INT32,  /* 4 bytes, big-endian */
	FORM_INT64,  /* 8 bytes */
	FORM_INTEGER /* 1 to 8 bytes, as Java's BigInteger writes them too */
};

struct known {
	const char *name;
	enum dialect dialect;
	enum field field;
	enum form form;
};

#define SPRING(prefix)                                                         \
	{prefix "original-topic", DIALECT_SPRING, FIELD_TOPIC, FORM_TEXT},     \
		{prefix "original-partition", DIALECT_SPRING, FIELD_PART,      \
			FORM_INT32},                                           \
		{prefix "original-offset", DIALECT_SPRING, FIELD_OFFSET,       \
			FORM_INT64},                                           \
		{prefix "original-timestamp", DIALECT_SPRING, FIELD_TIMESTAMP, \
			FORM_INT64},                                           \
		{prefix "exception-fqcn", DIALECT_SPRING, FIELD_CLASS,         \
			FORM_TEXT},                                            \
		{prefix "exception-cause-fqcn", DIALECT_SPRING, FIELD_CAUSE,   \
			FORM_TEXT},                                            \
		{prefix "exception-message", DIALECT_SPRING, FIELD_MESSAGE,    \
			FORM_TEXT},                                            \
		{prefix "key-exception-fqcn", DIALECT_SPRING, FIELD_CLASS,     \
			FORM_TEXT},                                            \
	{                                                                      \
		prefix "key-exception-message", DIALECT_SPRING, FIELD_MESSAGE, \
			FORM_TEXT                                              \
	}

static const struct known known[] = {
	{"__connect.errors.topic", DIALECT_CONNECT, FIELD_TOPIC, FORM_TEXT},
	{"__connect.errors.partition", DIALECT_CONNECT, FIELD_PART,
		FORM_DECIMAL},
	{"__connect.errors.offset", DIALECT_CONNECT, FIELD_OFFSET,
		FORM_DECIMAL},
	{"__connect.errors.exception.class.name", DIALECT_CONNECT, FIELD_CLASS,
		FORM_TEXT},
	{"__connect.errors.exception.message", DIALECT_CONNECT, FIELD_MESSAGE,
		FORM_TEXT},
	SPRING("kafka_dlt-"),
	SPRING("kafka_"),
	{"retry_topic-attempts", DIALECT_SPRING, FIELD_ATTEMPTS, FORM_INTEGER},
	{"__streams.errors.topic", DIALECT_STREAMS, FIELD_TOPIC, FORM_TEXT},
	{"__streams.errors.partition", DIALECT_STREAMS, FIELD_PART,
		FORM_DECIMAL},
	{"__streams.errors.offset", DIALECT_STREAMS, FIELD_OFFSET,
		FORM_DECIMAL},
	{"__streams.errors.exception", DIALECT_STREAMS, FIELD_CLASS, FORM_TEXT},
	{"__streams.errors.message", DIALECT_STREAMS, FIELD_MESSAGE, FORM_TEXT},
	{"__dlq.errors.topic", DIALECT_SHARE, FIELD_TOPIC, FORM_TEXT},
	{"__dlq.errors.partition", DIALECT_SHARE, FIELD_PART, FORM_DECIMAL},
	{"__dlq.errors.offset", DIALECT_SHARE, FIELD_OFFSET, FORM_DECIMAL},
	{"__dlq.errors.delivery.count", DIALECT_SHARE, FIELD_ATTEMPTS,
		FORM_DECIMAL},
	{"__dlq.errors.message", DIALECT_SHARE, FIELD_MESSAGE, FORM_TEXT},
	{"ch_error_class", DIALECT_OWN, FIELD_CLASS, FORM_TEXT},
	{"ch_attempts", DIALECT_OWN, FIELD_ATTEMPTS, FORM_DECIMAL},
};

static const char *const names[] = {
	[DIALECT_UNKNOWN] = "unknown",
	[DIALECT_CONNECT] = "connect",
	[DIALECT_SPRING] = "spring",
	[DIALECT_STREAMS] = "streams",
	[DIALECT_SHARE] = "share-group",
	[DIALECT_OWN] = "countinghouse",
};

const char *
dialect_name(enum dialect d)
{
	return names[d];
}

bool
dialect_adds(const char *name)
{
	static const char *const prefixes[] = {"__connect.errors.",
		"__streams.errors.", "__dlq.errors.", "kafka_dlt-",
		"kafka_original-", "kafka_exception-", "kafka_key-exception-",
		"retry_topic-"};
	size_t i;

	for (i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++)
		if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
			return true;
	return false;
}

/* ---- which headers there are ---- */

struct value {
	const struct known *of; /* NULL: not there */
	struct ch_view bytes;
};

struct found {
	struct value values[DIALECTS][FIELDS];
	enum dialect last; /* whose header stands last */
};

static const struct known *
known_by(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (strcmp(name, known[i].name) == 0)
			return &known[i];
	return NULL;
}

static void
find(const struct message_header *headers, size_t count, struct found *f)
{
	const struct known *k;
	size_t i;

	for (i = 0; i < count; i++) {
		k = known_by(headers[i].name);
		if (k == NULL || headers[i].value.ptr == NULL)
			continue;
		f->values[k->dialect][k->field] =
			(struct value){k, headers[i].value};
		f->last = k->dialect;
	}
}

/* Our own set stands beside Connect's. */
static const struct value *
value_of(const struct found *f, enum field field)
{
	const struct value *v = &f->values[f->last][field];

	if (v->of == NULL && f->last == DIALECT_OWN)
		v = &f->values[DIALECT_CONNECT][field];
	return v;
}

/* ---- what they say ---- */

static void
add_broken(struct ch_buf *reason, const struct value *v, const char *why)
{
	if (reason->len > 0)
		ch_buf_adds(reason, "; ");
	ch_buf_printf(reason, "header %s is broken: %s: ", v->of->name, why);
	ch_buf_addc(reason, '"');
	ch_buf_add_printable(reason, v->bytes, BROKEN_SHOWN);
	ch_buf_addc(reason, '"');
}

bool
dialect_is_topic(struct ch_view v)
{
	size_t i;

	if (v.len == 0 || v.len > TOPIC_NAME_MAX || ch_view_eq_str(v, ".") ||
		ch_view_eq_str(v, ".."))
		return false;
	for (i = 0; i < v.len; i++)
		if (!((v.ptr[i] >= 'a' && v.ptr[i] <= 'z') ||
			    (v.ptr[i] >= 'A' && v.ptr[i] <= 'Z') ||
			    (v.ptr[i] >= '0' && v.ptr[i] <= '9') ||
			    v.ptr[i] == '.' || v.ptr[i] == '_' ||
			    v.ptr[i] == '-'))
			return false;
	return true;
}

/* false: not of this form. */
static bool
number_of(const struct value *v, int64_t *out)
{
	uint64_t n = 0;
	size_t i;

	switch (v->of->form) {
	case FORM_DECIMAL:
		return ch_view_int(v->bytes, INT64_MIN, INT64_MAX, out) ==
			CH_OK;
	case FORM_INT32:
		if (v->bytes.len != 4)
			return false;
		*out = (int32_t)ch_be32(v->bytes.ptr);
		return true;
	case FORM_INT64:
		if (v->bytes.len != 8)
			return false;
		*out = (int64_t)ch_be64(v->bytes.ptr);
		return true;
	case FORM_INTEGER:
		if (v->bytes.len == 0 || v->bytes.len > 8)
			return false;
		for (i = 0; i < v->bytes.len; i++)
			n = n << 8 | (unsigned char)v->bytes.ptr[i];
		*out = (int64_t)n;
		return true;
	case FORM_TEXT:
		break;
	}
	return false;
}

/* least where it is missing, or broken. -1 is how Java says "none". */
static int64_t
read_number(const struct found *f, enum field field, int64_t least,
	int64_t most, struct ch_buf *reason)
{
	const struct value *v = value_of(f, field);
	int64_t n;

	if (v->of == NULL)
		return least;
	if (!number_of(v, &n)) {
		add_broken(reason, v, "no number of its form");
		return least;
	}
	if (n < least || n > most) {
		add_broken(reason, v, "out of range");
		return least;
	}
	return n;
}

static void
read_topic(const struct found *f, struct dialect_origin *out,
	struct ch_buf *reason)
{
	const struct value *v = value_of(f, FIELD_TOPIC);

	if (v->of == NULL)
		return;
	if (dialect_is_topic(v->bytes))
		out->topic = v->bytes;
	else
		add_broken(reason, v, "no name of a topic");
}

/* The part behind the last dot of a class name, of "class: message" too. */
static bool
simple_name(struct ch_view text, struct ch_view *out)
{
	size_t i, from = 0, len = text.len;

	for (i = 0; i < len; i++) {
		if (text.ptr[i] == ':')
			len = i;
		else if (text.ptr[i] == '.')
			from = i + 1;
	}
	for (i = from; i < len; i++)
		if (!((text.ptr[i] >= 'a' && text.ptr[i] <= 'z') ||
			    (text.ptr[i] >= 'A' && text.ptr[i] <= 'Z') ||
			    (text.ptr[i] >= '0' && text.ptr[i] <= '9') ||
			    text.ptr[i] == '_' || text.ptr[i] == '$' ||
			    text.ptr[i] == '-'))
			return false;
	*out = (struct ch_view){text.ptr + from, len - from};
	return out->len > 0 && out->len <= DIALECT_CLASS_MAX;
}

static void
read_class(const struct found *f, struct dialect_origin *out,
	struct ch_buf *reason)
{
	static const enum field best[] = {FIELD_CAUSE, FIELD_CLASS};
	const struct value *v;
	struct ch_view class;
	size_t i;

	for (i = 0; i < sizeof(best) / sizeof(*best); i++) {
		v = value_of(f, best[i]);
		if (v->of == NULL)
			continue;
		if (simple_name(v->bytes, &class)) {
			out->class = class;
			return;
		}
		add_broken(reason, v, "no name of a class");
	}
}

static void
read_message(const struct found *f, struct ch_buf *reason)
{
	const struct value *v = value_of(f, FIELD_MESSAGE);

	if (f->last == DIALECT_UNKNOWN)
		ch_buf_adds(reason, "no header of a known dead-letter dialect");
	else if (v->of != NULL)
		ch_buf_add_printable(reason, v->bytes, MESSAGE_SHOWN);
	else
		ch_buf_printf(reason, "%s gave no message",
			dialect_name(f->last));
}

/* Of an earlier replay, or of our own dead-letter topic. */
static void
read_replays(const struct message_header *headers, size_t count,
	struct dialect_origin *out)
{
	int64_t n;
	size_t i;

	for (i = 0; i < count; i++) {
		if (strcmp(headers[i].name, "ch_replay_count") == 0 &&
			ch_view_int(headers[i].value, 0, DIALECT_REPLAYS_MAX,
				&n) == CH_OK)
			out->replays = (int32_t)n;
		if (strcmp(headers[i].name, "ch_letter_id") == 0)
			out->has_letter = ch_uuid_parse_any(headers[i].value,
				&out->letter);
	}
}

void
dialect_read(const struct message_header *headers, size_t count,
	struct ch_arena *arena, struct dialect_origin *out)
{
	struct found f = {.last = DIALECT_UNKNOWN};
	struct ch_buf reason = CH_BUF_INIT;

	if (count > MESSAGE_HEADERS_MAX) {
		headers += count - MESSAGE_HEADERS_MAX;
		count = MESSAGE_HEADERS_MAX;
	}
	find(headers, count, &f);
	*out = (struct dialect_origin){
		.dialect = f.last, .class = ch_view_of(dialect_name(f.last))};
	read_message(&f, &reason);
	read_class(&f, out, &reason);
	read_topic(&f, out, &reason);
	out->part =
		(int32_t)read_number(&f, FIELD_PART, -1, INT32_MAX, &reason);
	out->offset = read_number(&f, FIELD_OFFSET, -1, INT64_MAX, &reason);
	out->timestamp_ms =
		read_number(&f, FIELD_TIMESTAMP, -1, INT64_MAX, &reason);
	out->attempts =
		(int32_t)read_number(&f, FIELD_ATTEMPTS, 1, INT32_MAX, &reason);
	read_replays(headers, count, out);
	assert(reason.len <= DIALECT_REASON_MAX);
	out->reason = ch_arena_view(arena, ch_buf_view(&reason));
	ch_buf_free(&reason);
}
