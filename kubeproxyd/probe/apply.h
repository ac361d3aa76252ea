/* Applies the ClusterRole and the ClusterRoleBinding with a token that is not ours, which is
 * cluster-admin for the time of the task (PROTOCOL.md, apply_rbac). */
#ifndef EKSGATE_APPLY_H
#define EKSGATE_APPLY_H

#include <stdbool.h>

#include "common/attr.h"
#include "common/mono.h"

struct apply;
struct cluster;
struct clusters;
struct loop;
struct rights;
struct task_apply_rbac;
struct upstreams;

/* Borrowed; outlive the apply. */
struct apply_options {
	struct loop *loop;
	struct clusters *clusters;
	struct upstreams *upstreams;
	const struct rights *rights;
};

/* `code` of a TASK_RESULT and a text for people; borrowed. Never inside apply_start(); the apply is
 * dead. */
typedef void apply_fn(void *arg, bool is_ok, const char *code, const char *text);

/* Takes `task`, whose token is wiped when the apply is over, whatever happened. */
struct apply *apply_start(const struct apply_options *options, struct cluster *cluster,
    struct task_apply_rbac *task, apply_fn *fn, void *arg) MUST_USE;
/* No callback any more; *apply becomes NULL. Safe on NULL. */
void apply_cancel(struct apply **apply);

#endif
