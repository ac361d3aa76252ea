/* What the registry should become after a scope was looked at: creates, updates and removals, each
 * with its reason (design.md 2.4). Pure: reads the set, decides, changes nothing. */
#ifndef EKSGATE_RECONCILE_H
#define EKSGATE_RECONCILE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"
#include "common/labels.h"
#include "common/mono.h"
#include "discoveryd/cluster_set.h"
#include "discoveryd/registry.h"
#include "discoveryd/sweep.h"

struct aws_matcher;

/* Complete listings in a row that must lack a cluster before it is gone. */
#define RECONCILE_ABSENCES 2

enum verdict {
	VERDICT_SERVED,
	VERDICT_UNMATCHED, /* no matcher of the scope wants its labels */
	VERDICT_STATUS, /* matched, but CREATING, FAILED, …: what was known stays */
	VERDICT_DELETING,
	VERDICT_UNUSABLE, /* matched, but no valid resource can be made of it */
	VERDICT_GONE, /* DescribeCluster does not find it */
	VERDICT_UNKNOWN, /* DescribeCluster failed */
};
/* "served", "unmatched", … for people and programs. */
const char *verdict_text(enum verdict verdict);

/* What was decided about one sighting; explain keeps them. */
struct judgement {
	enum verdict verdict;
	char *name; /* what EKS calls it */
	char *arn; /* NULL when it was not described */
	char *status; /* the same */
	char *detail; /* NULL, or why, for people */
	struct labels labels;
};

struct reconcile_input {
	const struct cluster_set *set;
	const char *scope; /* its id */
	const struct aws_matcher *const *matchers;
	size_t matcher_count;
	const char *group;
	const struct sweep_result *result;
};

struct reconcile_output {
	struct registry_changes changes;
	struct judgement *judgements; /* one per sighting, in their order */
	size_t judgement_count;
};

void reconcile_scope(const struct reconcile_input *input, struct reconcile_output *output);
void reconcile_output_free(struct reconcile_output *output);
void judgement_free(struct judgement *judgement);

enum coverage {
	COVERAGE_YES,
	COVERAGE_NO,
	COVERAGE_UNKNOWN, /* which regions an account has is not known now: nothing is concluded */
};
typedef enum coverage reconcile_coverage_fn(void *arg, const char *scope);

/* Clusters that no configured scope covers: marked, and removed once `grace` is over. */
void reconcile_orphans(const struct cluster_set *set, reconcile_coverage_fn *coverage, void *arg,
    struct unix_time now, struct duration grace, struct registry_changes *changes);

#endif
