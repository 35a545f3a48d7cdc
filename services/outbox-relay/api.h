/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api: the dead letters over HTTP, and the console, a page on top of it.
 *
 * A second face on what the verbs of `dlq` use. Requests are taken on the
 * network thread (api_guard says whether), and answered one after the other
 * on a thread of the API's own with a connection of its own, which is opened
 * when it is needed and closed when nobody has asked for a minute: an
 * operator's question never waits in the relay's loop, nor the loop for it. A
 * plan runs on a third thread (api_run).
 *
 * Bounded: API_WAITING requests wait, more get 503; bodies of 2 MiB; answers
 * of API_LETTERS_MAX letters; statements of 15 s.
 *
 * The resources are in docs/reference/outbox-relay-api.yaml.
 *
 * Thread: main.
 */
#ifndef RELAY_API_H
#define RELAY_API_H

#include "base/err.h"
#include "daemon/daemon.h"

struct api;

/* Listens. *out is NULL when api_listen is empty. CH_ECONFIG, or as
 * ch_http_server_start(). */
int api_open(struct api **out, const struct ch_runtime *rt, struct ch_err *err);
/* A plan that runs is stopped where it is: waits for the page in hand. NULL
 * is allowed. */
void api_close(struct api *a);

#endif
