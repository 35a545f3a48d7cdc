/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_dialect: any headers on a record of a dead-letter topic (libFuzzer).
 *
 * Holds what dialect_input.h says of every reading: legal topics, numbers in
 * range, texts that PostgreSQL takes, bounded. The corpus is kept in
 * tests/fuzz/corpus/dialect, and test_dialect replays it.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "dialect_input.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	const char *broken = input_check(bytes, size);

	if (broken != NULL) {
		(void)fprintf(stderr, "does not hold: %s\n", broken);
		abort();
	}
	return 0;
}
