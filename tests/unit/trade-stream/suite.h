/* SPDX-License-Identifier: Apache-2.0 */
/*
 * suite: check_suite.h, and frames to decode.
 */
#ifndef TEST_SUITE_H
#define TEST_SUITE_H

#include "check_suite.h"
#include "frame.h"

#define NOW_2100 ((struct ch_time){INT64_C(4102444000000000)})

#endif
