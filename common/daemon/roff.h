/* SPDX-License-Identifier: Apache-2.0 */
/*
 * roff: text for a man page (man(7)).
 *
 * Thread: any. Pure.
 */
#ifndef CH_DAEMON_ROFF_H
#define CH_DAEMON_ROFF_H

#include "base/str.h"

/* Escaped, so that it stands there as it is: also what begins a line with a
 * dot or a quote, and hyphens as on a keyboard, so that options can be copied. */
void ch_roff_add(struct ch_buf *out, const char *text);
/* As it is broken into lines, not filled. */
void ch_roff_add_example(struct ch_buf *out, const char *text);

#endif
