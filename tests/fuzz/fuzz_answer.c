/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_answer: any bytes as the answer of a webhook's endpoint (libFuzzer).
 *
 * Holds what answer_input.h says. The corpus is kept in
 * tests/fuzz/corpus/answer, and test_hook_answer replays it.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "answer_input.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	const char *broken = answer_check(bytes, size);

	if (broken != NULL) {
		(void)fprintf(stderr, "does not hold: %s\n", broken);
		abort();
	}
	return 0;
}
