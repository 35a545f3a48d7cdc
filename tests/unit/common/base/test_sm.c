/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <stddef.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/sm.h"
#include "check_suite.h"

enum door { OPEN, CLOSED, LOCKED, GONE };

static const struct ch_sm_state door_states[] = {
	[OPEN] = {"open", CH_SM_INITIAL, CH_SM_BIT(CLOSED) | CH_SM_BIT(GONE)},
	[CLOSED] = {"closed", 0, CH_SM_BIT(OPEN) | CH_SM_BIT(LOCKED)},
	[LOCKED] = {"locked", 0, CH_SM_BIT(CLOSED)},
	[GONE] = {"gone", CH_SM_FINAL, 0},
};

static struct ch_sm
a_door(void)
{
	struct ch_sm m;

	ch_sm_init(&m, "door", door_states, COUNT(door_states), OPEN);
	return m;
}

START_TEST(a_machine_begins_where_it_was_told)
{
	struct ch_sm m = a_door();

	ck_assert_int_eq(ch_sm_state(&m), OPEN);
	ck_assert_str_eq(ch_sm_name(&m), "open");
}
END_TEST

START_TEST(it_moves_along_the_table)
{
	struct ch_sm m = a_door();

	ch_sm_move(&m, CLOSED);
	ch_sm_move(&m, LOCKED);
	ck_assert_str_eq(ch_sm_name(&m), "locked");
	ch_sm_move(&m, CLOSED);
	ch_sm_move(&m, OPEN);
	ch_sm_move(&m, GONE);
	ck_assert_int_eq(ch_sm_state(&m), GONE);
}
END_TEST

START_TEST(may_tells_exactly_what_the_table_allows)
{
	struct ch_sm m = a_door();

	ck_assert(ch_sm_may(&m, CLOSED));
	ck_assert(ch_sm_may(&m, GONE));
	ck_assert(!ch_sm_may(&m, OPEN));
	ck_assert(!ch_sm_may(&m, LOCKED));
	ck_assert(!ch_sm_may(&m, 4));
	ck_assert(!ch_sm_may(&m, 64));
	ck_assert(!ch_sm_may(&m, -1));
}
END_TEST

/* How does fn end in a process of its own? 0 or a signal. */
static int
signal_of(void (*fn)(void))
{
	int status = 0;
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		(void)close(STDERR_FILENO);
		fn();
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void
lock_an_open_door(void)
{
	struct ch_sm m = a_door();

	ch_sm_move(&m, LOCKED);
}

static void
close_an_open_door(void)
{
	struct ch_sm m = a_door();

	ch_sm_move(&m, CLOSED);
}

static void
begin_with_a_locked_door(void)
{
	struct ch_sm m;

	ch_sm_init(&m, "door", door_states, COUNT(door_states), LOCKED);
}

static bool
never_closed(const void *owner, int state)
{
	return owner == NULL || state != CLOSED;
}

static void
break_the_invariant(void)
{
	struct ch_sm m = a_door();

	m.invariant = never_closed;
	m.owner = &m;
	ch_sm_move(&m, CLOSED);
}

START_TEST(moves_that_are_our_bug_abort)
{
	ck_assert_int_eq(signal_of(close_an_open_door), 0);
	ck_assert_int_eq(signal_of(lock_an_open_door), SIGABRT);
	ck_assert_int_eq(signal_of(begin_with_a_locked_door), SIGABRT);
	ck_assert_int_eq(signal_of(break_the_invariant), SIGABRT);
}
END_TEST

START_TEST(the_64th_state_can_be_entered)
{
	struct ch_sm_state many[64] = {{NULL, 0, 0}};
	struct ch_sm m;

	many[0] = (struct ch_sm_state){"first", CH_SM_INITIAL, CH_SM_BIT(63)};
	many[63] = (struct ch_sm_state){"last", CH_SM_FINAL, 0};
	ch_sm_init(&m, "many", many, 64, 0);
	ck_assert(!ch_sm_may(&m, 62));
	ch_sm_move(&m, 63);
	ck_assert_str_eq(ch_sm_name(&m), "last");
}
END_TEST

SUITE_MAIN("sm", a_machine_begins_where_it_was_told, it_moves_along_the_table,
	may_tells_exactly_what_the_table_allows, moves_that_are_our_bug_abort,
	the_64th_state_can_be_entered)
