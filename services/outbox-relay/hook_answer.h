/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hook_answer: what a dead letter says of its endpoint's last answer.
 *
 * An answer is the endpoint's own bytes: of them only short printable text goes
 * into a letter's class and reason.
 *
 * Thread: any. Pure.
 */
#ifndef RELAY_HOOK_ANSWER_H
#define RELAY_HOOK_ANSWER_H

#include "base/str.h"
#include "hook_sender.h"

#define HOOK_ANSWER_CLASS_MAX 32

/* "http_410", or how the request failed: "http_timeout". */
void hook_answer_class(const struct hook_flight *f,
	char out[HOOK_ANSWER_CLASS_MAX]);
/* Adds one line. */
void hook_answer_reason(const struct hook_flight *f, struct ch_buf *out);

#endif
