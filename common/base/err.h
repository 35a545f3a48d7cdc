/* SPDX-License-Identifier: Apache-2.0 */
/*
 * err: what went wrong, as a code for the program and a text for people.
 *
 * A function that can fail returns 0 or a negative enum ch_code and, when it
 * fails, fills the caller's struct ch_err. Callers add context on the way up
 * with ch_err_wrap(); whoever handles the error logs it, once.
 * Passing a NULL err is allowed everywhere: the code is still returned.
 *
 * Thread: any; a struct ch_err belongs to its caller.
 */
#ifndef CH_BASE_ERR_H
#define CH_BASE_ERR_H

#define CH_ERR_TEXT_MAX 512
#define CH_SQLSTATE_LEN 5

enum ch_code {
	CH_OK = 0,
	CH_EINVAL = -1,	   /* the input is not what the contract says */
	CH_ERANGE = -2,	   /* a value is outside of its limits; overflow */
	CH_ENOTFOUND = -3, /* what was named does not exist */
	CH_EFULL = -4,	   /* a bounded queue or buffer has no room now */
	CH_ETIMEOUT = -5,  /* a deadline passed */
	CH_EIO = -6,	   /* the network, a file or a peer failed */
	CH_ECLOSED = -7,   /* the thing was closed, or is being closed */
	CH_ESQL = -8,	   /* PostgreSQL refused; see sqlstate */
	CH_EKAFKA = -9,	   /* Kafka refused; the text names its code */
	CH_EFENCED = -10,  /* another owner has taken over */
	CH_ECONFIG = -11,  /* configuration is wrong: exit status 78 */
	CH_EPROTO = -12,   /* a peer broke its protocol */
	CH_EEXIST = -13,   /* it is there already */
};

struct ch_err {
	enum ch_code code;
	char sqlstate[CH_SQLSTATE_LEN + 1]; /* "" unless code is CH_ESQL */
	char text[CH_ERR_TEXT_MAX];	    /* one line, never NULL */
};

#define CH_ERR_INIT                                                            \
	{                                                                      \
		CH_OK, "", ""                                                  \
	}

/* Sets code and text; returns code, so that `return ch_err_set(...)` reads
 * well. Newlines in the text become spaces; a long text is cut. */
int ch_err_set(struct ch_err *err, enum ch_code code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
#ifdef __clang_analyzer__ /* sees one file at a time: tell it the result */
#define ch_err_set(err, code, ...) ((ch_err_set)(err, code, __VA_ARGS__), code)
#endif

/* As ch_err_set() with CH_EIO, with ": <errno's text>" appended. */
int ch_err_errno(struct ch_err *err, int errnum, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Puts "<context>: " before the text that is there; returns the code that is
 * there. (With a NULL err no code is known: CH_EIO.) */
int ch_err_wrap(struct ch_err *err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

void ch_err_clear(struct ch_err *err);

/* "EINVAL", "EFENCED", ...: for logs and metric labels. */
const char *ch_code_name(enum ch_code code);

#endif
