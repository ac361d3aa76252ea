/* Server-side apply, two objects one after the other, on connections of their own: the token stands
 * in no pool, no cache and no log, and is wiped at the end. EKS takes a while to heed a new access
 * entry, so 401 and 403 are tried again with growing pauses until the time is over. A conflict is
 * somebody else's field: nothing is forced. Called by tasks.c. */
#include "kubeproxyd/probe/apply.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/xmem.h"
#include "kubeproxyd/directory/cluster.h"
#include "kubeproxyd/probe/call.h"
#include "kubeproxyd/probe/rights.h"
#include "proto/task.h"

#define RBAC	       "/apis/rbac.authorization.k8s.io/v1"
#define QUERY	       "?fieldManager=eksgate&force=false"
#define CALL_SECONDS   20
#define PAUSE_MS       1000
#define PAUSE_MAX_MS   15000
#define JITTER_PERCENT 20

struct apply {
	struct apply_options with;
	struct cluster *cluster;
	struct task_apply_rbac task;
	apply_fn *fn;
	void *arg;
	struct timer *timer; /* the next attempt */
	struct call *call;
	struct duration pause;
	struct mono deadline;
	bool has_role; /* it is applied, the binding is next */
	bool is_done;
	unsigned last_status; /* of the latest answer; 0: none */
};

static void free_apply(void *object)
{
	struct apply *apply = object;
	free(apply);
}

static void end(struct apply *apply)
{
	apply->is_done = true;
	timer_free(&apply->timer);
	call_cancel(&apply->call);
	task_apply_rbac_free(&apply->task);
	loop_free_later(apply->with.loop, free_apply, apply);
}

static void finish(struct apply *apply, bool is_ok, const char *code, const char *text)
{
	log_info("probe", "apply-rbac", LOG_S("cluster", apply->cluster->resource->name),
	    LOG_S("code", code), LOG_S("text", text));
	end(apply);
	apply->fn(apply->arg, is_ok, code, text);
}

/* The message of a Status, or what else is known; free(). */
static char *describe(const struct apply *apply, const struct call_answer *answer)
{
	const char *what = apply->has_role ? "ClusterRoleBinding" : "ClusterRole", *message = NULL;
	char error[JSON_ERROR_TEXT];
	struct json_object *status = json_parse(answer->body, answer->body_len, error);
	if (json_object_is_type(status, json_type_object) &&
	    !json_get_optional_string(status, "", "message", &message, error))
		message = NULL;
	char *text = message != NULL ? xasprintf("%s %s: %u: %s", what, apply->task.cluster_role,
					   answer->status, message)
				     : xasprintf("%s %s: status %u", what, apply->task.cluster_role,
					   answer->status);
	json_object_put(status);
	return text;
}

/* When the time is over, the latest refusal is the reason. */
static void give_up(struct apply *apply)
{
	if (apply->last_status == 401)
		finish(apply, false, TASK_UNAUTHENTICATED,
		    "the API server did not accept the bootstrap token in time (401)");
	else if (apply->last_status == 403)
		finish(apply, false, TASK_FORBIDDEN,
		    "the bootstrap principal was not allowed to apply the objects in time (403)");
	else
		finish(apply, false, TASK_TIMED_OUT, "the time was over before all was applied");
}

static void try_later(struct apply *apply)
{
	struct duration pause = duration_jitter(apply->pause, JITTER_PERCENT);
	if (mono_is_past(mono_add(apply->deadline, duration_ms(-pause.ms)))) {
		give_up(apply);
		return;
	}
	int64_t doubled = apply->pause.ms * 2;
	apply->pause = duration_ms(doubled < PAUSE_MAX_MS ? doubled : PAUSE_MAX_MS);
	timer_set(apply->timer, pause);
}

static void judge(struct apply *apply, const struct call_answer *answer)
{
	char *text = describe(apply, answer);
	if (answer->status == 401 || answer->status == 403 || answer->status == 429)
		try_later(apply);
	else if (answer->status == 409)
		finish(apply, false, TASK_CONFLICT, text);
	else
		finish(apply, false, TASK_FAILED, text);
	free(text);
}

static void on_answer(void *arg, const struct call_answer *answer)
{
	struct apply *apply = arg;
	apply->call = NULL;
	apply->last_status = answer->status;
	if (answer->status == 0) {
		finish(apply, false, TASK_UNREACHABLE, answer->reason);
	} else if (answer->status != 200 && answer->status != 201) {
		judge(apply, answer);
	} else if (apply->has_role) {
		finish(apply, true, TASK_OK, "ClusterRole and ClusterRoleBinding are applied");
	} else {
		apply->has_role = true;
		timer_set(apply->timer, duration_ms(0));
	}
}

static struct json_object *make_object(const struct apply *apply)
{
	if (apply->has_role)
		return rights_cluster_role_binding(apply->task.cluster_role, apply->task.group);
	return rights_cluster_role(apply->with.rights, apply->task.cluster_role);
}

static struct duration time_left(const struct apply *apply)
{
	struct duration left = mono_between(mono_now(), apply->deadline);
	return left.ms < CALL_SECONDS * 1000 ? left : duration_seconds(CALL_SECONDS);
}

/* The name is one of a ClusterRole, so it can stand in a path. */
static void send(struct apply *apply)
{
	struct json_object *object = make_object(apply);
	char *target = xasprintf(RBAC "/%s/%s" QUERY,
	    apply->has_role ? "clusterrolebindings" : "clusterroles", apply->task.cluster_role);
	struct call_request request = {
	    .method = "PATCH",
	    .target = target,
	    .content_type = "application/apply-patch+yaml", /* of which JSON is a part */
	    .body = json_object_to_json_string_ext(
		object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE),
	    .token = apply->task.token,
	    .timeout = time_left(apply),
	    .is_alone = true,
	};
	apply->call = call_start(
	    apply->with.loop, apply->with.upstreams, apply->cluster, &request, on_answer, apply);
	json_object_put(object);
	free(target);
}

static void on_attempt(void *arg)
{
	struct apply *apply = arg;
	char *error = NULL;
	if (cluster_prepare(apply->with.clusters, apply->cluster, &error))
		send(apply);
	else
		finish(apply, false, TASK_UNREACHABLE, error);
	free(error);
}

struct apply *apply_start(const struct apply_options *options, struct cluster *cluster,
    struct task_apply_rbac *task, apply_fn *fn, void *arg)
{
	struct apply *apply = xcalloc(1, sizeof *apply);
	apply->with = *options;
	apply->cluster = cluster;
	apply->task = *task;
	*task = (struct task_apply_rbac){0};
	apply->fn = fn;
	apply->arg = arg;
	apply->pause = duration_ms(PAUSE_MS);
	apply->deadline = mono_add(mono_now(), duration_ms(apply->task.timeout_ms));
	apply->timer = timer_new(options->loop, on_attempt, apply);
	timer_set(apply->timer, duration_ms(0));
	return apply;
}

void apply_cancel(struct apply **apply)
{
	if (*apply != NULL && !(*apply)->is_done)
		end(*apply);
	*apply = NULL;
}
