/* What a TASK asks for: its kinds, the JSON that its body holds, and the codes of its TASK_RESULT
 * (PROTOCOL.md, section 5). A body may hold a bearer token: whoever has one wipes it. */
#ifndef EKSGATE_PROTO_TASK_H
#define EKSGATE_PROTO_TASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/message.h"

#define TASK_CHECK	"check"
#define TASK_APPLY_RBAC "apply_rbac"

#define TASK_TIMEOUT_MS_MAX 600000
#define TASK_TOKEN_MAX	    4096 /* longer ones no API server takes */

/* Codes of a TASK_RESULT. */
#define TASK_OK		     "ok"
#define TASK_UNKNOWN_KIND    "unknown-kind"
#define TASK_BAD_BODY	     "bad-body"
#define TASK_NOT_SERVED	     "not-served" /* no such cluster here, or another of the same name */
#define TASK_BUSY	     "busy"
#define TASK_UNREACHABLE     "unreachable"
#define TASK_UNAUTHENTICATED "unauthenticated" /* still 401 when the time was over */
#define TASK_FORBIDDEN	     "forbidden" /* still 403 */
#define TASK_CONFLICT	     "conflict" /* somebody else manages a field that is needed */
#define TASK_TIMED_OUT	     "timed-out"
#define TASK_FAILED	     "failed"

/* Look at the cluster now, with your own credentials. */
struct task_check {
	int64_t created_ms; /* spec.aws.created_at of the cluster that is meant */
	int64_t timeout_ms; /* the result is due within this */
	bool is_waiting; /* look again, with growing pauses, until it is permitted */
};

/* Apply the ClusterRole and the ClusterRoleBinding with this token. */
struct task_apply_rbac {
	int64_t created_ms;
	int64_t timeout_ms;
	char *token; /* a secret */
	char *cluster_role; /* name of both objects */
	char *group; /* whom the binding is for */
};

/* JSON texts (free(); the one of task_apply_rbac_encode() is a secret: explicit_bzero first). */
char *task_check_encode(const struct task_check *task) __attribute__((warn_unused_result));
char *task_apply_rbac_encode(const struct task_apply_rbac *task)
    __attribute__((warn_unused_result));
/* False: `error` says what is wrong where, and nothing is to be freed. */
bool task_check_decode(const char *text, struct task_check *task, char error[MESSAGE_ERROR_TEXT])
    __attribute__((warn_unused_result));
bool task_apply_rbac_decode(const char *text, struct task_apply_rbac *task,
    char error[MESSAGE_ERROR_TEXT]) __attribute__((warn_unused_result));
/* Wipes the token. */
void task_apply_rbac_free(struct task_apply_rbac *task);

#endif
