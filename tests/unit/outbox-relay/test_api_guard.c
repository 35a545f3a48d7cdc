/* SPDX-License-Identifier: Apache-2.0 */
/* Who may ask the API, and from where. */
#include "check_suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api_guard.h"

static const char *const no_hosts[] = {NULL};
static const char *const proxy_hosts[] = {"dlq.example.com", NULL};
static struct api_tokens *tokens; /* of guard() */

/* Reads the text as a file of this mode. */
static int
read_tokens(struct api_tokens **out, const char *text, mode_t mode,
	struct ch_err *err)
{
	char path[] = "/tmp/ch-tokens-XXXXXX";
	int fd = mkstemp(path), rc;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq((int)write(fd, text, strlen(text)), (int)strlen(text));
	ck_assert_int_eq(fchmod(fd, mode), 0);
	ck_assert_int_eq(close(fd), 0);
	rc = api_tokens_read(out, path, err);
	ck_assert_int_eq(unlink(path), 0);
	return rc;
}

static struct api_guard
guard(void)
{
	api_tokens_free(tokens);
	ck_assert_int_eq(read_tokens(&tokens,
				 "ann:0123456789abcdefghij\n# a comment\n\n"
				 "bob@team:abcdefghij0123456789 \n"
				 "wall:a:b:0123456789abcdef:read\n",
				 0600, NULL),
		CH_OK);
	return (struct api_guard){.listen = "127.0.0.1:9604",
		.hosts = no_hosts,
		.tokens = tokens};
}

static int
visit(const struct api_guard *g, const char *host, const char *origin,
	const char *authorization, bool changes, const struct api_bearer **who)
{
	struct api_visitor v = {.host = ch_view_of(host),
		.origin = ch_view_of(origin),
		.authorization = ch_view_of(authorization),
		.changes = changes};
	struct ch_err err = CH_ERR_INIT;
	int status = api_guard_check(g, &v, who, &err);

	ck_assert((status == 0) == (err.text[0] == '\0'));
	return status;
}

START_TEST(only_its_own_hosts_are_answered)
{
	struct api_guard g = guard();
	const struct api_bearer *who;
	size_t i;
	const struct {
		const char *host;
		int status;
	} cases[] = {{"localhost:9604", 0}, {"LocalHost", 0},
		{"127.0.0.1:1", 0}, {"[::1]:9604", 0}, {"[::1]", 0},
		{"evil.example:9604", 403}, {"localhost.evil.example", 403},
		{"localhost:9604.evil", 403}, {"", 403}, {NULL, 403},
		{":9604", 403}, {"dlq.example.com", 403}};

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		ck_assert_int_eq(visit(&g, cases[i].host, NULL, NULL, false,
					 &who),
			cases[i].status);
	g.hosts = proxy_hosts;
	ck_assert_int_eq(visit(&g, "dlq.example.com", NULL, NULL, false, &who),
		0);
	g.listen = "10.1.2.3:9604";
	ck_assert_int_eq(visit(&g, "10.1.2.3:9604", NULL, NULL, false, &who),
		0);
	g.listen = ":9604"; /* all addresses are no name */
	ck_assert_int_eq(visit(&g, ":9604", NULL, NULL, false, &who), 403);
}
END_TEST

START_TEST(pages_of_other_hosts_may_not_ask)
{
	struct api_guard g = guard();
	const struct api_bearer *who;
	const char *host = "localhost:9604";

	ck_assert_int_eq(
		visit(&g, host, "http://localhost:9604", NULL, false, &who), 0);
	ck_assert_int_eq(visit(&g, host, "https://localhost:9604", NULL, false,
				 &who),
		0);
	ck_assert_int_eq(
		visit(&g, host, "http://localhost:80", NULL, false, &who), 403);
	ck_assert_int_eq(
		visit(&g, host, "http://evil.example", NULL, false, &who), 403);
	ck_assert_int_eq(visit(&g, host, "null", NULL, false, &who), 403);
	ck_assert_int_eq(visit(&g, host, "", NULL, false, &who), 403);
}
END_TEST

START_TEST(changes_need_a_known_token)
{
	struct api_guard g = guard();
	const struct api_bearer *who;
	const char *host = "localhost";
	const char *ann = "Bearer 0123456789abcdefghij";

	ck_assert_int_eq(visit(&g, host, NULL, NULL, false, &who), 0);
	ck_assert_ptr_null(who);
	ck_assert_int_eq(visit(&g, host, NULL, NULL, true, &who), 401);
	ck_assert_int_eq(visit(&g, host, NULL, ann, true, &who), 0);
	ck_assert_str_eq(who->name, "ann");
	ck_assert_int_eq(visit(&g, host, NULL, "bearer abcdefghij0123456789",
				 true, &who),
		0);
	ck_assert_str_eq(who->name, "bob@team");
	/* a wrong token is refused where none is needed: better said early */
	ck_assert_int_eq(visit(&g, host, NULL, "Bearer nobody", false, &who),
		401);
	ck_assert_int_eq(
		visit(&g, host, NULL, "0123456789abcdefghij", true, &who), 401);
	ck_assert_int_eq(visit(&g, host, NULL, "Bearer ", true, &who), 401);
	g.read_token = true;
	ck_assert_int_eq(visit(&g, host, NULL, NULL, false, &who), 401);
	ck_assert_int_eq(visit(&g, host, NULL, ann, false, &who), 0);
	g = guard();
	g.tokens = NULL;
	ck_assert_int_eq(visit(&g, host, NULL, ann, true, &who), 403);
}
END_TEST

START_TEST(a_token_that_only_reads_changes_nothing)
{
	struct api_guard g = guard();
	const struct api_bearer *who;
	const char *host = "localhost", *wall = "Bearer a:b:0123456789abcdef";

	g.read_token = true;
	ck_assert_int_eq(visit(&g, host, NULL, wall, false, &who), 0);
	ck_assert_str_eq(who->name, "wall");
	ck_assert(who->reads_only);
	ck_assert_int_eq(visit(&g, host, NULL, wall, true, &who), 403);
	/* the word is no part of it, and other words are no right */
	ck_assert_int_eq(visit(&g, host, NULL,
				 "Bearer a:b:0123456789abcdef:read", false,
				 &who),
		401);
	ck_assert_int_eq(visit(&g, host, NULL, "Bearer 0123456789abcdefghij",
				 true, &who),
		0);
	ck_assert(!who->reads_only);
}
END_TEST

START_TEST(loopback_is_loopback_only)
{
	ck_assert(api_guard_is_loopback("127.0.0.1:9604"));
	ck_assert(api_guard_is_loopback("127.8.0.1:0"));
	ck_assert(api_guard_is_loopback("[::1]:9604"));
	ck_assert(api_guard_is_loopback("localhost:9604"));
	ck_assert(!api_guard_is_loopback(":9604"));
	ck_assert(!api_guard_is_loopback("0.0.0.0:9604"));
	ck_assert(!api_guard_is_loopback("[::]:9604"));
	ck_assert(!api_guard_is_loopback("10.0.0.1:9604"));
	ck_assert(!api_guard_is_loopback("127.evil.example:9604"));
}
END_TEST

static void
refused(const char *text, const char *why)
{
	struct ch_err err = CH_ERR_INIT;
	struct api_tokens *t;

	ck_assert_int_eq(read_tokens(&t, text, 0400, &err), CH_ECONFIG);
	ck_assert_ptr_null(t);
	ck_assert_msg(strstr(err.text, why) != NULL, "%s", err.text);
	ck_assert_ptr_null(strstr(err.text, "0123456789"));
}

START_TEST(broken_token_files_are_refused_by_line)
{
	refused("", "no token is in it");
	refused("# nobody\n", "no token is in it");
	refused("ann\n", ", line 1: expected <name>:<token>");
	refused("\nann:0123456789\n", ", line 2: the token has fewer than 20");
	refused(":0123456789abcdefghij", "the name has 1 to 64");
	refused("a b:0123456789abcdefghij", "the name has 1 to 64");
	refused("a:0123456789abcdefghij\nb:0123456789abcdefghij",
		"line 2: the token stands in an earlier line");
	refused("a:0123456789 abcdefghij", "or a space");
	refused("a:0123456789:read", "the token has fewer than 20");
	refused("a::read", "the token has fewer than 20");
	refused("a:0123456789abcdefghij\nb:0123456789abcdefghij:read",
		"line 2: the token stands in an earlier line");
}
END_TEST

START_TEST(a_token_file_is_its_owners_alone)
{
	const mode_t open_modes[] = {0640, 0604, 0660, 0644, 0700, 0620};
	struct ch_err err = CH_ERR_INIT;
	struct api_tokens *t;
	size_t i;

	for (i = 0; i < sizeof(open_modes) / sizeof(*open_modes); i++) {
		ck_assert_int_eq(read_tokens(&t, "a:0123456789abcdefghij",
					 open_modes[i], &err),
			CH_ECONFIG);
		ck_assert_ptr_null(t);
		ck_assert_ptr_nonnull(strstr(err.text, "chmod 600"));
	}
	ck_assert_int_eq(api_tokens_read(&t, "/tmp", &err), CH_ECONFIG);
	ck_assert_ptr_nonnull(strstr(err.text, "no regular file"));
	ck_assert_int_eq(api_tokens_read(&t, "/nowhere/tokens", &err),
		CH_ECONFIG);
	ck_assert_ptr_nonnull(strstr(err.text, "cannot be opened"));
}
END_TEST

SUITE_MAIN("api_guard", only_its_own_hosts_are_answered,
	pages_of_other_hosts_may_not_ask, changes_need_a_known_token,
	a_token_that_only_reads_changes_nothing, loopback_is_loopback_only,
	broken_token_files_are_refused_by_line,
	a_token_file_is_its_owners_alone)
