/* SPDX-License-Identifier: Apache-2.0 */
/* dialect: each framework's headers as it writes them, and hostile ones. */
#include "check_suite.h"

#include "corpus.h"
#include "dialect.h"
#include "dialect_input.h"

static struct ch_arena arena = CH_ARENA_INIT;

#define TEXT(name, text)                                                       \
	{                                                                      \
		(name), CH_VIEW(text)                                          \
	}
#define READ(headers) read_headers((headers), COUNT(headers))

static struct dialect_origin
read_headers(const struct message_header *headers, size_t n)
{
	struct dialect_origin o;
	const char *broken;

	dialect_read(headers, n, &arena, &o);
	broken = input_broken_rule(&o);
	ck_assert_msg(broken == NULL, "does not hold: %s", broken);
	return o;
}

static void
expect_origin(const struct dialect_origin *o, const char *topic, int32_t part,
	int64_t offset)
{
	ck_assert_msg(ch_view_eq_str(o->topic, topic), "topic %.*s",
		CH_VIEW_ARG(o->topic));
	ck_assert_int_eq(o->part, part);
	ck_assert_int_eq(o->offset, offset);
}

static void
expect_cause(const struct dialect_origin *o, const char *class,
	const char *reason)
{
	ck_assert_msg(ch_view_eq_str(o->class, class), "class %.*s",
		CH_VIEW_ARG(o->class));
	ck_assert_msg(ch_view_eq_str(o->reason, reason), "reason %.*s",
		CH_VIEW_ARG(o->reason));
}

/* DeadLetterQueueReporter.populateContextHeaders */
START_TEST(kafka_connect)
{
	const struct message_header h[] = {TEXT("tenant", "acme"),
		TEXT("__connect.errors.topic", "orders"),
		TEXT("__connect.errors.partition", "3"),
		TEXT("__connect.errors.offset", "9000000000"),
		TEXT("__connect.errors.connector.name", "sink"),
		TEXT("__connect.errors.task.id", "0"),
		TEXT("__connect.errors.stage", "VALUE_CONVERTER"),
		TEXT("__connect.errors.class.name",
			"org.apache.kafka.connect.json.JsonConverter"),
		TEXT("__connect.errors.exception.class.name",
			"org.apache.kafka.connect.errors.DataException"),
		TEXT("__connect.errors.exception.message",
			"Converting byte[] to Kafka Connect data failed"),
		TEXT("__connect.errors.exception.stacktrace", "at ...\n\tat")};
	struct dialect_origin o = READ(h);

	ck_assert_int_eq(o.dialect, DIALECT_CONNECT);
	expect_origin(&o, "orders", 3, 9000000000);
	expect_cause(&o, "DataException",
		"Converting byte[] to Kafka Connect data failed");
	ck_assert_int_eq(o.timestamp_ms, -1);
	ck_assert_int_eq(o.attempts, 1);
}
END_TEST

/* DeadLetterPublishingRecoverer: ByteBuffer.putInt, putLong */
START_TEST(spring_recoverer)
{
	const struct message_header h[] = {
		TEXT("kafka_dlt-exception-fqcn",
			"org.springframework.kafka.listener."
			"ListenerExecutionFailedException"),
		TEXT("kafka_dlt-exception-cause-fqcn",
			"com.acme.Orders$Unknown"),
		TEXT("kafka_dlt-exception-message", "Listener failed"),
		TEXT("kafka_dlt-exception-stacktrace", "..."),
		TEXT("kafka_dlt-original-topic", "orders"),
		TEXT("kafka_dlt-original-partition", "\0\0\0\x07"),
		TEXT("kafka_dlt-original-offset", "\0\0\0\0\x01\0\0\x02"),
		TEXT("kafka_dlt-original-timestamp",
			"\0\0\x01\x8b\xcf\xe5\x68\x00"),
		TEXT("kafka_dlt-original-timestamp-type", "CreateTime"),
		TEXT("kafka_dlt-original-consumer-group", "orders-app")};
	struct dialect_origin o = READ(h);

	ck_assert_int_eq(o.dialect, DIALECT_SPRING);
	expect_origin(&o, "orders", 7, 16777218);
	expect_cause(&o, "Orders$Unknown", "Listener failed");
	ck_assert_int_eq(o.timestamp_ms, 1700000000000);
}
END_TEST

/* @RetryableTopic: names without dlt-, attempts as an int */
START_TEST(spring_retry_topics)
{
	const struct message_header h[] = {
		TEXT("kafka_original-topic", "orders"),
		TEXT("kafka_original-partition", "\0\0\0\0"),
		TEXT("kafka_original-offset", "\0\0\0\0\0\0\0\x05"),
		TEXT("retry_topic-original-timestamp",
			"\x01\x8b\xcf\xe5\x68\x00"),
		TEXT("kafka_exception-fqcn", "java.lang.RuntimeException"),
		TEXT("kafka_exception-message", "no"),
		TEXT("retry_topic-attempts", "\0\0\0\x04")};
	struct dialect_origin o = READ(h);

	ck_assert_int_eq(o.dialect, DIALECT_SPRING);
	expect_origin(&o, "orders", 0, 5);
	expect_cause(&o, "RuntimeException", "no");
	ck_assert_int_eq(o.attempts, 4);
}
END_TEST

/* ExceptionHandlerUtils: the exception is its toString() */
START_TEST(kafka_streams)
{
	const struct message_header h[] = {
		TEXT("__streams.errors.exception",
			"org.apache.kafka.common.errors.SerializationException: "
			"Size of data received by LongDeserializer is not 8"),
		TEXT("__streams.errors.message",
			"Size of data received by LongDeserializer is not 8"),
		TEXT("__streams.errors.stacktrace", "..."),
		TEXT("__streams.errors.topic", "clicks"),
		TEXT("__streams.errors.partition", "1"),
		TEXT("__streams.errors.offset", "12")};
	struct message_header bare[] = {
		TEXT("__streams.errors.exception",
			"java.lang.NullPointerException"),
		{"__streams.errors.message", {NULL, 0}},
		TEXT("__streams.errors.topic", "clicks")};
	struct dialect_origin o = READ(h);

	ck_assert_int_eq(o.dialect, DIALECT_STREAMS);
	expect_origin(&o, "clicks", 1, 12);
	expect_cause(&o, "SerializationException",
		"Size of data received by LongDeserializer is not 8");
	o = READ(bare);
	expect_origin(&o, "clicks", -1, -1);
	expect_cause(&o, "NullPointerException", "streams gave no message");
}
END_TEST

/* ShareGroupDLQStateManager: no exception, deliveries counted */
START_TEST(share_group)
{
	const struct message_header h[] = {TEXT("__dlq.errors.topic", "jobs"),
		TEXT("__dlq.errors.partition", "0"),
		TEXT("__dlq.errors.offset", "41"),
		TEXT("__dlq.errors.group", "workers"),
		TEXT("__dlq.errors.delivery.count", "5"),
		TEXT("__dlq.errors.message", "Offset rejected by client.")};
	struct dialect_origin o = READ(h);

	ck_assert_int_eq(o.dialect, DIALECT_SHARE);
	expect_origin(&o, "jobs", 0, 41);
	expect_cause(&o, "share-group", "Offset rejected by client.");
	ck_assert_int_eq(o.attempts, 5);
}
END_TEST

/* message.c: our set behind Connect's */
START_TEST(our_own_dead_letter_topic)
{
	const struct message_header h[] = {
		TEXT("__connect.errors.topic", "commands"),
		TEXT("__connect.errors.partition", "2"),
		TEXT("__connect.errors.offset", "77"),
		TEXT("__connect.errors.exception.class.name", "unreadable"),
		TEXT("__connect.errors.exception.message", "not JSON"),
		TEXT("ch_error_class", "unreadable"), TEXT("ch_attempts", "1"),
		TEXT("ch_replay_count", "4"),
		TEXT("ch_letter_id", "0190a5d4-ac96-774b-bcce-b302099a8057")};
	struct dialect_origin o = READ(h);

	ck_assert_int_eq(o.dialect, DIALECT_OWN);
	expect_origin(&o, "commands", 2, 77);
	expect_cause(&o, "unreadable", "not JSON");
	ck_assert_int_eq(o.replays, 4);
	ck_assert(o.has_letter);
	ck_assert_uint_eq(o.letter.bytes[0], 0x01);
}
END_TEST

START_TEST(no_dialect)
{
	const struct message_header h[] = {TEXT("id", "x"),
		TEXT("ch_replay_count", "2"), TEXT("ch_letter_id", "no UUID")};
	struct dialect_origin o = READ(h);

	ck_assert_int_eq(o.dialect, DIALECT_UNKNOWN);
	ck_assert_ptr_null(o.topic.ptr);
	expect_cause(&o, "unknown", "no header of a known dead-letter dialect");
	ck_assert_int_eq(o.replays, 2);
	ck_assert(!o.has_letter);
	o = read_headers(NULL, 0);
	ck_assert_int_eq(o.dialect, DIALECT_UNKNOWN);
}
END_TEST

START_TEST(who_wrote_last_is_read)
{
	const struct message_header h[] = {
		TEXT("__connect.errors.topic", "first"),
		TEXT("__connect.errors.exception.message", "old"),
		TEXT("kafka_dlt-original-topic", "second"),
		TEXT("kafka_dlt-original-topic", "third"),
		TEXT("kafka_dlt-exception-message", "new")};
	struct dialect_origin o = READ(h);

	ck_assert_int_eq(o.dialect, DIALECT_SPRING);
	expect_origin(&o, "third", -1, -1);
	expect_cause(&o, "spring", "new");
}
END_TEST

START_TEST(broken_headers_are_named_and_count_as_missing)
{
	const struct message_header h[] = {
		TEXT("kafka_dlt-exception-fqcn", "a.b c"),
		TEXT("kafka_dlt-original-topic", "../etc"),
		TEXT("kafka_dlt-original-partition", "\0\0\x07"),
		TEXT("kafka_dlt-original-offset",
			"\xff\xff\xff\xff\xff\xff\xff\xfe"),
		TEXT("retry_topic-attempts", "123456789"),
		TEXT("kafka_dlt-exception-message", "m")};
	struct dialect_origin o = READ(h);

	ck_assert_ptr_null(o.topic.ptr);
	ck_assert_int_eq(o.part, -1);
	ck_assert_int_eq(o.offset, -1);
	ck_assert_int_eq(o.attempts, 1);
	expect_cause(&o, "spring",
		"m; header kafka_dlt-exception-fqcn is broken: no name of a "
		"class: \"a.b c\"; header kafka_dlt-original-topic is broken: "
		"no name of a topic: \"../etc\"; header "
		"kafka_dlt-original-partition is broken: no number of its "
		"form: \"\\x00\\x00\\x07\"; header kafka_dlt-original-offset "
		"is broken: out of range: "
		"\"\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xfe\"; header "
		"retry_topic-attempts is broken: no number of its form: "
		"\"123456789\"");
}
END_TEST

START_TEST(texts_are_bounded_and_printable)
{
	static char wide[100000];
	const struct message_header h[] = {
		{"__dlq.errors.message", {wide, sizeof(wide)}},
		{"__dlq.errors.topic", {wide, sizeof(wide)}},
		{"__dlq.errors.partition", {wide, sizeof(wide)}},
		{"__dlq.errors.offset", {wide, 0}},
		{"__dlq.errors.delivery.count", {wide, sizeof(wide)}}};
	struct dialect_origin o;

	memset(wide, 0x1b, sizeof(wide));
	o = READ(h);
	ck_assert_ptr_null(o.topic.ptr);
	ck_assert_ptr_null(memchr(o.reason.ptr, 0x1b, o.reason.len));
	ck_assert_ptr_nonnull(strstr(o.reason.ptr, "... (100000 bytes)"));
}
END_TEST

/* The last ones: a dead-letter framework appends. */
START_TEST(too_many_headers_are_passed_over)
{
	size_t n = MESSAGE_HEADERS_MAX + 2;
	struct message_header *h = calloc(n, sizeof(*h));
	struct dialect_origin o;

	for (size_t i = 0; i < n; i++)
		h[i] = (struct message_header)TEXT("__dlq.errors.topic", "t");
	h[1] = (struct message_header)TEXT("__dlq.errors.message", "early");
	h[n - 1] = (struct message_header)TEXT("__dlq.errors.topic", "last");
	o = read_headers(h, n);
	expect_origin(&o, "last", -1, -1);
	expect_cause(&o, "share-group", "share-group gave no message");
	free(h);
}
END_TEST

START_TEST(what_frameworks_add_is_told_from_what_producers_send)
{
	ck_assert(dialect_adds("__connect.errors.stage"));
	ck_assert(dialect_adds("__streams.errors.stacktrace"));
	ck_assert(dialect_adds("__dlq.errors.group"));
	ck_assert(dialect_adds("kafka_dlt-original-consumer-group"));
	ck_assert(dialect_adds("kafka_exception-stacktrace"));
	ck_assert(dialect_adds("retry_topic-backoff-timestamp"));
	ck_assert(!dialect_adds("kafka_correlationId"));
	ck_assert(!dialect_adds("__TypeId__"));
	ck_assert(!dialect_adds("id"));
	ck_assert(!dialect_adds(""));
}
END_TEST

START_TEST(the_corpus_of_the_fuzzer_holds)
{
	corpus_replay("dialect", 8, input_check);
}
END_TEST

SUITE_MAIN("dialect", kafka_connect, spring_recoverer, spring_retry_topics,
	kafka_streams, share_group, our_own_dead_letter_topic, no_dialect,
	who_wrote_last_is_read, broken_headers_are_named_and_count_as_missing,
	texts_are_bounded_and_printable, too_many_headers_are_passed_over,
	what_frameworks_add_is_told_from_what_producers_send,
	the_corpus_of_the_fuzzer_holds)
