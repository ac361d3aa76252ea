/* Why a cluster is, or is not, served: what each matcher says, what its scope could see, who holds
 * its name, what became of it. Reads everything, changes nothing. */
#ifndef EKSGATE_EXPLAIN_H
#define EKSGATE_EXPLAIN_H

#include <json-c/json.h>

#include "common/attr.h"
#include "common/buf.h"

struct cluster_item;
struct discovery;
struct guard;
struct registry;
struct settings;

struct explain_sources {
	const struct settings *settings;
	const struct registry *registry;
	const struct discovery *discovery;
	const struct guard *guard;
	/* How far a cluster is on the way from discovered to healthy; NULL: that is not told. */
	struct json_object *(*state)(void *arg, const struct cluster_item *item);
	void *arg;
	const char *registry_error; /* changes are not recorded; NULL */
	const char *reload_error; /* of the last SIGHUP; NULL */
};

/* `query` is a name, an ARN or what EKS calls it. {query, served, causes: [...], clusters: [...],
 * removed, scopes: [...]}; causes are the answer in short (explain_causes.h), scopes are those that
 * could hide it. */
struct json_object *explain(const struct explain_sources *sources, const char *query) MUST_USE;
/* The same for people. */
void explain_write(struct buf *out, struct json_object *explanation);

#endif
