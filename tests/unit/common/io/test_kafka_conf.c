/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Properties as operators give them, the table of error classes, and the
 * reading of librdkafka's statistics. No broker.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "io/kafka_conf.h"
#include "io/kafka_consumer.h"
#include "io/kafka_error.h"
#include "io/kafka_producer.h"
#include "io/kafka_stats.h"

static struct ch_kafka_conf *conf;
static struct ch_err err;

static void
setup(void)
{
	conf = ch_kafka_conf_new();
	err = (struct ch_err)CH_ERR_INIT;
}

static void
teardown(void)
{
	ch_kafka_conf_free(conf);
}

static void
write_file(char *path, const char *text)
{
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	(void)close(fd);
}

START_TEST(the_library_is_new_enough)
{
	ck_assert_msg(ch_kafka_version_check(&err) == 0, "%s", err.text);
}
END_TEST

START_TEST(pairs_are_checked_at_once)
{
	ck_assert_int_eq(ch_kafka_conf_add(conf,
				 CH_VIEW("bootstrap.servers=127.0.0.1:1"),
				 &err),
		0);
	ck_assert_str_eq(ch_kafka_conf_get(conf, "bootstrap.servers"),
		"127.0.0.1:1");
	ck_assert_int_eq(ch_kafka_conf_add(conf,
				 CH_VIEW(" fetch.min.bytes = 10 "), &err),
		0);
	ck_assert_str_eq(ch_kafka_conf_get(conf, "fetch.min.bytes"), "10");

	ck_assert_int_eq(ch_kafka_conf_add(conf, CH_VIEW("no.such.property=1"),
				 &err),
		CH_ECONFIG);
	ck_assert_ptr_nonnull(strstr(err.text, "no.such.property"));
	ck_assert_int_eq(ch_kafka_conf_add(conf,
				 CH_VIEW("fetch.min.bytes=many"), &err),
		CH_ECONFIG);
	ck_assert_str_eq(ch_kafka_conf_get(conf, "fetch.min.bytes"), "10");
	ck_assert_int_eq(ch_kafka_conf_add(conf, CH_VIEW("nothing"), &err),
		CH_ECONFIG);
	ck_assert_int_eq(ch_kafka_conf_add(conf, CH_VIEW("=x"), &err),
		CH_ECONFIG);
	ck_assert_int_eq(ch_kafka_conf_add(conf, CH_VIEW(""), &err),
		CH_ECONFIG);
}
END_TEST

START_TEST(tls_and_code_loading_stay_ours)
{
	static const char *const bad[] = {
		"enable.ssl.certificate.verification=false",
		"ssl.endpoint.identification.algorithm=none",
		"plugin.library.paths=/tmp/x.so", "log.queue=true"};
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(ch_kafka_conf_add(conf, ch_view_of(bad[i]),
				      &err) == CH_ECONFIG,
			"%s", bad[i]);
	ck_assert_int_eq(
		ch_kafka_conf_add(conf,
			CH_VIEW("enable.ssl.certificate.verification=true"),
			&err),
		0);
}
END_TEST

static void
note_secret(void *ctx, const char *name, const char *value)
{
	ck_assert_ptr_null(strstr(value, "hunter2"));
	if (strcmp(name, "sasl.password") == 0) {
		ck_assert_str_eq(value, "***");
		*(bool *)ctx = true;
	}
}

START_TEST(secrets_come_from_files_and_are_not_shown)
{
	char path[] = "/tmp/test_kafka_conf.XXXXXX";
	struct ch_buf pair = CH_BUF_INIT;
	bool seen = false;

	ck_assert_int_eq(ch_kafka_conf_add(conf,
				 CH_VIEW("sasl.password=hunter2"), &err),
		CH_ECONFIG);
	ck_assert_ptr_null(strstr(err.text, "hunter2"));
	ck_assert_int_eq(ch_kafka_conf_add(conf,
				 CH_VIEW("ssl.key.password=hunter2"), &err),
		CH_ECONFIG);

	write_file(path, "hunter2\n");
	ch_buf_printf(&pair, "sasl.password.file=%s", path);
	ck_assert_msg(ch_kafka_conf_add(conf, ch_buf_view(&pair), &err) == 0,
		"%s", err.text);
	ck_assert_str_eq(ch_kafka_conf_get(conf, "sasl.password"), "hunter2");
	ch_kafka_conf_each(conf, note_secret, &seen);
	ck_assert(seen);

	(void)unlink(path);
	ck_assert_int_eq(ch_kafka_conf_add(conf, ch_buf_view(&pair), &err),
		CH_ECONFIG);
	ck_assert_int_eq(err.code, CH_ECONFIG);
	ck_assert_ptr_nonnull(strstr(err.text, path));
	ch_buf_free(&pair);
}
END_TEST

START_TEST(a_file_of_properties)
{
	char path[] = "/tmp/test_kafka_conf.XXXXXX";
	char bad[] = "/tmp/test_kafka_conf.XXXXXX";

	write_file(path,
		"# comment\n\nfetch.min.bytes=7\r\n"
		"sasl.password=hunter2\n  socket.timeout.ms = 5000");
	ck_assert_msg(ch_kafka_conf_file(conf, path, &err) == 0, "%s",
		err.text);
	ck_assert_str_eq(ch_kafka_conf_get(conf, "fetch.min.bytes"), "7");
	ck_assert_str_eq(ch_kafka_conf_get(conf, "sasl.password"), "hunter2");
	ck_assert_str_eq(ch_kafka_conf_get(conf, "socket.timeout.ms"), "5000");
	(void)unlink(path);

	write_file(bad, "fetch.min.bytes=7\nacks=sometimes\n");
	ck_assert_int_eq(ch_kafka_conf_file(conf, bad, &err), CH_ECONFIG);
	ck_assert_ptr_nonnull(strstr(err.text, ":2"));
	ck_assert_ptr_nonnull(strstr(err.text, "acks"));
	(void)unlink(bad);
	ck_assert_int_eq(ch_kafka_conf_file(conf, "/nowhere/x", &err),
		CH_ECONFIG);
}
END_TEST

START_TEST(owners_refuse_what_they_decide)
{
	struct ch_kafka_consumer_params c = {.conf = conf, .group_id = "g"};
	struct ch_kafka_producer_params p = {.conf = conf};

	ck_assert_int_eq(
		ch_kafka_conf_set(conf, "enable.auto.commit", "true", &err), 0);
	ck_assert_ptr_null(ch_kafka_consumer_open(&c, &err));
	ck_assert_int_eq(err.code, CH_ECONFIG);
	ck_assert_ptr_nonnull(strstr(err.text, "enable.auto.commit"));

	/* The other name of acks. */
	ck_assert_int_eq(
		ch_kafka_conf_set(conf, "request.required.acks", "1", &err), 0);
	ck_assert_ptr_null(ch_kafka_producer_open(&p, &err));
	ck_assert_int_eq(err.code, CH_ECONFIG);
	ck_assert_ptr_nonnull(strstr(err.text, "request.required.acks"));
}
END_TEST

/* What librdkafka only sees once a client is made: with SASL too, of which the
 * trial must not fetch a token. */
START_TEST(a_trial_client_finds_what_does_not_fit)
{
	ck_assert_msg(ch_kafka_conf_check(conf, &err) == 0, "%s", err.text);
	ck_assert_int_eq(ch_kafka_conf_set(conf, "bootstrap.servers",
				 "127.0.0.1:1", &err),
		0);
	ck_assert_int_eq(ch_kafka_conf_set(conf, "security.protocol",
				 "sasl_ssl", &err),
		0);
	ck_assert_int_eq(
		ch_kafka_conf_set(conf, "sasl.mechanism", "GSSAPI", &err), 0);
	ck_assert_msg(ch_kafka_conf_check(conf, &err) == 0, "%s", err.text);
	ck_assert_int_eq(ch_kafka_conf_set(conf, "ssl.ca.location",
				 "/nonexistent", &err),
		0);
	ck_assert_int_eq(ch_kafka_conf_check(conf, &err), CH_ECONFIG);
	ck_assert_int_eq(err.code, CH_ECONFIG);
	ck_assert_ptr_nonnull(strstr(err.text, "ssl.ca.location"));
	/* It was a copy that was tried. */
	ck_assert_str_eq(ch_kafka_conf_get(conf, "security.protocol"),
		"sasl_ssl");
	ck_assert_str_eq(ch_kafka_conf_get(conf, "bootstrap.servers"),
		"127.0.0.1:1");
}
END_TEST

static void
assert_built(const char *name, const char *want)
{
	rd_kafka_conf_t *rk = ch_kafka_conf_build(conf);
	char value[64];
	size_t n = sizeof(value);

	ck_assert_int_eq(rd_kafka_conf_get(rk, name, value, &n),
		RD_KAFKA_CONF_OK);
	ck_assert_str_eq(value, want);
	rd_kafka_conf_destroy(rk);
}

START_TEST(our_defaults_give_way_to_the_operators)
{
	assert_built("socket.nagle.disable", "true");
	assert_built("socket.keepalive.enable", "true");
	ck_assert_int_eq(ch_kafka_conf_add(conf,
				 CH_VIEW("socket.nagle.disable=false"), &err),
		0);
	assert_built("socket.nagle.disable", "false");
	assert_built("socket.keepalive.enable", "true");
}
END_TEST

START_TEST(every_reserved_property_exists)
{
	const char *const *all[] = {
		ch_kafka_consumer_reserved, ch_kafka_producer_reserved};
	rd_kafka_conf_t *rk = rd_kafka_conf_new();
	char value[512], why[256];
	const char *const *name;
	size_t i, n;

	/* A misspelt name would reserve nothing. */
	for (i = 0; i < 2; i++)
		for (name = all[i]; *name != NULL; name++) {
			n = sizeof(value);
			if (rd_kafka_conf_get(rk, *name, value, &n) ==
				RD_KAFKA_CONF_OK)
				continue;
			ck_assert_msg(rd_kafka_conf_set(rk, *name, "", why,
					      sizeof(why)) !=
					RD_KAFKA_CONF_UNKNOWN,
				"%s is no property of librdkafka", *name);
		}
	rd_kafka_conf_destroy(rk);
}
END_TEST

static const struct {
	rd_kafka_resp_err_t code;
	enum ch_kafka_class want;
} classes[] = {
	{RD_KAFKA_RESP_ERR_NO_ERROR, CH_KAFKA_OK},
	{RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, CH_KAFKA_PERMANENT},
	{RD_KAFKA_RESP_ERR_INVALID_RECORD, CH_KAFKA_PERMANENT},
	{RD_KAFKA_RESP_ERR__INVALID_DIFFERENT_RECORD, CH_KAFKA_TRANSIENT},
	{RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, CH_KAFKA_TOPIC},
	{RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, CH_KAFKA_TOPIC},
	{RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, CH_KAFKA_TOPIC},
	{RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET, CH_KAFKA_TOPIC},
	{RD_KAFKA_RESP_ERR__TRANSPORT, CH_KAFKA_OUTAGE},
	{RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, CH_KAFKA_OUTAGE},
	{RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, CH_KAFKA_OUTAGE},
	{RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, CH_KAFKA_OUTAGE},
	{RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED, CH_KAFKA_OUTAGE},
	{RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, CH_KAFKA_TRANSIENT},
	{RD_KAFKA_RESP_ERR__FATAL, CH_KAFKA_FATAL},
	{RD_KAFKA_RESP_ERR__GAPLESS_GUARANTEE, CH_KAFKA_FATAL},
	{RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID, CH_KAFKA_FATAL},
	{(rd_kafka_resp_err_t)30000, CH_KAFKA_TRANSIENT}, /* none known */
};

START_TEST(codes_have_their_class)
{
	ck_assert_msg(ch_kafka_error_class(classes[_i].code) ==
			classes[_i].want,
		"%s is %s", rd_kafka_err2name(classes[_i].code),
		ch_kafka_class_name(ch_kafka_error_class(classes[_i].code)));
}
END_TEST

START_TEST(only_the_record_itself_is_permanent)
{
	static const rd_kafka_resp_err_t records[] = {
		RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE,
		RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE,
		RD_KAFKA_RESP_ERR_INVALID_RECORD,
		RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP,
		RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE,
		RD_KAFKA_RESP_ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT,
		RD_KAFKA_RESP_ERR__BAD_MSG, RD_KAFKA_RESP_ERR__BAD_COMPRESSION};
	size_t permanent = 0, i;
	int code;

	for (code = -300; code < 300; code++)
		permanent += ch_kafka_error_class((rd_kafka_resp_err_t)code) ==
			CH_KAFKA_PERMANENT;
	for (i = 0; i < sizeof(records) / sizeof(records[0]); i++)
		ck_assert_int_eq(ch_kafka_error_class(records[i]),
			CH_KAFKA_PERMANENT);
	ck_assert_uint_eq(permanent, i);
}
END_TEST

START_TEST(statistics_are_read)
{
	static const char json[] =
		"{\"time\":1795254062,\"msg_cnt\":3,\"msg_size\":70,"
		"\"txmsgs\":10,\"txmsg_bytes\":100,\"rxmsgs\":5,"
		"\"rxmsg_bytes\":50,\"brokers\":{"
		"\"a:1/1\":{\"nodeid\":1,\"state\":\"UP\",\"txerrs\":2,"
		"\"rtt\":{\"avg\":1000,\"p99\":4000}},"
		"\"b:1/2\":{\"nodeid\":2,\"state\":\"DOWN\",\"txerrs\":1,"
		"\"rtt\":{\"avg\":9,\"p99\":90000}},"
		"\"c:1/3\":{\"nodeid\":3,\"state\":\"UP\",\"txerrs\":0,"
		"\"rtt\":{\"avg\":3000,\"p99\":5000}},"
		"\"boot\":{\"nodeid\":-1,\"state\":\"UP\"}},"
		"\"topics\":{\"t\":{\"partitions\":{"
		"\"0\":{\"partition\":0,\"fetch_state\":\"active\","
		"\"fetchq_cnt\":4,\"fetchq_size\":40,\"consumer_lag\":7},"
		"\"1\":{\"partition\":1,\"fetch_state\":\"active\","
		"\"fetchq_cnt\":0,\"fetchq_size\":0,\"consumer_lag\":-1},"
		"\"2\":{\"partition\":2,\"fetch_state\":\"none\","
		"\"fetchq_cnt\":0,\"fetchq_size\":0,\"consumer_lag\":99},"
		"\"-1\":{\"partition\":-1,\"fetchq_cnt\":1000}}}},"
		"\"cgrp\":{\"rebalance_cnt\":6,\"assignment_size\":2}}";
	struct ch_kafka_stats s = {.rx_msgs = 77};

	ck_assert_int_eq(ch_kafka_stats_parse(CH_VIEW("{"), &s, &err),
		CH_EINVAL);
	ck_assert_int_eq(s.rx_msgs, 77);
	ck_assert_msg(ch_kafka_stats_parse(CH_VIEW(json), &s, &err) == 0, "%s",
		err.text);
	ck_assert_int_eq(s.at_us, INT64_C(1795254062000000));
	ck_assert_int_eq(s.brokers, 3);
	ck_assert_int_eq(s.brokers_up, 2);
	ck_assert_int_eq(s.rtt_avg_us, 2000);
	ck_assert_int_eq(s.rtt_p99_us, 5000);
	ck_assert_int_eq(s.tx_errors, 3);
	ck_assert_int_eq(s.msgs_queued, 3);
	ck_assert_int_eq(s.bytes_queued, 70);
	ck_assert_int_eq(s.tx_msgs, 10);
	ck_assert_int_eq(s.tx_bytes, 100);
	ck_assert_int_eq(s.rx_msgs, 5);
	ck_assert_int_eq(s.rx_bytes, 50);
	ck_assert_int_eq(s.fetchq_msgs, 4);
	ck_assert_int_eq(s.fetchq_bytes, 40);
	ck_assert_int_eq(s.lag_total, 7);
	ck_assert_int_eq(s.lag_max, 7);
	ck_assert_int_eq(s.rebalances, 6);
	ck_assert_int_eq(s.assignment_size, 2);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("kafka_conf");
	TCase *t = tcase_create("kafka_conf");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, the_library_is_new_enough);
	tcase_add_test(t, pairs_are_checked_at_once);
	tcase_add_test(t, tls_and_code_loading_stay_ours);
	tcase_add_test(t, secrets_come_from_files_and_are_not_shown);
	tcase_add_test(t, a_file_of_properties);
	tcase_add_test(t, owners_refuse_what_they_decide);
	tcase_add_test(t, a_trial_client_finds_what_does_not_fit);
	tcase_add_test(t, our_defaults_give_way_to_the_operators);
	tcase_add_test(t, every_reserved_property_exists);
	tcase_add_loop_test(t, codes_have_their_class, 0,
		(int)(sizeof(classes) / sizeof(classes[0])));
	tcase_add_test(t, only_the_record_itself_is_permanent);
	tcase_add_test(t, statistics_are_read);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
