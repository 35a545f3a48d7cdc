/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dlq: `outbox-relay dlq <verb>`, the operators' hands on the dead letters.
 *
 * All work with PostgreSQL alone, but for replay and run, which send.
 * Exit status: 0 done; 1 something failed on the way (PostgreSQL, Kafka);
 * 2 something was refused, or none was found; 64 wrong usage; 69 no PostgreSQL.
 *
 * Thread: main.
 */
#ifndef RELAY_DLQ_H
#define RELAY_DLQ_H

#include "daemon/daemon.h"

extern const struct ch_subcommand relay_subcommands[];
/* `outbox-relay dlq <word> --help`; false: dlq has no such verb. */
bool relay_command_page(const char *command, const char *word);

#endif
