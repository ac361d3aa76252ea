/* The options of a role that are kept here: how long what somebody runs may go on, how long it may
 * be silent, and how much of it at a time (Teleport's spec.options). Pure. */
#ifndef EKSGATE_ROLE_OPTIONS_H
#define EKSGATE_ROLE_OPTIONS_H

#include <stddef.h>

#include "common/attr.h"
#include "common/mono.h"
#include "kubeproxyd/policy/document.h"

/* 0: no limit. */
struct role_options {
	struct duration client_idle_timeout; /* of watches, logs and tunnels without data */
	struct duration max_session_ttl; /* of the same, from their begin */
	size_t max_kubernetes_connections; /* tunnels of one user in an instance */
};

/* `node` is spec.options; other keys are passed over. */
void role_options_read(
    struct reading *reading, const struct yaml_node *node, struct role_options *options);
/* Of every limit the smaller: who holds two roles is held to both. */
void role_options_tighten(struct role_options *options, const struct role_options *by);

#endif
