/* nghttp2 as the client of a session, for the tests of HTTP/2 sessions: what both say is carried
 * over until they are silent. */
#ifndef EKSGATE_TESTS_SESSION_H2_TALK_H
#define EKSGATE_TESTS_SESSION_H2_TALK_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/unit/h2_end.h"
#include "tests/unit/session_h2_world.h"

extern struct h2_end client;

/* To the client. True: there was something. */
bool carry_down(void);
bool carry_up(void);
/* Until both are silent. */
void talk(void);
/* A request on a stream of its own. */
int32_t ask(const char *method, const char *path, bool has_body);
struct life *last_life(void);
/* What the client heard on it. */
struct h2_end_stream *heard(int32_t id);
void assert_answer(int32_t id, const char *head, const char *body);
/* Answered by the proxy itself, with a Status. */
void assert_refused(int32_t id, const char *status);
/* Another client. */
void reopen(const struct h2_end_options *options);
/* For cmocka. */
int set_up(void **state);
int tear_down(void **state);
/* Everything anew, with another client. */
void fresh(void **state, const struct h2_end_options *options);

#endif
