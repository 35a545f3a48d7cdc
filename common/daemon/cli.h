/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli: what a daemon prints about itself and then ends: --help, --version,
 * --reference, --man, --sample-config; and the modes that need the configuration:
 * --check-config, --dump-config.
 *
 * Thread: main.
 */
#ifndef CH_DAEMON_CLI_H
#define CH_DAEMON_CLI_H

#include "daemon/daemon.h"

enum cli_mode {
	CLI_RUN,
	CLI_HELP,
	CLI_VERSION,
	CLI_REFERENCE,
	CLI_MAN,
	CLI_SAMPLE,
	CLI_CHECK,
	CLI_DUMP
};

/* Takes the mode's flag out of argv (before the first non-option). */
enum cli_mode ch_cli_mode(int *argc, char **argv);
/* Prints what needs no configuration; false for the other modes. */
bool ch_cli_print(enum cli_mode mode, const struct ch_daemon *d,
	const struct ch_param *const params[],
	const struct ch_metric_desc *const metrics[]);
/* `<service> [options] <command> --help`: prints the command's manual; false:
 * that was not asked. */
bool ch_cli_manual(const struct ch_daemon *d, int argc, char **argv);
const char *ch_cli_version(void);
const char *ch_cli_git_id(void);

#endif
