/* The accounts of one AWS organization as matchers ask for them, kept while AWS does not answer.
 * Owned and driven by discovery. */
#ifndef EKSGATE_ORGANIZATION_H
#define EKSGATE_ORGANIZATION_H

#include <bsd/sys/queue.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"
#include "common/aws_call.h"
#include "common/mono.h"

struct aws_matcher;
struct organization_walk;

struct organization {
	TAILQ_ENTRY(organization) entry;
	char *key; /* what two matchers must share to share the listing */
	char *id; /* "o-…" */
	char **include, **exclude; /* see organization_walk.h */
	size_t include_count, exclude_count;
	bool is_configured; /* mark of discovery_configure() */
	bool is_listed; /* it was listed since the start: `accounts` is what it has */
	char **accounts;
	size_t account_count;
	bool has_outcome;
	struct unix_time last_success; /* 0: never */
	struct aws_error error; /* of the last listing; outcome AWS_OK when it worked */
	unsigned failures; /* in a row */
	struct organization_walk *walk; /* under way */
	struct timer *timer; /* asks again */
	struct discovery *discovery;
};

/* free(); NULL when the matcher names no organization. */
char *organization_key_of(const struct aws_matcher *matcher) MUST_USE;
/* The timer and the discovery are the caller's to set. */
struct organization *organization_new(const struct aws_matcher *matcher) MUST_USE;
void organization_free(struct organization **organization);
/* Takes the outcome of a walk: what was listed before stays when it failed. True when the accounts
 * are others than before. */
bool organization_keep(struct organization *organization, const struct aws_error *error,
    const char *const *accounts, size_t count) MUST_USE;
/* {organization, accounts, last_success, error…} */
struct json_object *organization_to_json(const struct organization *organization) MUST_USE;

#endif
