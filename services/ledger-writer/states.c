/* SPDX-License-Identifier: Apache-2.0 */
/*
 * states: see states.h.
 */
#include "states.h"

#include <stddef.h>

/* The place of a name in a list of them, or -1. */
static int
place_of(struct ch_view name, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (ch_view_eq_str(name, names[i]))
			return (int)i;
	}
	return -1;
}

/* <kind>_state_name() and <kind>_state_of(), names in the order of the enum. */
#define STATES(kind, ...)                                                      \
	static const char *const kind##_names[] = {__VA_ARGS__};               \
	const char *kind##_state_name(enum kind##_state s)                     \
	{                                                                      \
		return kind##_names[s];                                        \
	}                                                                      \
	bool kind##_state_of(struct ch_view name, enum kind##_state *out)      \
	{                                                                      \
		int at = place_of(name, kind##_names,                          \
			sizeof(kind##_names) / sizeof(kind##_names[0]));       \
		if (at >= 0)                                                   \
			*out = (enum kind##_state)at;                          \
		return at >= 0;                                                \
	}

STATES(hold, "held", "captured", "voided", "expired")
STATES(reservation, "reserved", "committed", "released", "expired")
STATES(order, "placed", "pending", "partial", "filled", "cancelled", "lost")
STATES(market, "open", "settling", "settled")
STATES(trade, "recorded", "confirmed")
