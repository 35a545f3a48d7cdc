/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_filter: any bytes as a filter expression (libFuzzer).
 *
 * Holds what filter_input.h says. The corpus is kept in
 * tests/fuzz/corpus/filter, and test_filter replays it.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "filter_input.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	const char *broken = filter_check(bytes, size);

	if (broken != NULL) {
		(void)fprintf(stderr, "does not hold: %s\n", broken);
		abort();
	}
	return 0;
}
