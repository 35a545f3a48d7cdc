/* SPDX-License-Identifier: Apache-2.0 */
/*
 * feed-server: an exchange's feed for demo and tests, on loopback.
 *
 *	feed-server [--listen 127.0.0.1:0] [--port-file F] [--seed N] [--rate N]
 *		[--frames N] [--file F] [--loop] [--restamp] [--sent F]
 *		[--control F] [--markets N] [--wallets N]
 *	feed-server --list-markets [--seed N] [--markets N]
 *	feed-server --list-wallets [--seed N] [--wallets N]
 *
 * SEED and FEED_FILE in the environment stand for --seed and --file. It ends
 * at SIGTERM or SIGINT. What it does is told in serve.h.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/json.h"
#include "base/log.h"
#include "feed_gen.h"
#include "serve.h"

enum listing { LIST_NONE, LIST_MARKETS, LIST_WALLETS };

struct options {
	struct source_options source;
	struct serve_options serve;
	const char *port_file;
	const char *sent;
	enum listing list;
};

static const struct option flags[] = {
	{"listen", required_argument, NULL, 'l'},
	{"port-file", required_argument, NULL, 'p'},
	{"seed", required_argument, NULL, 's'},
	{"rate", required_argument, NULL, 'r'},
	{"frames", required_argument, NULL, 'n'},
	{"file", required_argument, NULL, 'f'},
	{"loop", no_argument, NULL, 'L'},
	{"restamp", no_argument, NULL, 'R'},
	{"sent", required_argument, NULL, 'o'},
	{"control", required_argument, NULL, 'c'},
	{"markets", required_argument, NULL, 'm'},
	{"wallets", required_argument, NULL, 'w'},
	{"list-markets", no_argument, NULL, 'M'},
	{"list-wallets", no_argument, NULL, 'W'},
	{NULL, 0, NULL, 0},
};

static int64_t
number(const char *flag, const char *text, int64_t max)
{
	int64_t n = 0;

	if (ch_view_int(ch_view_of(text), 0, max, &n) != 0) {
		fprintf(stderr,
			"feed-server: --%s %s: not an integer in 0..%lld\n",
			flag, text, (long long)max);
		exit(64);
	}
	return n;
}

static bool
take_number(struct options *o, int flag)
{
	if (flag == 's')
		o->source.seed = (uint64_t)number("seed", optarg, INT64_MAX);
	else if (flag == 'r')
		o->serve.rate = number("rate", optarg, 1000000);
	else if (flag == 'n')
		o->serve.frames = number("frames", optarg, INT64_MAX);
	else if (flag == 'm')
		o->source.markets =
			(unsigned)number("markets", optarg, 1000000);
	else if (flag == 'w')
		o->source.wallets =
			(unsigned)number("wallets", optarg, 1000000);
	else
		return false;
	return true;
}

static bool
take_text(struct options *o, int flag)
{
	if (flag == 'l')
		o->serve.listen = optarg;
	else if (flag == 'p')
		o->port_file = optarg;
	else if (flag == 'f')
		o->source.file = optarg;
	else if (flag == 'o')
		o->sent = optarg;
	else if (flag == 'c')
		o->serve.control = optarg;
	else
		return false;
	return true;
}

static bool
take_switch(struct options *o, int flag)
{
	if (flag == 'L')
		o->source.loop = true;
	else if (flag == 'R')
		o->source.restamp = true;
	else if (flag == 'M')
		o->list = LIST_MARKETS;
	else if (flag == 'W')
		o->list = LIST_WALLETS;
	else
		return false;
	return true;
}

static struct options
read_options(int argc, char **argv)
{
	const char *seed = getenv("SEED");
	const char *file = getenv("FEED_FILE");
	struct options o = {
		.source = {.seed = 1, .markets = 200, .wallets = 2000},
		.serve = {.listen = "127.0.0.1:0", .rate = 50}};
	int flag;

	if (seed != NULL && seed[0] != '\0')
		o.source.seed = (uint64_t)number("seed", seed, INT64_MAX);
	if (file != NULL && file[0] != '\0')
		o.source.file = file;
	while ((flag = getopt_long(argc, argv, "", flags, NULL)) != -1) {
		if (!take_number(&o, flag) && !take_text(&o, flag) &&
			!take_switch(&o, flag))
			exit(64);
	}
	return o;
}

static void
list_all(const struct options *o)
{
	struct feed_gen *g = feed_gen_new(o->source.seed, o->source.markets,
		o->source.wallets);
	struct ch_buf b = CH_BUF_INIT;
	char wallet[43];

	for (unsigned i = 0; o->list == LIST_WALLETS && i < o->source.wallets;
		i++) {
		feed_gen_wallet(g, i, wallet);
		ch_buf_printf(&b, "%s\n", wallet);
	}
	for (unsigned i = 0; o->list == LIST_MARKETS && i < o->source.markets;
		i++) {
		struct feed_market m = feed_gen_market(g, i);

		ch_buf_addc(&b, '{');
		ch_json_add_member(&b, "condition_id", ch_view_of(m.condition));
		ch_json_add_member(&b, "asset_yes", ch_view_of(m.asset[0]));
		ch_json_add_member(&b, "asset_no", ch_view_of(m.asset[1]));
		ch_json_add_member(&b, "title", ch_view_of(m.title));
		ch_json_add_member(&b, "slug", ch_view_of(m.slug));
		ch_buf_adds(&b, "}\n");
	}
	fwrite(b.ptr, 1, b.len, stdout);
	ch_buf_free(&b);
	feed_gen_free(g);
}

/* Written under another name and renamed: a reader never sees half. */
static int
write_port(const char *path, int port)
{
	char name[4096];
	FILE *file;

	if (path == NULL)
		return 0;
	if (snprintf(name, sizeof(name), "%s.new", path) >= (int)sizeof(name))
		return -1;
	file = fopen(name, "w");
	if (file == NULL)
		return -1;
	fprintf(file, "%d\n", port);
	return fclose(file) == 0 ? rename(name, path) : -1;
}

static int
run(struct options *o, const sigset_t *ends)
{
	struct ch_err err = CH_ERR_INIT;
	struct ch_net *net = NULL;
	struct serve *serve = NULL;
	int got;
	int rc = source_open(&o->serve.source, &o->source, &err);

	if (rc == 0)
		rc = ch_net_start(&net, NULL, &err);
	if (rc == 0)
		rc = serve_start(&serve, net, &o->serve, &err);
	if (rc == 0 && write_port(o->port_file, serve_port(serve)) != 0)
		rc = ch_err_errno(&err, errno, "write %s", o->port_file);
	if (rc == 0) {
		ch_info("feed.listening", CH_I("port", serve_port(serve)),
			CH_U("seed", o->source.seed));
		(void)sigwait(ends, &got);
	} else {
		ch_error("feed.start", CH_ERR(&err));
	}
	serve_stop(serve);
	ch_net_stop(net);
	source_close(o->serve.source);
	return rc == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int
main(int argc, char **argv)
{
	struct options o = read_options(argc, argv);
	sigset_t ends;
	int rc;

	if (o.list != LIST_NONE) {
		list_all(&o);
		return EXIT_SUCCESS;
	}
	ch_log_init("feed-server", CH_LOG_INFO, false);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	sigprocmask(SIG_BLOCK, &ends, NULL);
	if (o.sent != NULL && (o.serve.sent = fopen(o.sent, "w")) == NULL) {
		ch_error("feed.sent_file", CH_S("path", o.sent));
		return EXIT_FAILURE;
	}
	rc = run(&o, &ends);
	if (o.serve.sent != NULL)
		fclose(o.serve.sent);
	return rc;
}
