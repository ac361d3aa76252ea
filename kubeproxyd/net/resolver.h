/* Host names to addresses, on the loop (evdns): IP literals at once, names by /etc/hosts and DNS.
 */
#ifndef EKSGATE_RESOLVER_H
#define EKSGATE_RESOLVER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "common/attr.h"

struct loop;
struct resolver;
struct resolver_query;

struct resolver_address {
	struct sockaddr_storage address;
	socklen_t len;
};
/* `count` 0: `error` says why. Borrowed. Never called before resolver_lookup() returned. */
typedef void resolver_fn(
    void *arg, const struct resolver_address *addresses, size_t count, const char *error);

struct resolver *resolver_new(struct loop *loop) MUST_USE;
/* Cancel all queries before. */
void resolver_free(struct resolver **resolver);
/* The query is the caller's until its answer or resolver_cancel(), whichever comes first. Errors
 * read "resolve HOST: why". */
struct resolver_query *resolver_lookup(
    struct resolver *resolver, const char *host, uint16_t port, resolver_fn *fn, void *arg);
/* No answer will come. Safe for NULL; never for a query that was answered. */
void resolver_cancel(struct resolver_query **query);

#endif
