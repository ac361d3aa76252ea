/* The insides of a policy and of what it grants, for policy.c and grants.c, which build them, and
 * decide.c, which reads them. */
#ifndef EKSGATE_POLICY_SET_H
#define EKSGATE_POLICY_SET_H

#include <stddef.h>

#include "kubeproxyd/policy/binding.h"
#include "kubeproxyd/policy/policy.h"
#include "kubeproxyd/policy/role.h"
#include "kubeproxyd/policy/role_source.h"
#include "kubeproxyd/policy/standing.h"
#include "kubeproxyd/policy/subject.h"

struct policy {
	unsigned references;
	struct vocabulary vocabulary; /* of the rules of all of them */
	struct role_source **sources; /* sorted by name */
	struct role **roles; /* of them; NULL for those with templates, which are each user's own */
	size_t role_count;
	const char **role_names; /* NULL-terminated, of `sources` */
	struct binding **bindings;
	size_t binding_count;
};

struct grants {
	struct policy *policy;
	struct subject subject;
	const struct role **roles; /* the policy's or our own, in the order of their names */
	size_t role_count;
	struct role **own; /* made for this subject */
	size_t own_count;
	const char **role_names; /* NULL-terminated */
	bool denies_names; /* a role does */
	struct role_options options; /* the tightest of all */
	struct standings *standings; /* what they say of clusters, as far as it was asked */
};

#endif
