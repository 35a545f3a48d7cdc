/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client_params: the params that several daemons have towards Kafka and
 * PostgreSQL, so that they are named, bounded and explained alike.
 *
 * Each stands for one entry of a table of ch_param. client_conf.h and
 * client_check.h read them.
 */
#ifndef CH_DAEMON_CLIENT_PARAMS_H
#define CH_DAEMON_CLIENT_PARAMS_H

#include "daemon/params.h"

/* `more` continues the help text, "" or "; empty: ...". */
#define CH_CLIENT_BOOTSTRAP(least, flag, more)                                 \
	{                                                                      \
		.name = "bootstrap", .type = CH_PARAM_LIST, .min = (least),    \
		.max = 64, .flags = (flag),                                    \
		.help = "Kafka brokers to begin with, "                        \
			"host:port[,host:port]" more                           \
	}

#define CH_CLIENT_KAFKA                                                        \
	{                                                                      \
		.name = "kafka", .type = CH_PARAM_GROUP,                       \
		.help = "librdkafka properties (kafka.security.protocol = "    \
			"ssl)"                                                 \
	}

/* longest: in bytes; PostgreSQL keeps 63 of an application's name. */
#define CH_CLIENT_ID(name_, longest, what)                                     \
	{                                                                      \
		.name = "client_id", .type = CH_PARAM_STRING, .def = (name_),  \
		.min = 1, .max = (longest), .help = (what)                     \
	}

#define CH_CLIENT_DATABASE(flag, more)                                         \
	{                                                                      \
		.name = "database_url", .type = CH_PARAM_CONNINFO,             \
		.flags = (flag),                                               \
		.help = "PostgreSQL, conninfo or URI" more                     \
			"; the password comes from passfile"                   \
	}

#define CH_CLIENT_PASSFILE                                                     \
	{                                                                      \
		.name = "passfile", .type = CH_PARAM_PATH,                     \
		.help = "file with the password, in the format of .pgpass"     \
	}

#define CH_CLIENT_SCHEMA(what)                                                 \
	{                                                                      \
		.name = "schema", .type = CH_PARAM_STRING, .def = "ch",        \
		.min = 1, .max = 63, .help = "schema of " what                 \
	}

#endif
