/* An answer of which the user may see only some: it passes a filter on its way, and nothing of it
 * goes around. Used by the other files of the exchange. */
#ifndef EKSGATE_EXCHANGE_FILTER_H
#define EKSGATE_EXCHANGE_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"

struct exchange;
struct exchange_filter;
struct exchanges;
struct filter_result;
struct http_head;

/* An answer to a request that was admitted with a filter begins. True: there is nothing to relay
 * yet; a list's head waits for the first byte that leaves, or the exchange is over. */
bool exchange_filter_begin(struct exchange *exchange, const struct http_head *upstream) MUST_USE;
/* The exchange may be over afterwards. */
void exchange_filter_add(struct exchange *exchange, const uint8_t *data, size_t len);
void exchange_filter_end(struct exchange *exchange);
/* Now and then: whether the disk answers that it waits for. The exchange may be over afterwards. */
void exchange_filter_look(struct exchange *exchange);
/* The client has room again. */
void exchange_filter_drain(struct exchange *exchange);
/* Whether the answer is a watch that a sentence can be said in: tells its reader to list anew, and
 * ends it. */
bool exchange_filter_expire(struct exchange *exchange, const char *reason) MUST_USE;
/* Between two events: what ends the body as a whole one, right before its end. */
void exchange_filter_close(struct exchange *exchange);
/* Whether a part of it lies on disk. */
bool exchange_filter_is_spooled(const struct exchange *exchange) MUST_USE;
/* What became of the answer for its client: objects that were held and never left did not pass.
 * False: nothing was filtered. */
bool exchange_filter_result(const struct exchange *exchange, struct filter_result *result) MUST_USE;
void exchange_filter_free(struct exchanges *all, struct exchange_filter **filter);

#endif
