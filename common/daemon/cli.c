/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli: see cli.h. All pages are made from the tables, so they cannot drift.
 */
#include "daemon/cli.h"

#include <stdio.h>
#include <string.h>

#include "daemon/roff.h"
#include "io/lib_versions.h"

#ifndef CH_VERSION
#define CH_VERSION "0.0.0"
#endif
#ifndef CH_GIT_ID
#define CH_GIT_ID "unknown"
#endif

static const struct {
	const char *flag;
	const char *short_flag;
	enum cli_mode mode;
	const char *help;
} modes[] = {
	{"--help", "-h", CLI_HELP, "this page"},
	{"--version", "-V", CLI_VERSION, "version, commit and libraries"},
	{"--check-config", "", CLI_CHECK,
		"reads the configuration; status 0, or 78 with the reason"},
	{"--dump-config", "", CLI_DUMP,
		"the effective configuration, secrets masked"},
	{"--sample-config", "", CLI_SAMPLE, "a file with every key"},
	{"--reference", "", CLI_REFERENCE,
		"parameters and metrics as Markdown"},
	{"--man", "", CLI_MAN, "the manual page, for man(1)"},
};

static const char signals_text[] =
	"SIGTERM drains, a second one exits at once; SIGHUP reads the\n"
	"configuration again; SIGUSR1 switches debug logging.";
static const char status_text[] =
	"0 drained; 1 failed; 3 drain deadline passed; 4 forced; 64 usage;\n"
	"69 a dependency at the start; 78 configuration.";

#define MODES (sizeof(modes) / sizeof(modes[0]))

const char *
ch_cli_version(void)
{
	return CH_VERSION;
}

const char *
ch_cli_git_id(void)
{
	return CH_GIT_ID;
}

static size_t
find_mode(const char *arg)
{
	size_t i = 0;

	while (i < MODES && strcmp(arg, modes[i].flag) != 0 &&
		(modes[i].short_flag[0] == '\0' ||
			strcmp(arg, modes[i].short_flag) != 0))
		i++;
	return i;
}

enum cli_mode
ch_cli_mode(int *argc, char **argv)
{
	enum cli_mode mode = CLI_RUN;
	int kept = 1, i = 1;

	for (; i < *argc && argv[i][0] == '-' && strcmp(argv[i], "--") != 0;
		i++) {
		size_t m = find_mode(argv[i]);

		if (m == MODES)
			argv[kept++] = argv[i];
		else if (mode == CLI_RUN)
			mode = modes[m].mode;
	}
	for (; i < *argc; i++)
		argv[kept++] = argv[i];
	argv[kept] = NULL;
	*argc = kept;
	return mode;
}

static void
add_help(struct ch_buf *out, const struct ch_daemon *d,
	const struct ch_param *const params[])
{
	const struct ch_subcommand *s = d->subcommands;

	ch_params_help(out, d->name, d->summary, params);
	ch_buf_addc(out, '\n');
	for (size_t i = 0; i < MODES; i++)
		ch_buf_printf(out, "  %-33s %s\n", modes[i].flag,
			modes[i].help);
	if (s != NULL && s->name != NULL)
		ch_buf_printf(out, "\nCommands (after the options):\n");
	for (; s != NULL && s->name != NULL; s++)
		ch_buf_printf(out, "  %s\n      %s\n", s->usage, s->help);
	ch_buf_printf(out, "\nSignals: %s\nExit status: %s\n", signals_text,
		status_text);
}

static void
man_section(struct ch_buf *out, const char *title)
{
	ch_buf_printf(out, ".SH %s\n", title);
}

static const char environment_text[] =
	"PGPASSFILE, PGSSLMODE, PGHOST and the others of libpq, where the\n"
	"connection string says nothing; NOTIFY_SOCKET and WATCHDOG_USEC of\n"
	"systemd; and every option, as said above.";
static const char metrics_text[] =
	"GET /metrics on admin_listen, beside /livez, /readyz?verbose and\n"
	"/config; with these the standard process_* metrics.";

/* Nothing, where there is no text. */
static void
man_text(struct ch_buf *out, const char *title, const char *text)
{
	if (text == NULL)
		return;
	man_section(out, title);
	ch_roff_add(out, text);
	ch_buf_addc(out, '\n');
}

static void
man_example(struct ch_buf *out, const char *title, const char *text)
{
	if (text == NULL)
		return;
	man_section(out, title);
	ch_roff_add_example(out, text);
}

static void
man_commands(struct ch_buf *out, const struct ch_subcommand *s)
{
	if (s == NULL || s->name == NULL)
		return;
	man_section(out, "COMMANDS");
	for (; s->name != NULL; s++) {
		ch_buf_adds(out, ".SS ");
		ch_roff_add(out, s->name);
		ch_buf_addc(out, '\n');
		ch_roff_add(out, s->help);
		ch_buf_addc(out, '\n');
		ch_roff_add_example(out,
			s->manual != NULL ? s->manual : s->usage);
	}
}

static void
man_head(struct ch_buf *out, const struct ch_daemon *d)
{
	ch_buf_printf(out, ".\\\" made by `%s --man`; do not edit\n", d->name);
	ch_buf_adds(out, ".TH \"");
	ch_roff_add(out, d->name);
	ch_buf_adds(out,
		"\" 1 \"\" \"countinghouse " CH_VERSION "\"\n.nh\n.ad l\n");
	man_section(out, "NAME");
	ch_roff_add(out, d->name);
	ch_buf_adds(out, " \\- ");
	ch_roff_add(out, d->summary);
	ch_buf_addc(out, '\n');
	man_section(out, "SYNOPSIS");
	ch_buf_adds(out, ".B ");
	ch_roff_add(out, d->name);
	ch_buf_adds(out,
		d->subcommands != NULL
			? "\n.RI [ option ...]\n.RI [ command\n.RI [ argument "
			  "...]]\n"
			: "\n.RI [ option ...]\n");
}

/* A page of section 1, by man(7). */
static void
add_man(struct ch_buf *out, const struct ch_daemon *d,
	const struct ch_param *const params[],
	const struct ch_metric_desc *const metrics[])
{
	man_head(out, d);
	man_section(out, "OPTIONS");
	ch_params_man(out, d->name, params);
	for (size_t i = 0; i < MODES; i++) {
		ch_buf_adds(out, ".TP\n.B ");
		ch_roff_add(out, modes[i].flag);
		ch_buf_addc(out, '\n');
		ch_roff_add(out, modes[i].help);
		ch_buf_addc(out, '\n');
	}
	man_commands(out, d->subcommands);
	man_text(out, "METRICS", metrics_text);
	ch_metrics_man(out, metrics);
	man_text(out, "SIGNALS", signals_text);
	man_text(out, "EXIT STATUS", status_text);
	man_text(out, "ENVIRONMENT", environment_text);
	man_section(out, "FILES");
	ch_params_man_files(out, params);
	man_example(out, "EXAMPLES", d->examples);
	man_example(out, "SEE ALSO", d->see_also);
}

static void
add_reference(struct ch_buf *out, const struct ch_daemon *d,
	const struct ch_param *const params[],
	const struct ch_metric_desc *const metrics[])
{
	ch_buf_printf(out,
		"<!-- made by `%s --reference`; do not edit -->\n"
		"# %s: reference\n\n%s\n\n## Parameters\n\n",
		d->name, d->name, d->summary);
	ch_params_reference(out, d->name, params);
	ch_buf_adds(out, "\n## Metrics\n\n");
	ch_metrics_reference(out, metrics);
	ch_buf_adds(out, "\nand the standard `process_*` metrics.\n");
}

bool
ch_cli_print(enum cli_mode mode, const struct ch_daemon *d,
	const struct ch_param *const params[],
	const struct ch_metric_desc *const metrics[])
{
	struct ch_buf out = CH_BUF_INIT;

	if (mode == CLI_HELP)
		add_help(&out, d, params);
	else if (mode == CLI_VERSION) {
		ch_buf_printf(&out, "%s %s (%s)\n", d->name, CH_VERSION,
			CH_GIT_ID);
		ch_lib_versions(&out);
	} else if (mode == CLI_MAN)
		add_man(&out, d, params, metrics);
	else if (mode == CLI_REFERENCE)
		add_reference(&out, d, params, metrics);
	else if (mode == CLI_SAMPLE)
		ch_params_sample(&out, d->name, params);
	else
		return false;
	(void)fwrite(out.ptr, 1, out.len, stdout);
	ch_buf_free(&out);
	return true;
}

static bool
wants_help(char **argv)
{
	while (*argv != NULL && strcmp(*argv, "--help") != 0 &&
		strcmp(*argv, "-h") != 0)
		argv++;
	return *argv != NULL;
}

bool
ch_cli_manual(const struct ch_daemon *d, int argc, char **argv)
{
	for (int i = 1; d->subcommands != NULL && i < argc; i++) {
		const struct ch_subcommand *s = d->subcommands;

		while (s->name != NULL && strcmp(s->name, argv[i]) != 0)
			s++;
		if (s->name == NULL || !wants_help(argv + i + 1))
			continue;
		if (d->command_page != NULL &&
			d->command_page(s->name, argv[i + 1]))
			return true;
		if (s->manual != NULL)
			(void)fputs(s->manual, stdout);
		else
			printf("%s\n  %s\n", s->usage, s->help);
		return true;
	}
	return false;
}
