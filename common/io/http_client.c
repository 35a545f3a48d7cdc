/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_client: see http_client.h.
 *
 * One thread turns libcurl's multi handle; requests come to it through a list
 * under a mutex and curl_multi_wakeup(). Easy handles are kept for reuse, so
 * that connections and TLS sessions are.
 *
 * Invariant: done() runs exactly once for each accepted request, on that
 * thread. Bounded: max_in_flight requests, max_body bytes each, and their
 * times; a name server that is silent holds up its request alone. What libcurl
 * says becomes one of a few classes by one table; a result that no row names is
 * CH_HTTP_OTHER, with libcurl's text.
 */
#include "io/http_client.h"

#include <assert.h>
#include <curl/curl.h>
#include <limits.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

#define POLL_MS 1000
#define SPARE_HANDLES 32
#define RETRY_AFTER_MAX_S 3600
#define RETRY_AFTER_DATE INT_MAX /* libcurl knows how long until then */
#define HEADER_VALUE_MAX 256
#define HEADERS_MAX 65536 /* all of one answer, 1xx ones included */

struct request {
	struct request *next; /* in incoming, or in running */
	struct request **prev_next;
	struct ch_http_client *client;
	uint64_t id;
	CURL *easy;
	struct curl_slist *headers;

	char *method;
	char *url;
	char **lines;
	char *body;
	size_t body_len;
	struct ch_http_call call; /* numbers and callback */

	struct ch_buf answer;
	char content_type[HEADER_VALUE_MAX];
	char etag[HEADER_VALUE_MAX];
	size_t header_bytes;
	int retry_after_s; /* or RETRY_AFTER_DATE; -1: none */
	bool no_status;	   /* what stands for the status line is none */
	bool too_large;
	bool cut;     /* as asked for: the answer is whole */
	bool refused; /* an address, by the guard */
	char error[CURL_ERROR_SIZE];
};

struct ch_http_client {
	pthread_t thread;
	CURLM *multi;
	char *user_agent;
	char *ca_file;
	struct ch_http_client_options opt;

	pthread_mutex_t mu;
	struct request *incoming, **incoming_end; /* under mu */
	uint64_t *cancels;			  /* under mu */
	size_t cancel_count;			  /* under mu */
	bool stop;				  /* under mu */
	uint64_t next_id;			  /* under mu */
	atomic_uint in_flight;

	struct request *running; /* client thread */
	CURL *spare[SPARE_HANDLES];
	int spare_count;
};

static const struct {
	CURLcode code;
	enum ch_http_class class;
} classes[] = {
	{CURLE_OK, CH_HTTP_OK},
	{CURLE_OPERATION_TIMEDOUT, CH_HTTP_TIMEOUT},
	{CURLE_COULDNT_RESOLVE_HOST, CH_HTTP_CONNECT},
	{CURLE_COULDNT_CONNECT, CH_HTTP_CONNECT},
	{CURLE_SSL_CONNECT_ERROR, CH_HTTP_TLS},
	{CURLE_PEER_FAILED_VERIFICATION, CH_HTTP_TLS},
	{CURLE_SSL_CERTPROBLEM, CH_HTTP_TLS},
	{CURLE_SSL_CACERT_BADFILE, CH_HTTP_TLS},
	{CURLE_SSL_ISSUER_ERROR, CH_HTTP_TLS},
	{CURLE_SSL_INVALIDCERTSTATUS, CH_HTTP_TLS},
	{CURLE_GOT_NOTHING, CH_HTTP_PROTOCOL},
	{CURLE_SEND_ERROR, CH_HTTP_PROTOCOL},
	{CURLE_RECV_ERROR, CH_HTTP_PROTOCOL},
	{CURLE_PARTIAL_FILE, CH_HTTP_PROTOCOL},
	{CURLE_WEIRD_SERVER_REPLY, CH_HTTP_PROTOCOL},
	{CURLE_BAD_CONTENT_ENCODING, CH_HTTP_PROTOCOL},
	{CURLE_HTTP2, CH_HTTP_PROTOCOL},
	{CURLE_HTTP2_STREAM, CH_HTTP_PROTOCOL},
	{CURLE_UNSUPPORTED_PROTOCOL, CH_HTTP_PROTOCOL},
	{CURLE_FILESIZE_EXCEEDED, CH_HTTP_TOO_LARGE},
	{CURLE_ABORTED_BY_CALLBACK, CH_HTTP_CANCELLED},
};

/* libcurl takes an end behind a 1xx for the answer's. */
static bool
has_final_status(const struct request *r)
{
	long status = 0;

	return curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &status) ==
		CURLE_OK &&
		status >= 200;
}

static enum ch_http_class
classify(const struct request *r, CURLcode code)
{
	if (r->no_status)
		return CH_HTTP_PROTOCOL;
	if (r->too_large)
		return CH_HTTP_TOO_LARGE;
	if (r->cut)
		return CH_HTTP_OK;
	if (code == CURLE_OK && !has_final_status(r))
		return CH_HTTP_PROTOCOL;
	for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
		if (classes[i].code == code)
			return classes[i].class;
	return CH_HTTP_OTHER;
}

/* ---- a request's life ---- */

static void
request_free(struct request *r)
{
	for (size_t i = 0; r->lines != NULL && r->lines[i] != NULL; i++)
		free(r->lines[i]);
	free(r->lines);
	curl_slist_free_all(r->headers);
	free(r->method);
	free(r->url);
	free(r->body);
	ch_buf_free(&r->answer);
	free(r);
}

static void
unlink_request(struct request *r)
{
	*r->prev_next = r->next;
	if (r->next != NULL)
		r->next->prev_next = r->prev_next;
}

static void
keep_handle(struct ch_http_client *c, CURL *easy)
{
	if (c->spare_count < SPARE_HANDLES) {
		curl_easy_reset(easy);
		c->spare[c->spare_count++] = easy;
	} else
		curl_easy_cleanup(easy);
}

static int
retry_after(const struct request *r)
{
	curl_off_t s = 0;

	if (r->retry_after_s != RETRY_AFTER_DATE)
		return r->retry_after_s;
	if (curl_easy_getinfo(r->easy, CURLINFO_RETRY_AFTER, &s) != CURLE_OK ||
		s < 0)
		return -1;
	return s > RETRY_AFTER_MAX_S ? RETRY_AFTER_MAX_S : (int)s;
}

static void
tell(struct request *r, enum ch_http_class class, const char *reason)
{
	struct ch_http_result result = {.class = class,
		.body = ch_buf_view(&r->answer),
		.content_type = ch_view_of(r->content_type),
		.etag = ch_view_of(r->etag),
		.retry_after_s = -1,
		.reason = reason};
	long status = 0;
	curl_off_t elapsed = 0;

	if (r->easy != NULL) {
		(void)curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE,
			&status);
		(void)curl_easy_getinfo(r->easy, CURLINFO_TOTAL_TIME_T,
			&elapsed);
		result.retry_after_s = retry_after(r);
	}
	result.status = (int)status;
	result.elapsed_us = (int64_t)elapsed;
	if (class != CH_HTTP_OK)
		result.body = (struct ch_view){"", 0};
	/* Before done(), so that it can send the next one. */
	atomic_fetch_sub(&r->client->in_flight, 1);
	if (r->call.done != NULL)
		r->call.done(r->call.ctx, &result);
}

static void
finish(struct request *r, enum ch_http_class class, const char *reason)
{
	struct ch_http_client *c = r->client;

	if (r->easy != NULL)
		(void)curl_multi_remove_handle(c->multi, r->easy);
	unlink_request(r);
	tell(r, class, reason);
	if (r->easy != NULL)
		keep_handle(c, r->easy);
	request_free(r);
}

/* ---- libcurl's callbacks ---- */

static size_t
on_body(char *bytes, size_t size, size_t count, void *ctx)
{
	struct request *r = ctx;
	size_t n = size * count;

	if (r->answer.len + n > r->call.max_body) {
		r->cut = r->call.cut_body;
		r->too_large = !r->cut;
		if (r->cut)
			ch_buf_add(&r->answer, bytes,
				r->call.max_body - r->answer.len);
		return 0;
	}
	ch_buf_add(&r->answer, bytes, n);
	return n;
}

static bool
header_is(struct ch_view line, const char *name, char out[HEADER_VALUE_MAX])
{
	size_t n = strlen(name);
	struct ch_view v;

	if (line.len <= n || strncasecmp(line.ptr, name, n) != 0)
		return false;
	v = ch_view_trim((struct ch_view){line.ptr + n, line.len - n});
	if (ch_view_copy(v, out, HEADER_VALUE_MAX) < 0)
		out[0] = '\0';
	return true;
}

/* Digits or a date (RFC 9110, 10.2.3). What is neither counts as missing: to
 * libcurl it is 0, which asks to come again at once. */
static int
read_retry_after(const char *value)
{
	size_t digits = strspn(value, "0123456789");
	int64_t s;

	if (digits > 0 && value[digits] == '\0')
		return ch_view_int(ch_view_of(value), 0, RETRY_AFTER_MAX_S,
			       &s) == 0
			? (int)s
			: RETRY_AFTER_MAX_S;
	/* a date begins with its day's name */
	return value[0] >= 'A' && value[0] <= 'Z' &&
			curl_getdate(value, NULL) != -1
		? RETRY_AFTER_DATE
		: -1;
}

static bool
are_digits(struct ch_view v, size_t n)
{
	int64_t ignored;

	return v.len == n && v.ptr[0] != '-' &&
		ch_view_int(v, 0, INT64_MAX, &ignored) == 0;
}

/* "HTTP/1.1 204 No Content", "HTTP/2 204". libcurl takes whatever begins with
 * HTTP/ for a 200: a broken answer must not stand for one that says yes. */
static bool
is_status_line(struct ch_view line)
{
	struct ch_view version, major, minor, status;

	line = ch_view_trim(line);
	if (!ch_view_starts(line, CH_VIEW("HTTP/")) ||
		!ch_view_split(&line, ' ', &version) ||
		!ch_view_split(&line, ' ', &status))
		return false;
	version = (struct ch_view){version.ptr + 5, version.len - 5};
	return ch_view_split(&version, '.', &major) && are_digits(major, 1) &&
		(!ch_view_split(&version, '.', &minor) ||
			are_digits(minor, 1)) &&
		version.len == 0 && are_digits(status, 3) &&
		status.ptr[0] != '0';
}

/* The first line, or the one behind a 1xx. */
static bool
begins_answer(const struct request *r, struct ch_view line)
{
	return r->header_bytes == line.len ||
		(line.len >= 5 && strncasecmp(line.ptr, "HTTP/", 5) == 0);
}

static size_t
on_header(char *bytes, size_t size, size_t count, void *ctx)
{
	struct request *r = ctx;
	struct ch_view line = {bytes, size * count};
	char value[HEADER_VALUE_MAX];

	r->header_bytes += line.len;
	if (r->header_bytes > HEADERS_MAX) {
		r->too_large = true;
		return 0;
	}
	if (begins_answer(r, line)) {
		r->no_status = !is_status_line(line);
		if (r->no_status)
			return 0;
		r->content_type[0] = r->etag[0] = '\0';
		r->retry_after_s = -1;
	}
	(void)(header_is(line, "content-type:", r->content_type) ||
		header_is(line, "etag:", r->etag));
	if (header_is(line, "retry-after:", value))
		r->retry_after_s = read_retry_after(value);
	return line.len;
}

static curl_socket_t
on_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *a)
{
	struct request *r = ctx;
	const struct ch_http_client_options *opt = &r->client->opt;

	(void)purpose;
	if (opt->address_ok != NULL &&
		!opt->address_ok(opt->ctx, &a->addr, a->addrlen)) {
		r->refused = true;
		return CURL_SOCKET_BAD;
	}
	return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

/* ---- starting a request ---- */

static void
set_method(struct request *r)
{
	CURL *e = r->easy;

	if (strcmp(r->method, "GET") == 0 && r->body_len == 0)
		curl_easy_setopt(e, CURLOPT_HTTPGET, 1L);
	else if (strcmp(r->method, "HEAD") == 0)
		curl_easy_setopt(e, CURLOPT_NOBODY, 1L);
	else {
		if (r->body_len > 0 || strcmp(r->method, "POST") == 0 ||
			strcmp(r->method, "PUT") == 0) {
			curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE,
				(curl_off_t)r->body_len);
			curl_easy_setopt(e, CURLOPT_POSTFIELDS, r->body);
		}
		curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, r->method);
	}
}

static void
set_limits(struct request *r)
{
	CURL *e = r->easy;
	int connect_ms = r->call.connect_timeout_ms;

	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	/* else the end of a request waits for its lookup, and all the others
	 * with it: the lookup has a thread of its own, which is left behind */
	curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L);
	curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)r->call.timeout_ms);
	curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)connect_ms);
	curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(e, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(e, CURLOPT_PROXY, "");
	curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 2L);
	if (!r->call.cut_body)
		curl_easy_setopt(e, CURLOPT_MAXFILESIZE_LARGE,
			(curl_off_t)r->call.max_body);
	curl_easy_setopt(e, CURLOPT_HTTP_VERSION,
		r->call.http2 ? (long)CURL_HTTP_VERSION_2TLS
			      : (long)CURL_HTTP_VERSION_1_1);
	if (r->client->ca_file != NULL)
		curl_easy_setopt(e, CURLOPT_CAINFO, r->client->ca_file);
	if (r->call.accept_gzip)
		curl_easy_setopt(e, CURLOPT_ACCEPT_ENCODING, "gzip");
}

static void
set_callbacks(struct request *r)
{
	CURL *e = r->easy;

	curl_easy_setopt(e, CURLOPT_PRIVATE, r);
	curl_easy_setopt(e, CURLOPT_ERRORBUFFER, r->error);
	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(e, CURLOPT_WRITEDATA, r);
	curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(e, CURLOPT_HEADERDATA, r);
	curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, on_socket);
	curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, r);
}

static void
start(struct ch_http_client *c, struct request *r)
{
	r->next = c->running;
	r->prev_next = &c->running;
	if (c->running != NULL)
		c->running->prev_next = &r->next;
	c->running = r;
	r->easy = c->spare_count > 0 ? c->spare[--c->spare_count]
				     : curl_easy_init();
	if (r->easy == NULL) {
		finish(r, CH_HTTP_OTHER, "no libcurl handle");
		return;
	}
	for (size_t i = 0; r->lines[i] != NULL; i++)
		r->headers = curl_slist_append(r->headers, r->lines[i]);
	r->headers = curl_slist_append(r->headers, "Expect:");
	curl_easy_setopt(r->easy, CURLOPT_URL, r->url);
	curl_easy_setopt(r->easy, CURLOPT_USERAGENT, c->user_agent);
	curl_easy_setopt(r->easy, CURLOPT_HTTPHEADER, r->headers);
	set_method(r);
	set_limits(r);
	set_callbacks(r);
	if (curl_multi_add_handle(c->multi, r->easy) != CURLM_OK)
		finish(r, CH_HTTP_OTHER, "libcurl refused the request");
}

/* ---- the thread ---- */

static struct request *
find_running(struct ch_http_client *c, uint64_t id)
{
	struct request *r = c->running;

	while (r != NULL && r->id != id)
		r = r->next;
	return r;
}

static bool
take_incoming(struct ch_http_client *c)
{
	struct request *list;
	uint64_t *cancels;
	size_t count;
	bool stop;

	pthread_mutex_lock(&c->mu);
	list = c->incoming;
	c->incoming = NULL;
	c->incoming_end = &c->incoming;
	cancels = c->cancels;
	count = c->cancel_count;
	c->cancels = NULL;
	c->cancel_count = 0;
	stop = c->stop;
	pthread_mutex_unlock(&c->mu);
	while (list != NULL) {
		struct request *r = list;

		list = r->next;
		start(c, r);
	}
	for (size_t i = 0; i < count; i++) {
		struct request *r = find_running(c, cancels[i]);

		if (r != NULL)
			finish(r, CH_HTTP_CANCELLED, "cancelled");
	}
	free(cancels);
	return !stop;
}

static void
take_results(struct ch_http_client *c)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(c->multi, &left)) != NULL) {
		struct request *r = NULL;
		CURLcode code = m->data.result;
		enum ch_http_class class;

		if (m->msg != CURLMSG_DONE)
			continue;
		(void)curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &r);
		class = classify(r, code);
		/* libcurl only knows that there is no socket */
		if (class == CH_HTTP_CONNECT && r->refused)
			(void)snprintf(r->error, sizeof(r->error),
				"the address is not allowed");
		if (class == CH_HTTP_TOO_LARGE)
			(void)snprintf(r->error, sizeof(r->error),
				"the body is over %zu bytes, or the headers "
				"over %d",
				r->call.max_body, HEADERS_MAX);
		if (r->no_status ||
			(class == CH_HTTP_PROTOCOL && code == CURLE_OK))
			(void)snprintf(r->error, sizeof(r->error),
				"the answer has no final HTTP status line");
		finish(r, class,
			class == CH_HTTP_OK ? ""
				: r->error[0] != '\0'
				? r->error
				: curl_easy_strerror(code));
	}
}

static void *
client_main(void *arg)
{
	struct ch_http_client *c = arg;

	pthread_setname_np(pthread_self(), "http-client");
	while (take_incoming(c)) {
		int running;

		(void)curl_multi_perform(c->multi, &running);
		take_results(c);
		(void)curl_multi_poll(c->multi, NULL, 0, POLL_MS, NULL);
	}
	while (c->running != NULL)
		finish(c->running, CH_HTTP_CANCELLED, "shutting down");
	/* done() may have sent more: they were refused, stop is set. */
	assert(c->incoming == NULL);
	return NULL;
}

/* ---- the owner's calls ---- */

static void
init_libcurl(void)
{
	(void)curl_global_init(CURL_GLOBAL_DEFAULT);
}

int
ch_http_client_new(struct ch_http_client **out,
	const struct ch_http_client_options *opt, struct ch_err *err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	static const struct ch_http_client_options none;
	struct ch_http_client *c = ch_xcalloc(1, sizeof(*c));
	int rc;

	pthread_once(&once, init_libcurl);
	c->opt = opt != NULL ? *opt : none;
	if (c->opt.max_in_flight == 0)
		c->opt.max_in_flight = 256;
	if (c->opt.max_per_host == 0)
		c->opt.max_per_host = 16;
	c->multi = curl_multi_init();
	if (c->multi == NULL) {
		free(c);
		return ch_err_set(err, CH_EIO, "libcurl has no multi handle");
	}
	(void)curl_multi_setopt(c->multi, CURLMOPT_MAX_HOST_CONNECTIONS,
		(long)c->opt.max_per_host);
	(void)curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS,
		(long)c->opt.max_in_flight);
	c->user_agent = ch_xstrdup(c->opt.user_agent != NULL ? c->opt.user_agent
							     : "countinghouse");
	c->ca_file = c->opt.ca_file != NULL ? ch_xstrdup(c->opt.ca_file) : NULL;
	c->incoming_end = &c->incoming;
	c->next_id = 1;
	pthread_mutex_init(&c->mu, NULL);
	rc = pthread_create(&c->thread, NULL, client_main, c);
	if (rc != 0) {
		(void)curl_multi_cleanup(c->multi);
		free(c->user_agent);
		free(c->ca_file);
		free(c);
		return ch_err_errno(err, rc, "cannot start the HTTP thread");
	}
	*out = c;
	return 0;
}

void
ch_http_client_free(struct ch_http_client *c)
{
	if (c == NULL)
		return;
	assert(!pthread_equal(pthread_self(), c->thread));
	pthread_mutex_lock(&c->mu);
	c->stop = true;
	pthread_mutex_unlock(&c->mu);
	(void)curl_multi_wakeup(c->multi);
	pthread_join(c->thread, NULL);
	while (c->spare_count > 0)
		curl_easy_cleanup(c->spare[--c->spare_count]);
	(void)curl_multi_cleanup(c->multi);
	pthread_mutex_destroy(&c->mu);
	free(c->cancels);
	free(c->user_agent);
	free(c->ca_file);
	free(c);
}

static char **
copy_lines(const char *const *from)
{
	size_t n = 0;
	char **to;

	while (from != NULL && from[n] != NULL)
		n++;
	to = ch_xcalloc(n + 1, sizeof(*to));
	for (size_t i = 0; i < n; i++)
		to[i] = ch_xstrdup(from[i]);
	return to;
}

static struct request *
request_new(struct ch_http_client *c, const struct ch_http_call *call)
{
	struct request *r = ch_xcalloc(1, sizeof(*r));

	r->retry_after_s = -1;
	r->client = c;
	r->call = *call;
	if (r->call.timeout_ms == 0)
		r->call.timeout_ms = 10000;
	if (r->call.connect_timeout_ms == 0)
		r->call.connect_timeout_ms =
			r->call.timeout_ms < 3000 ? r->call.timeout_ms : 3000;
	if (r->call.max_body == 0)
		r->call.max_body = 1 << 20;
	r->method = ch_xstrdup(call->method != NULL ? call->method : "GET");
	r->url = ch_xstrdup(call->url);
	r->lines = copy_lines(call->headers);
	r->body = ch_xviewdup(call->body);
	r->body_len = call->body.len;
	return r;
}

static int
check_call(const struct ch_http_call *call, struct ch_err *err)
{
	struct ch_view url = ch_view_of(call->url);

	if (!ch_view_starts(url, CH_VIEW("http://")) &&
		!ch_view_starts(url, CH_VIEW("https://")))
		return ch_err_set(err, CH_EINVAL,
			"\"%.200s\" is no http or https URL", call->url);
	for (size_t i = 0; i < url.len; i++)
		if ((unsigned char)url.ptr[i] <= ' ')
			return ch_err_set(err, CH_EINVAL,
				"\"%.200s\" has white space in it", call->url);
	for (size_t i = 0; call->headers != NULL && call->headers[i] != NULL;
		i++)
		if (strpbrk(call->headers[i], "\r\n") != NULL)
			return ch_err_set(err, CH_EINVAL,
				"a header with a line break");
	return 0;
}

int
ch_http_client_send(struct ch_http_client *c, const struct ch_http_call *call,
	uint64_t *id, struct ch_err *err)
{
	struct request *r;
	bool stopped;

	if (check_call(call, err) < 0)
		return CH_EINVAL;
	if (atomic_fetch_add(&c->in_flight, 1) >= c->opt.max_in_flight) {
		atomic_fetch_sub(&c->in_flight, 1);
		return ch_err_set(err, CH_EFULL,
			"%u HTTP requests are under way already",
			c->opt.max_in_flight);
	}
	r = request_new(c, call);
	pthread_mutex_lock(&c->mu);
	stopped = c->stop;
	r->id = c->next_id++;
	if (id != NULL)
		*id = r->id;
	if (!stopped) {
		*c->incoming_end = r;
		c->incoming_end = &r->next;
	}
	pthread_mutex_unlock(&c->mu);
	if (stopped) {
		request_free(r);
		atomic_fetch_sub(&c->in_flight, 1);
		return ch_err_set(err, CH_ECLOSED, "shutting down");
	}
	(void)curl_multi_wakeup(c->multi);
	return 0;
}

void
ch_http_client_cancel(struct ch_http_client *c, uint64_t id)
{
	pthread_mutex_lock(&c->mu);
	c->cancels = ch_xrealloc(c->cancels, c->cancel_count + 1,
		sizeof(*c->cancels));
	c->cancels[c->cancel_count++] = id;
	pthread_mutex_unlock(&c->mu);
	(void)curl_multi_wakeup(c->multi);
}

unsigned
ch_http_client_in_flight(const struct ch_http_client *c)
{
	return atomic_load(&c->in_flight);
}

/* ---- addresses ---- */

struct net4 {
	uint32_t net;
	unsigned bits;
};

static const struct net4 private4[] = {{0x00000000, 8}, {0x0a000000, 8},
	{0x64400000, 10}, {0x7f000000, 8}, {0xa9fe0000, 16}, {0xac100000, 12},
	{0xc0000000, 24}, {0xc0000200, 24}, {0xc0a80000, 16}, {0xc6120000, 15},
	{0xc6336400, 24}, {0xcb007100, 24}, {0xe0000000, 4}, {0xf0000000, 4}};

static bool
public4(uint32_t a)
{
	for (size_t i = 0; i < sizeof(private4) / sizeof(private4[0]); i++)
		if ((a ^ private4[i].net) >> (32 - private4[i].bits) == 0)
			return false;
	return true;
}

static bool
public6(const struct in6_addr *a)
{
	static const uint8_t nat64[12] = {0, 0x64, 0xff, 0x9b};
	const uint8_t *b = a->s6_addr;
	uint32_t last4 = (uint32_t)b[12] << 24 | (uint32_t)b[13] << 16 |
		(uint32_t)b[14] << 8 | b[15];

	if (IN6_IS_ADDR_V4MAPPED(a) || memcmp(b, nat64, sizeof(nat64)) == 0)
		return public4(last4);
	if (b[0] == 0x20 && b[1] == 0x02) /* 6to4 */
		return public4((uint32_t)b[2] << 24 | (uint32_t)b[3] << 16 |
			(uint32_t)b[4] << 8 | b[5]);
	/* Only 2000::/3 is global; not 2001::/23 (Teredo and the like), not
	 * the documentation's 2001:db8::/32. */
	return (b[0] & 0xe0) == 0x20 &&
		!(b[0] == 0x20 && b[1] == 0x01 &&
			((b[2] & 0xfe) == 0 || (b[2] == 0x0d && b[3] == 0xb8)));
}

bool
ch_http_address_is_public(void *ctx, const struct sockaddr *sa, socklen_t len)
{
	(void)ctx;
	if (sa->sa_family == AF_INET && len >= sizeof(struct sockaddr_in)) {
		struct sockaddr_in four;

		memcpy(&four, sa, sizeof(four));
		return public4(ntohl(four.sin_addr.s_addr));
	}
	if (sa->sa_family == AF_INET6 && len >= sizeof(struct sockaddr_in6)) {
		struct sockaddr_in6 six;

		memcpy(&six, sa, sizeof(six));
		return public6(&six.sin6_addr);
	}
	return false;
}
