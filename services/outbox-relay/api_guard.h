/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_guard: may this request be answered at all?
 *
 * A page of somebody else's, open in an operator's browser, must reach
 * nothing: the Host header must be a name that this relay is known by (or a
 * name of the page's own that was pointed here passes as the same origin), an
 * Origin must be that host, and whoever changes something brings a token in
 * the Authorization header, which no browser adds by itself.
 *
 * Thread: any. Pure.
 */
#ifndef RELAY_API_GUARD_H
#define RELAY_API_GUARD_H

#include <stdbool.h>

#include "api_tokens.h"
#include "base/err.h"
#include "base/str.h"

struct api_guard {
	const char *listen;	  /* as http_server takes it */
	const char *const *hosts; /* names beside localhost and the listen
				      address; ends with NULL */
	const struct api_tokens *tokens; /* NULL: read only */
	bool read_token;		 /* reading needs a token as well */
};

/* Absent headers: ptr NULL. */
struct api_visitor {
	struct ch_view host, origin, authorization;
	bool changes; /* what is asked for changes something */
};

/* "127.0.0.1:9604", "[::1]:9604", "localhost:9604": nobody from outside. */
bool api_guard_is_loopback(const char *listen);
/* 0, or the HTTP status to refuse with, and why. *who: whose token it is;
 * NULL without one. */
int api_guard_check(const struct api_guard *g, const struct api_visitor *v,
	const struct api_bearer **who, struct ch_err *err);

#endif
