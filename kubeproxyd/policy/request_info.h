/* What the API server will take a request to be: parsed as Kubernetes' own resolver does (apiserver
 * requestinfo.go), after a strict path policy that refuses everything ambiguous (reference
 * kube.md 2.5). Pure. */
#ifndef EKSGATE_REQUEST_INFO_H
#define EKSGATE_REQUEST_INFO_H

#include <stdbool.h>
#include <stddef.h>

#include "common/arena.h"
#include "common/attr.h"

/* Strings are NUL-terminated, in the arena; "" when absent. A decoded NUL byte stands there as the
 * two bytes C0 80, so that it cannot hide what follows it. {0} initialises, or {.arena} to put them
 * there; request_info_free() releases. */
struct request_info {
	struct arena *arena; /* NULL: its own */
	bool is_resource;
	const char
	    *verb; /* "get", "list", "watch", "create", …; non-resource: the method in lower case */
	const char *path; /* decoded, without query */
	const char *api_group, *api_version, *resource, *subresource, *namespace, *name;
	const char *field_selector, *label_selector; /* as sent, decoded */
	const char *command; /* of exec: its words joined by spaces; NULL: none */
	bool is_command_plain; /* no word is empty or holds spaces or controls: there is one way to
				  split it */
	/* Behind ".../{pods|services|nodes}/NAME/proxy" (which ends here) the target belongs to
	 * what is proxied and is opaque; 0: not such a target. */
	size_t opaque_from;
	bool is_long_running; /* watch, log -f, exec, attach, portforward, proxy */
	struct arena own;
};

/* `target` is origin-form, behind the cluster's prefix ("/api/v1/pods?watch=1"). Strict: false
 * refuses, *reason says why (until request_info_free()), *status is 400 or 405. */
bool request_info_parse(const char *method, const char *target, struct request_info *info,
    unsigned *status, const char **reason) MUST_USE;
/* The resolver alone, without the strict policy: what the API server itself would see. Used by the
 * vectors. False: *reason is the server's own message (until request_info_free()); what it saw so
 * far is in `info`. */
bool request_info_resolve(const char *method, const char *target, struct request_info *info,
    const char **reason) MUST_USE;
void request_info_free(struct request_info *info);
/* Whether it goes to a kubelet (nodes/proxy), which runs commands in pods for whoever asks. */
bool request_info_is_kubelet(const struct request_info *info);
/* Whether it asks, as API servers ask their authorizers, about acting as somebody. Only reviews do.
 */
bool request_info_is_impersonation(const struct request_info *info);
/* The verb as access rules see it: exec, attach and portforward are "create" whatever the method.
 */
const char *request_info_access_verb(const struct request_info *info);

#endif
