/* The options of a role that are kept here: how long what somebody runs may go on, how long it may
 * be silent, how much of it at a time, and whether it is recorded (Teleport's spec.options). Pure.
 */
#ifndef EKSGATE_ROLE_OPTIONS_H
#define EKSGATE_ROLE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"
#include "common/mono.h"
#include "kubeproxyd/policy/document.h"

/* Whether sessions are recorded, the stricter the greater. */
enum record_mode {
	RECORD_UNSAID,
	RECORD_OFF,
	RECORD_BEST_EFFORT, /* a session that cannot be recorded goes on */
	RECORD_STRICT, /* it does not */
};

/* 0: no limit. */
struct role_options {
	enum record_mode record; /* record_session: execs and attaches with a terminal */
	bool records_non_interactive; /* and those without one */
	bool records_input; /* what is typed, too */
	struct duration client_idle_timeout; /* of watches, logs and tunnels without data */
	struct duration max_session_ttl; /* of the same, from their begin */
	size_t max_kubernetes_connections; /* tunnels of one user in an instance */
};

/* `node` is spec.options; other keys are passed over. */
void role_options_read(
    struct reading *reading, const struct yaml_node *node, struct role_options *options);
/* Of every limit the smaller, of recording the stricter: who holds two roles is held to both. */
void role_options_tighten(struct role_options *options, const struct role_options *by);

#endif
