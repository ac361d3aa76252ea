/* Whoever roles are judged for: what the policy keeps of an identity, for as long as the grants
 * live. */
#ifndef EKSGATE_SUBJECT_H
#define EKSGATE_SUBJECT_H

#include "kubeproxyd/policy/document.h"
#include "kubeproxyd/policy/traits.h"

struct identity;

/* A plain value that owns its strings. */
struct subject {
	char *user;
	struct texts groups; /* of the credential: they select roles, and are the trait "groups" */
	struct traits traits;
};

void subject_init(struct subject *subject, const struct identity *identity);
void subject_free(struct subject *subject);

#endif
