/* SPDX-License-Identifier: Apache-2.0 */
/*
 * failpoint: places where a fault test can make the process die or stop.
 *
 *	CH_FAILPOINT("ledger.after_commit");
 *	if (CH_FAILPOINT_ERR("relay.before_ack"))
 *		return ch_err_set(err, CH_EIO, "failpoint");
 *
 * Compiled to nothing unless CH_FAILPOINTS is defined (test builds only; a
 * release build has neither the calls nor the names). In a test build the file
 * named by the environment variable CH_FAILPOINTS_FILE is read again whenever
 * it changed. Its lines, '#' comments allowed:
 *
 *	name=action[:arg][@nth]
 *
 * kill (SIGKILL), stop (SIGSTOP), exit:code, sleep:ms, err. With @nth it acts
 * at the nth hit of that name since the process began, once; without, at each.
 * Before acting it appends "name action pid unix-µs" to the file named by
 * CH_FAILPOINTS_LOG with one write(2), so that a test counts what happened.
 *
 * Thread: any.
 */
#ifndef CH_BASE_FAILPOINT_H
#define CH_BASE_FAILPOINT_H

#include <stdbool.h>

#ifdef CH_FAILPOINTS
/* true when the action is err. */
bool ch_failpoint_hit(const char *name);
#define CH_FAILPOINT(name) ((void)ch_failpoint_hit(name))
#define CH_FAILPOINT_ERR(name) ch_failpoint_hit(name)
#else
#define CH_FAILPOINT(name) ((void)0)
#define CH_FAILPOINT_ERR(name) false
#endif

#endif
