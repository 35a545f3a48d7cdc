/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The serial model by itself over the property load: the load meets every
 * status, the books balance by sums that the model does not keep itself, and
 * a log of the model's own decisions replays to the same answers and rows.
 *
 * SEED= and COMMANDS= (default 20,000) choose the load; both are printed.
 */
#include <check.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "ledger_load.h"
#include "load_sets.h"
#include "model_text.h"
#include "serial_model.h"

#define PAGE 3 /* small, so that settlements have several */

/* A decision of the log: a command, an expiry or a page. */
struct decided {
	size_t item; /* its index; COUNT: a timer's */
	int64_t at;
	char *timer; /* NULL: a command's */
	char *result;
};

struct play {
	struct serial_model *model;
	struct decided *log;
	size_t log_count, log_cap, item;
	size_t compared; /* replay: how many of the log's results came again */
	int64_t at;
	json_t *statuses; /* name: how often */
	json_t *sums;	  /* "org|account|shard": of its postings */
	json_t *fills;	  /* events by type */
	char problem[512];
};

static struct ledger_load load;
static struct serial_command **commands;
static uint64_t seed;

static uint64_t
number_of(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text != NULL && *text != '\0' ? strtoull(text, NULL, 10)
					     : otherwise;
}

static void
make_load(void)
{
	size_t count = (size_t)number_of("COMMANDS", 20000);

	seed = number_of("SEED",
		(uint64_t)ch_clock_wall(&ch_clock_real).us % 1000000007);
	printf("SEED=%llu COMMANDS=%zu\n", (unsigned long long)seed, count);
	(void)fflush(stdout);
	ledger_load_make(&load, seed, count);
	commands = model_need(calloc(count, sizeof(struct serial_command *)));
	for (size_t i = 0; i < count; i++)
		commands[i] = serial_command_new(load.items[i].value,
			load.items[i].len, (size_t)64 * 1024);
}

static void
free_load(void)
{
	for (size_t i = 0; i < load.count; i++)
		serial_command_free(commands[i]);
	free(commands);
	ledger_load_free(&load);
}

/* ---- one pass, remembered ---- */

static void
add_to(json_t *object, const char *key, int64_t n)
{
	(void)json_object_set_new(object, key,
		json_integer(n +
			json_integer_value(json_object_get(object, key))));
}

static void
note(struct play *p, const char *result, bool timer)
{
	if (p->log_count == p->log_cap) {
		p->log_cap = p->log_cap > 0 ? p->log_cap * 2 : 1024;
		p->log = model_need(realloc(p->log,
			p->log_cap * sizeof(*p->log)));
	}
	p->log[p->log_count++] = (struct decided){timer ? load.count : p->item,
		p->at, timer ? strdup(result) : NULL, strdup(result)};
}

/* "org|account|shard|leg|amount|..." */
static void
sum_up(struct play *p, const char *posting)
{
	char *copy = strdup(posting);
	char *rest = copy;
	char *fields[8];
	char *key = NULL;

	for (size_t i = 0; i < 8; i++)
		fields[i] = strsep(&rest, "|");
	if (asprintf(&key, "%s|%s|%s", fields[0], fields[1], fields[2]) < 0)
		abort();
	add_to(p->sums, key, strtoll(fields[4], NULL, 10));
	free(key);
	free(copy);
}

static void
take(void *ctx, enum serial_line kind, const char *text)
{
	struct play *p = ctx;

	if (kind == SERIAL_RESULT || kind == SERIAL_TIMER) {
		char *status = strstr(text, "\"status\":\"");

		if (strstr(text, ",\"duplicate\":true}") == NULL) {
			status = strndup(status + 10,
				strcspn(status + 10, "\""));
			add_to(p->statuses, status, 1);
			free(status);
		}
		note(p, text, kind == SERIAL_TIMER);
	} else if (kind == SERIAL_REJECTED) {
		return;
	} else if (kind == SERIAL_POSTING || kind == SERIAL_TIMER_POSTING) {
		sum_up(p, text);
	} else if (kind == SERIAL_PROBLEM) {
		(void)snprintf(p->problem, sizeof(p->problem), "%s", text);
	} else {
		char *type = strndup(text, strcspn(text, " "));

		add_to(p->fills, type, 1);
		free(type);
	}
}

static void
pay_some(struct play *p, struct serial_now *now)
{
	const char *org;
	const char *market;

	if (p->item % 7 == 0 && serial_settling(p->model, 0, &org, &market))
		serial_pay_page(p->model, org, market, PAGE, now, take, p);
}

static void
play(struct play *p)
{
	struct serial_now now = {.decided_at = 0};

	p->model = serial_model_new(true);
	p->statuses = json_object();
	p->sums = json_object();
	p->fills = json_object();
	for (p->item = 0; p->item < load.count; p->item++) {
		const struct ledger_load_item *item = &load.items[p->item];

		load_sets_at(&load, item, &now);
		now.part = ledger_load_parts[item->stream];
		if (now.decided_at < item->clock)
			now.decided_at = item->clock;
		p->at = now.decided_at;
		serial_apply(p->model, commands[p->item], &now, take, p);
		pay_some(p, &now);
	}
}

static void
free_play(struct play *p)
{
	for (size_t i = 0; i < p->log_count; i++) {
		free(p->log[i].timer);
		free(p->log[i].result);
	}
	free(p->log);
	json_decref(p->statuses);
	json_decref(p->sums);
	json_decref(p->fills);
	serial_model_free(p->model);
}

/* ---- what must hold of the rows ---- */

struct sums {
	json_t *held, *reserved, *filled, *positions;
};

static int64_t
figure(const json_t *row, const char *name)
{
	return json_integer_value(json_object_get(row, name));
}

static const char *
text_of(const json_t *row, const char *name)
{
	const char *s = json_string_value(json_object_get(row, name));

	return s != NULL ? s : "";
}

/* "x/<org>": the organisations have no '/'. */
static void
key_in_org(char out[512], const json_t *row, const char *name)
{
	const char *text = text_of(row, "row");

	(void)snprintf(out, 512, "%.*s/%s",
		(int)(strchr(text + 2, '/') - text - 2), text + 2, name);
}

static void
sum_row(struct sums *s, const json_t *row)
{
	const char *name = text_of(row, "row");
	const char *state = text_of(row, "state");
	char key[512];

	if (name[0] == 'h' && strcmp(state, "held") == 0) {
		key_in_org(key, row, text_of(row, "account"));
		add_to(s->held, key, figure(row, "amount"));
	} else if (name[0] == 'r' && strcmp(state, "reserved") == 0) {
		key_in_org(key, row, text_of(row, "sku"));
		add_to(s->reserved, key, figure(row, "qty"));
	} else if (name[0] == 'f') {
		(void)snprintf(key, sizeof(key), "%.*s",
			(int)(strrchr(name, '/') - name - 2), name + 2);
		add_to(s->filled, key, figure(row, "qty"));
	} else if (name[0] == 'm' && strcmp(state, "settling") == 0) {
		key_in_org(key, row, text_of(row, "payer"));
		add_to(s->held, key,
			figure(row, "reserved") - figure(row, "paid") -
				figure(row, "unpaid"));
	} else if (name[0] == 'p') {
		const char *account = strchr(name + 2, '/') + 1;

		(void)snprintf(key, sizeof(key), "%.*s",
			(int)(strchr(account, '/') - name - 2), name + 2);
		add_to(s->held, key, figure(row, "lock"));
		(void)snprintf(key, sizeof(key), "%.*s/%.*s",
			(int)(account - name - 3), name + 2,
			(int)strcspn(strchr(account, '/') + 1, "/"),
			strchr(account, '/') + 1);
		add_to(s->positions, key, 1);
	}
}

static void
check_account(const struct sums *s, const json_t *sums, const json_t *row)
{
	char posted[512];
	char *name = strdup(text_of(row, "row") + 2);
	char *account = strchr(name, '/') + 1;
	char *shard = strchr(account, '/'); /* accounts' names have none */
	int64_t held =
		figure(json_object_get(s->held, name) != NULL ? s->held : NULL,
			name);

	if (shard != NULL)
		*shard = '\0';
	account[-1] = '\0';
	(void)snprintf(posted, sizeof(posted), "%s|%s|%s", name, account,
		shard != NULL ? shard + 1 : "0");
	ck_assert_msg(figure(sums, posted) == figure(row, "balance"),
		"SEED=%llu: postings of %s sum to %lld, the balance is %lld",
		(unsigned long long)seed, posted,
		(long long)figure(sums, posted),
		(long long)figure(row, "balance"));
	ck_assert_msg(held == figure(row, "held"),
		"SEED=%llu: %s/%s: parts of held sum to %lld, it is %lld",
		(unsigned long long)seed, name, account, (long long)held,
		(long long)figure(row, "held"));
	if (json_object_get(row, "floor") != NULL)
		ck_assert_int_ge(figure(row, "balance") - figure(row, "held"),
			figure(row, "floor"));
	if (json_object_get(row, "closed") != NULL && shard == NULL)
		ck_assert_int_eq(figure(row, "balance"), 0);
	free(name);
}

static void
check_market(const struct sums *s, const json_t *row)
{
	int64_t positions = figure(s->positions, text_of(row, "row") + 2);

	if (strcmp(text_of(row, "state"), "settled") != 0)
		return;
	ck_assert_int_eq(figure(row, "paid") + figure(row, "unpaid"),
		figure(row, "reserved"));
	ck_assert_int_eq(figure(row, "holders") + figure(row, "unpaid_holders"),
		positions);
}

static void
check_row(const struct sums *s, const struct play *p, const json_t *row)
{
	const char *name = text_of(row, "row");

	if (name[0] == 'a')
		check_account(s, p->sums, row);
	else if (name[0] == 's')
		ck_assert_int_eq(figure(row, "reserved"),
			figure(s->reserved, name + 2));
	else if (name[0] == 'o')
		ck_assert_int_eq(figure(row, "filled"),
			figure(s->filled, name + 2));
	else if (name[0] == 'm')
		check_market(s, row);
}

START_TEST(the_books_balance)
{
	struct play p = {.item = 0};
	struct sums s = {
		json_object(), json_object(), json_object(), json_object()};
	json_t *rows = json_array();
	const json_t *row;
	char *dump;
	char *rest;
	char *line;
	size_t i;

	play(&p);
	ck_assert_str_eq(p.problem, "");
	dump = serial_dump(p.model);
	rest = dump;
	while ((line = strsep(&rest, "\n")) != NULL && *line != '\0')
		(void)json_array_append_new(rows, json_loads(line, 0, NULL));
	json_array_foreach (rows, i, row)
		sum_row(&s, row);
	json_array_foreach (rows, i, row)
		check_row(&s, &p, row);
	printf("%zu rows\n", json_array_size(rows));
	free(dump);
	json_decref(rows);
	json_decref(s.held);
	json_decref(s.reserved);
	json_decref(s.filled);
	json_decref(s.positions);
	free_play(&p);
}
END_TEST

/* ---- what must be met ---- */

static json_t *
read_list(const char *path, const char *name)
{
	json_t *all = json_load_file(path, 0, NULL);
	json_t *list = json_incref(json_object_get(all, name));

	json_decref(all);
	ck_assert_ptr_nonnull(list);
	return list;
}

START_TEST(the_load_meets_every_status)
{
	struct play p = {.item = 0};
	json_t *list = read_list("schema/messages/statuses.json", "statuses");
	const json_t *status;
	size_t i;

	play(&p);
	json_array_foreach (list, i, status) {
		const char *name = text_of(status, "status");
		int64_t n = figure(p.statuses, name);

		printf("%s=%lld ", name, (long long)n);
		if (load.count >= 20000)
			ck_assert_msg(n > 0, "SEED=%llu: no answer is %s",
				(unsigned long long)seed, name);
	}
	json_dumpf(p.fills, stdout, 0);
	printf("\n");
	json_decref(list);
	free_play(&p);
}
END_TEST

/* ---- replay ---- */

static void
compare(void *ctx, enum serial_line kind, const char *text)
{
	struct play *p = ctx;

	if (kind == SERIAL_PROBLEM)
		(void)snprintf(p->problem, sizeof(p->problem), "%s", text);
	if (kind != SERIAL_RESULT && kind != SERIAL_TIMER)
		return;
	ck_assert_str_eq(text, p->log[p->compared].result);
	p->compared++;
}

static void
replay_timer(struct play *p, const struct decided *d,
	const struct serial_now *now)
{
	json_t *timer = json_loads(d->timer, 0, NULL);
	const char *type = text_of(timer, "type");
	const char *org = text_of(timer, "org");
	const json_t *row;

	if (strcmp(type, "market.pay") == 0) {
		row = json_array_get(json_object_get(timer, "markets"), 0);
		serial_pay_page(p->model, org, text_of(row, "market"), PAGE,
			now, compare, p);
	} else {
		bool hold = strcmp(type, "hold.expire") == 0;

		row = json_array_get(json_object_get(timer,
					     hold ? "holds" : "reservations"),
			0);
		serial_expire(p->model, org, type,
			text_of(row, hold ? "hold" : "reservation"), now,
			compare, p);
	}
	json_decref(timer);
}

/* Expiries are steps of their own; none may be missing when it is needed. */
START_TEST(a_log_replays_to_the_same_rows)
{
	struct play first = {.item = 0};
	struct play again = {.item = 0};
	struct serial_now now = {.decided_at = 0};
	char *rows;
	char *rows_again;

	play(&first);
	again.model = serial_model_new(false);
	again.log = first.log;
	for (size_t i = 0; i < first.log_count; i++) {
		const struct decided *d = &first.log[i];
		const struct ledger_load_item *item = &load.items[d->item];

		now.decided_at = d->at;
		if (d->timer == NULL) {
			load_sets_at(&load, item, &now);
			now.part = ledger_load_parts[item->stream];
			serial_apply(again.model, commands[d->item], &now,
				compare, &again);
		} else {
			replay_timer(&again, d, &now);
		}
		ck_assert_str_eq(again.problem, "");
	}
	ck_assert_uint_eq(again.compared, first.log_count);
	rows = serial_dump(first.model);
	rows_again = serial_dump(again.model);
	ck_assert_str_eq(rows, rows_again);
	free(rows);
	free(rows_again);
	serial_model_free(again.model);
	free_play(&first);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("model_load");
	TCase *t = tcase_create("load");

	tcase_set_timeout(t, 300);
	tcase_add_unchecked_fixture(t, make_load, free_load);
	tcase_add_test(t, the_load_meets_every_status);
	tcase_add_test(t, the_books_balance);
	tcase_add_test(t, a_log_replays_to_the_same_rows);
	suite_add_tcase(s, t);
	return s;
}

int
main(void)
{
	SRunner *runner = srunner_create(suite());
	int failed;

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
