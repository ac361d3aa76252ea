/* One exchange between the made-up neighbours of exchange_world.h, and what tests let its client
 * and its API server do. */
#ifndef EKSGATE_TESTS_EXCHANGE_STAGE_H
#define EKSGATE_TESTS_EXCHANGE_STAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/loop.h"
#include "common/metrics.h"
#include "common/settings.h"
#include "kubeproxyd/exchange/caller.h"
#include "kubeproxyd/exchange/exchange.h"
#include "kubeproxyd/exchange/exchanges.h"
#include "kubeproxyd/net/holdings.h"
#include "tests/unit/exchange_world.h"

/* Of a body; two such are the budget of all. */
#define KEEP 16

extern struct side client;
extern struct exchanges *all;
extern struct loop *loop;
extern struct metrics *metrics;
extern struct settings settings;
extern struct holdings holdings;
extern struct caller caller;
extern struct http_head request;
extern struct exchange *exchange;

int set_up(void **state);
int tear_down(void **state);
/* What waits for the end of this turn. */
void end_turn(void);
/* The rest of these end it, too. */
void set_out(void);
void ask(const char *method, const char *target, enum http_body_kind body);
void client_body(const char *text);
void client_end(void);
void answer_head(size_t index, unsigned status, const char *upgrade);
void answer_body(size_t index, const char *text);
void answer_end(size_t index);
void fail_upstream(size_t index, enum peer_failure_kind kind, bool is_reused, bool is_unsent);
void assert_refused(unsigned status, const char *says);
const char *sent(size_t index, const char *name);
/* The loop, for so long: 0 is one turn. */
void run_for(int64_t ms);
/* It is a line of the metrics, or begins one. */
void count_is(const char *line);

#endif
