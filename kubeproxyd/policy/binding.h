/* A role_binding: which users and groups hold which roles. */
#ifndef EKSGATE_BINDING_H
#define EKSGATE_BINDING_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"
#include "common/labels.h"
#include "kubeproxyd/policy/document.h"

struct identity;

struct patterns {
	struct pattern **items;
	size_t count;
};

struct binding {
	char *name;
	char *place; /* "FILE:LINE" of the document, for messages */
	struct texts roles; /* names; the policy holds each */
	struct patterns users;
	struct patterns groups;
};

/* Reads a document of kind role_binding, version v1. `known_roles` is NULL-terminated: others are
 * findings. NULL when there are any. */
struct binding *binding_read(
    struct reading *reading, const struct yaml_node *root, const char *const *known_roles) MUST_USE;
void binding_free(struct binding **binding);
/* Whether its users match the user, or its groups one of the groups. */
bool binding_is_for(const struct binding *binding, const struct identity *identity) MUST_USE;

#endif
