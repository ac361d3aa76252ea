/* What a decision costs: a user who holds ten roles of ten rules each, in a cluster with eight
 * labels, and requests that the first, the last or no rule is about. Prints a line a case,
 * "CASE NANOSECONDS", the best of a few rounds. Run by `make bench`. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/buf.h"
#include "common/labels.h"
#include "kubeproxyd/gate/identity.h"
#include "kubeproxyd/policy/policy.h"
#include "kubeproxyd/policy/request_info.h"

#define ROLES	  10
#define RULES	  10
#define ROUNDS	  7
#define PER_ROUND 100000

static const struct {
	const char *name, *method, *target;
} cases[] = {
    {"first-rule", "GET", "/api/v1/namespaces/team-0-0/pods/web-1"},
    {"last-rule", "GET", "/api/v1/namespaces/team-9-9/pods/web-1"},
    {"glob", "GET", "/apis/apps/v1/namespaces/team-5-x/deployments/web-1"},
    {"by-all-roles", "GET", "/version"},
};

static void write_policy(struct buf *out)
{
	for (int i = 0; i < ROLES; i++) {
		buf_printf(out,
		    "---\nkind: role\nversion: v8\nmetadata: {name: role-%d}\nspec:\n  allow:\n"
		    "    kubernetes_labels: {env: [prod, dev], team: 't*'}\n"
		    "    kubernetes_groups: [group-%d]\n    kubernetes_resources:\n",
		    i, i);
		for (int j = 0; j < RULES - 1; j++)
			buf_printf(out,
			    "    - {kind: pods, namespace: team-%d-%d, name: '*', verbs: [get, "
			    "list, "
			    "watch]}\n",
			    i, j);
		buf_printf(out,
		    "    - {kind: %s, api_group: '%s', namespace: 'team-%d-*', name: '*', verbs: "
		    "[get, list]}\n",
		    i == 5 ? "deployments" : "pods", i == 5 ? "apps" : "", i);
	}
	buf_append_text(out, "---\nkind: role_binding\nversion: v1\nmetadata: {name: all}\nspec: "
			     "{users: [alice], roles: [");
	for (int i = 0; i < ROLES; i++)
		buf_printf(out, "role-%d,", i);
	buf_append_text(out, "]}\n");
}

static int64_t nanoseconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static void measure(const struct grants *grants, const struct labels *labels, const char *name,
    const struct request_info *request)
{
	int64_t best = INT64_MAX;
	for (int round = 0; round < ROUNDS; round++) {
		int64_t started = nanoseconds();
		for (int i = 0; i < PER_ROUND; i++) {
			struct decision decision = {0};
			policy_decide(grants, "prod-1", labels, request, &decision);
			if (!decision.is_allowed)
				exit(1);
			decision_clear(&decision);
		}
		int64_t took = nanoseconds() - started;
		best = took < best ? took : best;
	}
	printf("%s %lld\n", name, (long long)(best / PER_ROUND));
}

int main(void)
{
	struct buf text = {0};
	char *error = NULL, user[] = "alice";
	struct labels labels = {0};
	struct identity identity = {.user = user, .references = 1};
	static const char *const pairs[][2] = {{"env", "prod"}, {"team", "tools"},
	    {"region", "eu-west-1"}, {"account-id", "111111111111"}, {"owner", "web"},
	    {"cost-center", "42"}, {"teleport.dev/cloud", "AWS"}, {"tier", "1"}};
	for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
		labels_set(&labels, pairs[i][0], pairs[i][1]);
	write_policy(&text);
	struct policy *policy = policy_parse("bench", text.data, text.len, &error);
	if (policy == NULL) {
		fprintf(stderr, "%s\n", error);
		return 1;
	}
	struct grants *grants = policy_grants(policy, &identity);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct request_info request = {0};
		unsigned status;
		const char *reason;
		if (!request_info_parse(
			cases[i].method, cases[i].target, &request, &status, &reason))
			return 1;
		measure(grants, &labels, cases[i].name, &request);
		request_info_free(&request);
	}
	grants_free(&grants);
	policy_unref(&policy);
	labels_free(&labels);
	buf_free(&text);
	return 0;
}
