/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_private: what the files of the API share.
 *
 *	api.c	       listening, the guard, routes, the page
 *	api_call.c     one request: its arguments, its answer
 *	api_letters.c  list, detail, groups, export, audit; replay, discard, edit
 *	api_plans.c    plans: made, approved, run, stopped
 *	api_endpoints.c  deliveries that wait for an endpoint; buried
 *
 * An endpoint fills the call's `out` and returns CH_OK, or a code with err:
 * api_call_fail() makes the answer of it.
 *
 * Thread: desk, but for what says network.
 */
#ifndef RELAY_API_PRIVATE_H
#define RELAY_API_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api_run.h"
#include "api_tokens.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "daemon/daemon.h"
#include "destination.h"
#include "filter.h"
#include "io/http_server.h"
#include "io/pg.h"
#include "letters.h"

#define API_LETTERS_MAX 200  /* of one list */
#define API_CHANGE_MAX 50    /* letters changed by one request */
#define API_PLAN_MAX 1000    /* letters named for a plan */
#define API_VALUE_MAX 262144 /* bytes of a value in a letter's detail */
#define API_REASON_MAX 1000

/* What works: the thread's own. */
struct api_desk {
	const struct ch_runtime *rt;
	struct ch_pg *pg;
	struct api_run *run;
	const char *two_person; /* the configuration's */
	const char *rule;	/* or the database's, as last seen */
	bool read_only;
};

enum api_argument {
	API_WHERE,
	API_STATE,
	API_LIMIT,
	API_CURSOR,
	API_BY,
	API_SUBJECT,
	API_OUTCOME,
	API_ARGUMENTS
};

struct api_call;

struct api_member { /* of a body */
	const char *name;
	enum ch_json_type type; /* CH_JSON_TRUE: true or false */
};

struct api_endpoint {
	enum ch_http_method method;
	const char *path; /* below /api/v1/; * stands for one part */
	int (*run)(struct api_desk *d, struct api_call *c, struct ch_err *err);
	const struct api_member *members; /* ends with NULL; NULL: none */
	bool without_database;
};
extern const struct api_endpoint api_letter_endpoints[];
extern const struct api_endpoint api_plan_endpoints[];
extern const struct api_endpoint api_webhook_endpoints[];

struct api_call {
	const struct api_endpoint *endpoint;
	struct ch_http_ref ref;
	struct ch_arena arena;		      /* holds all that is below */
	const char *name;		      /* what stands for the * */
	const char *arguments[API_ARGUMENTS]; /* of the query; NULL: missing */
	struct ch_view body;
	const struct ch_json *doc; /* of the body: an object */
	const char *actor;	   /* NULL: nobody said who */
	bool may_change;	   /* by the token that came with it */
	struct ch_time now;
	/* the answer */
	int status;
	const char *content_type;
	char next[CH_UUID_TEXT_MAX]; /* of an export: where it goes on */
	size_t wrong_at; /* of an expression's refusal: its byte, from 1 */
	struct ch_buf out;
};

/* A copy of the request; the caller's. Thread: network. */
struct api_call *api_call_new(const struct api_endpoint *e,
	struct ch_http_req *req, struct ch_view name,
	const struct api_bearer *who);
void api_call_free(struct api_call *c);
/* Reads the body against the endpoint's members. */
int api_call_read(struct api_call *c, struct ch_err *err);
/* The answer that says what went wrong. */
void api_call_fail(struct api_call *c, int code, const struct ch_err *err);
/* Its text; wrong_at 0: none. Thread: any. */
void api_call_refusal(struct ch_buf *out, const char *code, const char *said,
	const char *next, size_t wrong_at);

/* Of the body: */
/* A string of the body, or NULL. */
const char *api_call_text(struct api_call *c, const char *name);
bool api_call_flag(const struct api_call *c, const char *name);
/* Missing: *out stays. CH_EINVAL names the limits. */
int api_call_number(const struct api_call *c, const char *name, int64_t min,
	int64_t max, int64_t *out, struct ch_err *err);
/* Where foreign letters go; missing: NULL. CH_EINVAL: no legal topic. */
int api_call_to(struct api_call *c, const char **out, struct ch_err *err);
/* Why it is done; a dry run needs none. */
int api_call_reason(struct api_call *c, const char **out, struct ch_err *err);
/* The query's limit. */
int api_call_limit(const struct api_call *c, int64_t most, int64_t *out,
	struct ch_err *err);

/* Which letters are meant; of the query or of the body. */
struct api_selection {
	struct letters_filter f;
	struct filter where;
	const char *text; /* of the expression; NULL: none */
	struct ch_uuid after;
};
/* api_selection_free() is due in any case. ids_max: so many may be named. */
int api_call_select(struct api_call *c, size_t ids_max,
	struct api_selection *out, struct ch_err *err);
void api_selection_free(struct api_selection *s);

/* Adds the rows of letters_find() as an array. */
int api_add_letters(struct api_call *c, const char *name, const PGresult *res,
	struct ch_err *err);
/* Adds an array of the JSON texts of one column. */
int api_add_texts(struct api_call *c, const char *name, const PGresult *res,
	int column, struct ch_err *err);
/* Adds why it is not known of all targets whether they exist, or nothing. */
void api_add_unlooked(struct api_call *c, const struct destination_look *l);

#endif
