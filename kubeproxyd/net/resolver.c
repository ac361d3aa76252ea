/* Name look-ups by libevent's evdns: /etc/hosts and the name servers of resolv.conf, without
 * blocking. Every answer, also one that is known at once, is given at the end of a turn. A query
 * that was cancelled lives on without an owner until evdns lets go of it. */
#include "kubeproxyd/net/resolver.h"

#include <event2/dns.h>
#include <event2/util.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/loop.h"
#include "common/xmem.h"
#include "kubeproxyd/net/address.h"

#define ADDRESSES_MAX 16

struct resolver {
	struct loop *loop;
	struct evdns_base *dns;
};

struct resolver_query {
	struct loop *loop;
	resolver_fn *fn; /* NULL: cancelled */
	void *arg;
	char *host;
	uint16_t port;
	struct evdns_getaddrinfo_request *request; /* NULL: evdns has answered */
	bool is_asked; /* evdns will answer, or did */
	struct deferred answer;
	struct resolver_address addresses[ADDRESSES_MAX];
	size_t count;
	char *error;
};

static void free_query(void *object)
{
	struct resolver_query *query = object;
	free(query->host);
	free(query->error);
	free(query);
}

static void answer(void *arg)
{
	struct resolver_query *query = arg;
	resolver_fn *fn = query->fn;
	query->fn = NULL;
	loop_free_later(query->loop, free_query, query);
	if (fn != NULL)
		fn(query->arg, query->addresses, query->count, query->error);
}

static void take_addresses(struct resolver_query *query, const struct evutil_addrinfo *found)
{
	for (; found != NULL && query->count < ADDRESSES_MAX; found = found->ai_next) {
		if (found->ai_addrlen > sizeof(struct sockaddr_storage))
			continue;
		struct resolver_address *address = &query->addresses[query->count++];
		memcpy(&address->address, found->ai_addr, found->ai_addrlen);
		address->len = (socklen_t)found->ai_addrlen;
	}
}

static void on_answer(int result, struct evutil_addrinfo *found, void *arg)
{
	struct resolver_query *query = arg;
	query->request = NULL;
	query->is_asked = false;
	if (result == 0)
		take_addresses(query, found);
	if (found != NULL)
		evutil_freeaddrinfo(found);
	if (query->count == 0)
		query->error = xasprintf("resolve %s: %s", query->host,
		    result == 0 ? "the name has no address" : evutil_gai_strerror(result));
	loop_defer(query->loop, &query->answer);
}

static void ask(struct resolver *resolver, struct resolver_query *query)
{
	struct evutil_addrinfo hints = {
	    .ai_family = AF_UNSPEC,
	    .ai_socktype = SOCK_STREAM,
	    .ai_protocol = IPPROTO_TCP,
	    .ai_flags = EVUTIL_AI_ADDRCONFIG,
	};
	char service[8];
	evutil_snprintf(service, sizeof service, "%u", query->port);
	query->is_asked = true;
	struct evdns_getaddrinfo_request *request =
	    evdns_getaddrinfo(resolver->dns, query->host, service, &hints, on_answer, query);
	/* NULL: it has answered already. */
	if (query->is_asked)
		query->request = request;
}

/* Without resolv.conf names of /etc/hosts are found all the same. */
static struct evdns_base *make_dns(struct event_base *base)
{
	struct evdns_base *dns = evdns_base_new(
	    base, EVDNS_BASE_INITIALIZE_NAMESERVERS | EVDNS_BASE_DISABLE_WHEN_INACTIVE);
	if (dns != NULL)
		return dns;
	dns = evdns_base_new(base, EVDNS_BASE_DISABLE_WHEN_INACTIVE);
	if (dns == NULL)
		abort();
	(void)evdns_base_load_hosts(dns, "/etc/hosts");
	return dns;
}

struct resolver *resolver_new(struct loop *loop)
{
	struct resolver *resolver = xcalloc(1, sizeof *resolver);
	resolver->loop = loop;
	resolver->dns = make_dns(loop_base(loop));
	(void)evdns_base_set_option(resolver->dns, "timeout:", "3");
	(void)evdns_base_set_option(resolver->dns, "attempts:", "2");
	return resolver;
}

void resolver_free(struct resolver **resolver)
{
	if (*resolver == NULL)
		return;
	evdns_base_free((*resolver)->dns, 1);
	xfree(resolver);
}

struct resolver_query *resolver_lookup(
    struct resolver *resolver, const char *host, uint16_t port, resolver_fn *fn, void *arg)
{
	struct resolver_query *query = xcalloc(1, sizeof *query);
	query->loop = resolver->loop;
	query->fn = fn;
	query->arg = arg;
	query->host = xstrdup(host);
	query->port = port;
	query->answer = (struct deferred){.fn = answer, .arg = query};
	struct resolver_address *literal = &query->addresses[0];
	if (address_parse(host, port, &literal->address, &literal->len)) {
		query->count = 1;
		loop_defer(resolver->loop, &query->answer);
	} else {
		ask(resolver, query);
	}
	return query;
}

void resolver_cancel(struct resolver_query **query)
{
	struct resolver_query *cancelled = *query;
	*query = NULL;
	if (cancelled == NULL)
		return;
	cancelled->fn = NULL;
	if (cancelled->request != NULL)
		evdns_getaddrinfo_cancel(cancelled->request);
}
