/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fiber: see fiber.h. ucontext(3), with the words that AddressSanitizer wants
 * about each change of stacks.
 */
#include "fiber.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/mem.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FIBER_ASAN 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define FIBER_ASAN 1
#endif

#ifdef FIBER_ASAN
#include <sanitizer/common_interface_defs.h>
#define LEAVE(keep, stack, size)                                               \
	__sanitizer_start_switch_fiber((keep), (stack), (size))
#define ARRIVE(kept, stack, size)                                              \
	__sanitizer_finish_switch_fiber((kept), (stack), (size))
#else
#define LEAVE(keep, stack, size) ((void)(keep), (void)(stack), (void)(size))
#define ARRIVE(kept, stack, size) ((void)(kept), (void)(stack), (void)(size))
#endif

#define STACK_SIZE ((size_t)512 * 1024)

struct fiber {
	ucontext_t inside, outside;
	char *stack;
	void (*fn)(void *arg);
	void *arg;
	bool ended;
	void *kept_inside, *kept_outside; /* AddressSanitizer's */
	const void *outer_stack;
	size_t outer_size;
};

struct fiber *
fiber_new(void)
{
	struct fiber *f = ch_xcalloc(1, sizeof(*f));

	f->stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (f->stack == MAP_FAILED)
		abort();
	/* a stack that overflows must not write into somebody else's */
	if (mprotect(f->stack, (size_t)sysconf(_SC_PAGESIZE), PROT_NONE) != 0)
		abort();
	f->ended = true;
	return f;
}

void
fiber_free(struct fiber *f)
{
	if (f == NULL)
		return;
	(void)munmap(f->stack, STACK_SIZE);
	free(f);
}

/* makecontext() passes ints only: the pointer comes in halves. */
static void
run(unsigned high, unsigned low)
{
	struct fiber *f = (struct fiber *)((uintptr_t)high << 32 | low);

	ARRIVE(NULL, &f->outer_stack, &f->outer_size);
	f->fn(f->arg);
	f->ended = true;
	LEAVE(NULL, f->outer_stack, f->outer_size);
}

void
fiber_begin(struct fiber *f, void (*fn)(void *arg), void *arg)
{
	uintptr_t self = (uintptr_t)f;

	f->fn = fn;
	f->arg = arg;
	f->ended = false;
	if (getcontext(&f->inside) != 0)
		abort();
	f->inside.uc_stack.ss_sp = f->stack;
	f->inside.uc_stack.ss_size = STACK_SIZE;
	f->inside.uc_link = &f->outside;
	makecontext(&f->inside, (void (*)(void))run, 2, (unsigned)(self >> 32),
		(unsigned)self);
}

void
fiber_resume(struct fiber *f)
{
	LEAVE(&f->kept_outside, f->stack, STACK_SIZE);
	if (swapcontext(&f->outside, &f->inside) != 0)
		abort();
	ARRIVE(f->kept_outside, NULL, NULL);
}

void
fiber_yield(struct fiber *f)
{
	LEAVE(&f->kept_inside, f->outer_stack, f->outer_size);
	if (swapcontext(&f->inside, &f->outside) != 0)
		abort();
	ARRIVE(f->kept_inside, &f->outer_stack, &f->outer_size);
}

bool
fiber_ended(const struct fiber *f)
{
	return f->ended;
}
