/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_client: HTTP requests in parallel, over libcurl's multi interface.
 *
 * One thread of its own per client; a request is handed to it and its result
 * comes back by a callback on that thread, exactly once, also for a cancelled
 * request and for those still open when the client is freed. Certificates and
 * names are verified, redirects are not followed, the environment's proxies are
 * not used, only http and https are spoken, bodies and times are capped.
 *
 * Thread: as each function says.
 */
#ifndef CH_IO_HTTP_CLIENT_H
#define CH_IO_HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/str.h"

struct ch_http_client;

/* What became of a request, short of its HTTP status. */
enum ch_http_class {
	CH_HTTP_OK,	   /* an answer came, of whatever status */
	CH_HTTP_TIMEOUT,   /* no answer in time: it may have been done */
	CH_HTTP_CONNECT,   /* no connection (name, refused, guard): not done */
	CH_HTTP_TLS,	   /* certificate or handshake: not done */
	CH_HTTP_PROTOCOL,  /* broken answer, or cut off: may have been done */
	CH_HTTP_TOO_LARGE, /* the body is over max_body, or the headers are
			      over 64 KiB */
	CH_HTTP_CANCELLED, /* by us */
	CH_HTTP_OTHER	   /* anything else; the text says what */
};

struct ch_http_client_options {
	const char *user_agent; /* NULL: "countinghouse" */
	unsigned max_in_flight; /* 0: 256; more are refused (CH_EFULL) */
	unsigned max_per_host;	/* connections to one host; 0: 16 */
	const char *ca_file;	/* NULL: the system's */
	/* May this address be connected to? Sees each resolved address of each
	 * attempt, so a name cannot be rebound. NULL: all. Thread: client. */
	bool (*address_ok)(void *ctx, const struct sockaddr *sa, socklen_t len);
	void *ctx;
};

struct ch_http_result {
	enum ch_http_class class;
	int status;		     /* HTTP status, 0 when there is none */
	struct ch_view body;	     /* decoded; until the callback returns */
	struct ch_view content_type; /* "" when missing */
	struct ch_view etag;	     /* "" when missing */
	int retry_after_s;	     /* 0 to 3600; -1: none that is one */
	int64_t elapsed_us;
	const char *reason; /* one line for the log; "" when class is OK */
};

struct ch_http_call {
	const char *method;	    /* "GET", "POST", ...; NULL: GET */
	const char *url;	    /* http:// or https:// */
	const char *const *headers; /* "Name: value" lines, ends with NULL; may
				       be NULL */
	struct ch_view body;	/* copied; a POST of 0 bytes is sent as such */
	int timeout_ms;		/* whole request; 0: 10000 */
	int connect_timeout_ms; /* 0: the smaller of 3000 and timeout_ms */
	size_t max_body;	/* answer, decoded; 0: 1 MiB */
	bool cut_body; /* a larger one is no failure: its first max_body bytes
			  are given, the rest is not read */
	bool accept_gzip;
	bool http2; /* false: HTTP/1.1 only, the safe choice for POST */
	/* Exactly once for each call that was accepted. Thread: client. */
	void (*done)(void *ctx, const struct ch_http_result *r);
	void *ctx;
};

/* Thread: any. */
int ch_http_client_new(struct ch_http_client **out,
	const struct ch_http_client_options *opt, struct ch_err *err);
/* Cancels what is open (done() runs for each), joins the thread, frees.
 * Thread: any but the client's. NULL is allowed. */
void ch_http_client_free(struct ch_http_client *c);

/* Hands over a request; everything is copied. *id (may be NULL) names it for
 * cancel. 0, CH_EFULL, CH_EINVAL (URL), CH_ECLOSED. Thread: any, also from
 * done(). */
int ch_http_client_send(struct ch_http_client *c,
	const struct ch_http_call *call, uint64_t *id, struct ch_err *err);
/* done() follows with CH_HTTP_CANCELLED unless it has run. Thread: any. */
void ch_http_client_cancel(struct ch_http_client *c, uint64_t id);
unsigned ch_http_client_in_flight(const struct ch_http_client *c); /* any */

/* An address_ok() that refuses loopback, private, link-local, unique-local,
 * carrier-grade NAT, multicast, unspecified and v4-mapped forms of them. */
bool ch_http_address_is_public(void *ctx, const struct sockaddr *sa,
	socklen_t len);

#endif
