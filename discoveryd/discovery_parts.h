/* Between the parts of discovery: its state, and what discovery.c (accounts and scopes) asks of
 * discovery_passes.c (who is looked at now). */
#ifndef EKSGATE_DISCOVERY_PARTS_H
#define EKSGATE_DISCOVERY_PARTS_H

#include <bsd/sys/queue.h>
#include <bsd/sys/tree.h>
#include <stddef.h>

#include "common/attr.h"
#include "discoveryd/account.h"
#include "discoveryd/discovery.h"
#include "discoveryd/organization.h"
#include "discoveryd/scope.h"

struct refresh;
RB_HEAD(account_tree, account);

struct discovery {
	struct discovery_options options;
	const struct settings *settings;
	TAILQ_HEAD(account_list, account) accounts; /* in order of configuration */
	struct account_tree accounts_by_id;
	TAILQ_HEAD(organization_list, organization) organizations;
	TAILQ_HEAD(account_queue, account) askers; /* accounts that wait to ask for their regions */
	size_t asks; /* under way */
	TAILQ_HEAD(scope_queue, scope) queue;
	size_t passes; /* under way */
	TAILQ_HEAD(refresh_list, refresh) refreshes;
	size_t refresh_count;
};

/* discovery.c; NULL when there is none. */
struct account *discovery_find_account(const struct discovery *discovery, const char *id) MUST_USE;
struct organization *discovery_organization_of(
    const struct discovery *discovery, const struct aws_matcher *matcher) MUST_USE;

/* discovery_view.c */
struct scope *discovery_find_scope(const struct discovery *discovery, const char *id) MUST_USE;
/* The partition of roles that are known by name alone: that of the own identity. */
const char *discovery_own_partition(
    const struct discovery *discovery, const struct aws_matcher *matcher);

/* discovery_passes.c */
struct scope *discovery_add_scope(struct account *account, const char *region) MUST_USE;
/* Looks at it as soon as its turn comes, or once more when a pass is under way. */
void discovery_make_due(struct scope *scope);
void discovery_drop_scope(struct scope *scope);

#endif
