/* The insides of a policy and of what it grants, for policy.c (which builds them) and decide.c
 * (which reads them). */
#ifndef EKSGATE_POLICY_SET_H
#define EKSGATE_POLICY_SET_H

#include <stddef.h>

#include "kubeproxyd/policy/binding.h"
#include "kubeproxyd/policy/policy.h"
#include "kubeproxyd/policy/role.h"

struct policy {
	unsigned references;
	struct role **roles; /* sorted by name */
	size_t role_count;
	const char **role_names; /* NULL-terminated, of `roles` */
	struct binding **bindings;
	size_t binding_count;
};

#endif
