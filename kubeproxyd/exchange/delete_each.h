/* A deletecollection by somebody whose roles are for some names or namespaces: what is there is
 * listed in the user's name, and what the roles let the user delete is deleted one by one, each a
 * request of its own (own_request.h) that is decided and recorded as such. */
#ifndef EKSGATE_DELETE_EACH_H
#define EKSGATE_DELETE_EACH_H

#include "common/attr.h"

struct delete_each;
struct exchange;

/* The whole body of the exchange's request is at hand. It answers and ends the exchange, in this
 * call only when the body cannot be read. */
void delete_each_start(struct exchange *exchange);
/* Nothing more is deleted, and requests under way are given up. Safe on NULL. */
void delete_each_free(struct delete_each **each);

#endif
