/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_pgoutput: any bytes as a frame of a replication stream (libFuzzer).
 *
 * Holds what pgoutput_input.h says. The corpus is kept in
 * tests/fuzz/corpus/pgoutput, and test_pgoutput replays it.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "pgoutput_input.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	const char *broken = pgoutput_check(bytes, size);

	if (broken != NULL) {
		(void)fprintf(stderr, "does not hold: %s\n", broken);
		abort();
	}
	return 0;
}
