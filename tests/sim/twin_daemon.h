/* SPDX-License-Identifier: Apache-2.0 */
/*
 * twin_daemon: functions that the linker puts before real ones (--wrap).
 *
 * Thread: one.
 */
#ifndef TESTS_SIM_TWIN_DAEMON_H
#define TESTS_SIM_TWIN_DAEMON_H

#include <poll.h>
#include <stdbool.h>

#include "base/rng.h"
#include "sweep.h"

int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout_ms);
void __wrap_ch_rng_seed_system(struct ch_rng *r);
void __wrap_sweep_init(struct sweep *w, struct apply *apply,
	struct intake *intake);
enum sweep_end __wrap_sweep_owners(struct sweep *w, const struct books *b,
	struct ch_time at, int transactions);
bool __wrap_load_is_good(const struct load *l);

#endif
