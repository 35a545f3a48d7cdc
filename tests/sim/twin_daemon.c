/* SPDX-License-Identifier: Apache-2.0 */
/*
 * twin_daemon: the skeleton and the operating system in a simulation, as far as
 * the loop calls them; and the calls between real
 * modules in which a mistake of bug.h sits (the program is linked with
 * --wrap for each __wrap_ function here).
 */
#include <poll.h>
#include <stdlib.h>

#include "daemon/client_check.h"
#include "daemon/client_conf.h"
#include "daemon/daemon.h"
#include "health.h"
#include "load.h"
#include "sweep.h"
#include "twin_daemon.h"
#include "twin_pg.h"
#include "world.h"

#define PAGE 2 /* positions: small, so that a settlement has several pages */

/* ---- the skeleton ---- */

void
ch_runtime_watch_fd(const struct ch_runtime *rt, int slot, int fd, short events)
{
	(void)rt;
	(void)slot;
	(void)events;
	world_now()->running->watches = fd >= 0;
}

bool
ch_ready_line(struct ch_buf *verbose, const char *name, bool ok,
	const char *why)
{
	(void)verbose;
	(void)name;
	(void)why;
	return ok;
}

struct ch_kafka_conf *
ch_client_kafka_conf(const struct ch_params *p, struct ch_err *err)
{
	static char none;

	(void)p;
	(void)err;
	return (struct ch_kafka_conf *)(void *)&none;
}

void
ch_kafka_conf_free(struct ch_kafka_conf *c)
{
	(void)c;
}

int
ch_client_check_kafka(const struct ch_params *p, const char *const *reserved,
	struct ch_err *err)
{
	(void)p;
	(void)reserved;
	(void)err;
	return 0;
}

int
ch_client_check_database(const struct ch_params *p, const char *passfile_key,
	struct ch_err *err)
{
	(void)p;
	(void)passfile_key;
	(void)err;
	return 0;
}

/* ---- PostgreSQL's health: nobody looks ---- */

void
health_init(struct health *h, const struct ch_runtime *rt,
	struct session *session)
{
	*h = (struct health){.rt = rt, .session = session};
}

void
health_free(struct health *h)
{
	(void)h;
}

void
health_turn(struct health *h)
{
	(void)h;
}

/* ---- the operating system ---- */

/* In session_await(): until the answer is here, a record comes, or the slice is
 * over. A process that is stopped stays, while its statement goes on. */
int
__wrap_poll(struct pollfd *fds, nfds_t n, int timeout_ms)
{
	struct proc *p = world_now()->running;
	int64_t now = p->world->now.us;
	int64_t until = now + (int64_t)timeout_ms * 1000;

	(void)fds;
	(void)n;
	if (p->pg->ready_at > now && p->pg->ready_at < until)
		until = p->pg->ready_at;
	proc_wait(p, until);
	while (p->stopped_until != 0 && !p->killed) {
		if (ch_pg_ready(p->pg, NULL) == 0 &&
			p->pg->ready_at > p->world->now.us)
			proc_wait(p, p->pg->ready_at);
		else
			proc_wait(p, p->stopped_until);
	}
	return 0;
}

void __real_ch_rng_seed_system(struct ch_rng *r);

/* Outside of histories it is the system's. */
void
__wrap_ch_rng_seed_system(struct ch_rng *r)
{
	if (world_now() != NULL)
		ch_rng_seed(r, ch_rng_next(&world_now()->rng));
	else
		__real_ch_rng_seed_system(r);
}

/* ---- mistakes, and a page that suits a short history ---- */

void __real_sweep_init(struct sweep *w, struct apply *apply,
	struct intake *intake);

void
__wrap_sweep_init(struct sweep *w, struct apply *apply, struct intake *intake)
{
	__real_sweep_init(w, apply, intake);
	w->page = PAGE;
	if (world_one_in(world_now(), 2))
		apply->due_most = 1; /* more is due than a batch settles */
}

enum sweep_end __real_sweep_owners(struct sweep *w, const struct books *b,
	struct ch_time at, int transactions);

enum sweep_end
__wrap_sweep_owners(struct sweep *w, const struct books *b, struct ch_time at,
	int transactions)
{
	/* which asks for all before it parks; what must go first is settled */
	return world_now()->bug == BUG_PARKS_INNOCENT &&
			transactions == SWEEP_ALL
		? SWEEP_NOTHING
		: __real_sweep_owners(w, b, at, transactions);
}

bool __real_load_is_good(const struct load *l);

bool
__wrap_load_is_good(const struct load *l)
{
	return world_now()->bug == BUG_KEEPS_TURNED || __real_load_is_good(l);
}
