/* One task a cluster, at most TASKS_MAX in all. A check looks, and looks again while it is to wait;
 * an apply is apply.c's. The answer to a task goes out behind the report of what was found. Called
 * by the prober, to which the subscriber's news come. */
#include "kubeproxyd/probe/tasks.h"

#include <bsd/sys/queue.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/loop.h"
#include "common/mono.h"
#include "common/xmem.h"
#include "kubeproxyd/directory/cluster.h"
#include "kubeproxyd/directory/subscriber.h"
#include "kubeproxyd/probe/apply.h"
#include "kubeproxyd/probe/finding.h"
#include "kubeproxyd/probe/look.h"
#include "kubeproxyd/probe/prober.h"
#include "proto/task.h"

#define PAUSE_MS       1000
#define PAUSE_MAX_MS   15000
#define JITTER_PERCENT 20
/* Characters of names of RBAC objects that can stand in a path as they are. */
#define NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.:_"

struct running {
	LIST_ENTRY(running) entry;
	struct tasks *tasks;
	struct cluster *cluster;
	char *nonce;
	struct timer *timer; /* the next look */
	struct look *look;
	struct apply *apply;
	struct mono deadline;
	struct duration pause;
	bool is_waiting;
};

struct tasks {
	struct tasks_options with;
	LIST_HEAD(, running) running;
	size_t count;
};

static void free_running(void *object)
{
	struct running *running = object;
	free(running->nonce);
	free(running);
}

static void end(struct running *running)
{
	struct tasks *tasks = running->tasks;
	LIST_REMOVE(running, entry);
	tasks->count--;
	timer_free(&running->timer);
	look_cancel(&running->look);
	apply_cancel(&running->apply);
	loop_free_later(tasks->with.loop, free_running, running);
}

static void answer(struct running *running, bool is_ok, const char *code, const char *text)
{
	struct tasks *tasks = running->tasks;
	subscriber_answer_task(tasks->with.subscriber, running->nonce, is_ok, code, text);
	end(running);
}

/* --- check ----------------------------------------------------------------------------------- */

static const char *code_of(const struct finding *finding)
{
	if (finding->permitted == ANSWER_YES)
		return TASK_OK;
	if (finding->reachable != ANSWER_YES)
		return TASK_UNREACHABLE;
	if (finding->authenticated == ANSWER_NO)
		return TASK_UNAUTHENTICATED;
	return finding->permitted == ANSWER_NO ? TASK_FORBIDDEN : TASK_FAILED;
}

static bool may_wait(struct running *running)
{
	struct duration pause = duration_jitter(running->pause, JITTER_PERCENT);
	bool is_time = running->is_waiting &&
		       !mono_is_past(mono_add(running->deadline, duration_ms(-pause.ms)));
	if (!is_time)
		return false;
	int64_t doubled = running->pause.ms * 2;
	running->pause = duration_ms(doubled < PAUSE_MAX_MS ? doubled : PAUSE_MAX_MS);
	timer_set(running->timer, pause);
	return true;
}

static void on_looked(void *arg, struct finding *finding)
{
	struct running *running = arg;
	struct tasks *tasks = running->tasks;
	bool is_ok = finding->permitted == ANSWER_YES;
	const char *code = code_of(finding);
	char *text = xstrdup(finding->text);
	running->look = NULL;
	prober_take(tasks->with.prober, running->cluster, finding);
	if (is_ok || !may_wait(running))
		answer(running, is_ok, code, text);
	free(text);
}

static void on_look_again(void *arg)
{
	struct running *running = arg;
	struct look_options options =
	    prober_look_options(running->tasks->with.prober, running->cluster);
	running->look = look_start(&options, running->cluster, on_looked, running);
}

static void begin_check(struct running *running, const struct task_check *check)
{
	running->is_waiting = check->is_waiting;
	running->pause = duration_ms(PAUSE_MS);
	running->deadline = mono_add(mono_now(), duration_ms(check->timeout_ms));
	on_look_again(running);
}

/* --- apply ----------------------------------------------------------------------------------- */

static void on_applied(void *arg, bool is_ok, const char *code, const char *text)
{
	struct running *running = arg;
	running->apply = NULL;
	answer(running, is_ok, code, text);
}

static void begin_apply(struct running *running, struct task_apply_rbac *task)
{
	struct tasks *tasks = running->tasks;
	struct apply_options options = {.loop = tasks->with.loop,
	    .clusters = tasks->with.clusters,
	    .upstreams = tasks->with.upstreams,
	    .rights = tasks->with.rights};
	running->apply = apply_start(&options, running->cluster, task, on_applied, running);
}

/* --- taking ---------------------------------------------------------------------------------- */

static void refuse(
    struct tasks *tasks, const struct message_task *task, const char *code, const char *text)
{
	log_warn("probe", "task-refused", LOG_S("kind", task->kind),
	    LOG_S("cluster", task->cluster), LOG_S("code", code), LOG_S("text", text));
	subscriber_answer_task(tasks->with.subscriber, task->nonce, false, code, text);
}

static bool is_busy(const struct tasks *tasks, const struct cluster *cluster)
{
	const struct running *running;
	LIST_FOREACH(running, &tasks->running, entry)
	{
		if (running->cluster == cluster)
			return true;
	}
	return tasks->count >= TASKS_MAX;
}

/* NULL: it was refused. */
static struct running *admit(
    struct tasks *tasks, const struct message_task *task, int64_t created_ms)
{
	struct cluster *cluster = clusters_find(tasks->with.clusters, task->cluster);
	if (cluster == NULL || cluster->resource->aws.created_at.ms != created_ms) {
		refuse(tasks, task, TASK_NOT_SERVED, "this proxy does not serve this cluster");
		return NULL;
	}
	if (is_busy(tasks, cluster)) {
		refuse(tasks, task, TASK_BUSY,
		    "too many tasks, or one for this cluster, are under way");
		return NULL;
	}
	struct running *running = xcalloc(1, sizeof *running);
	running->tasks = tasks;
	running->cluster = cluster;
	running->nonce = xstrdup(task->nonce);
	running->timer = timer_new(tasks->with.loop, on_look_again, running);
	LIST_INSERT_HEAD(&tasks->running, running, entry);
	tasks->count++;
	log_info("probe", "task", LOG_S("kind", task->kind), LOG_S("cluster", task->cluster));
	return running;
}

static void take_check(struct tasks *tasks, const struct message_task *task)
{
	struct task_check check;
	char error[MESSAGE_ERROR_TEXT];
	if (!task_check_decode(task->body, &check, error)) {
		refuse(tasks, task, TASK_BAD_BODY, error);
		return;
	}
	struct running *running = admit(tasks, task, check.created_ms);
	if (running != NULL)
		begin_check(running, &check);
}

static bool is_name(const char *name)
{
	size_t len = strlen(name);
	return len > 0 && strspn(name, NAME_CHARACTERS) == len && strcmp(name, ".") != 0 &&
	       strcmp(name, "..") != 0;
}

static void take_apply(struct tasks *tasks, const struct message_task *task)
{
	struct task_apply_rbac apply;
	char error[MESSAGE_ERROR_TEXT];
	if (!task_apply_rbac_decode(task->body, &apply, error)) {
		refuse(tasks, task, TASK_BAD_BODY, error);
		return;
	}
	if (!is_name(apply.cluster_role)) {
		refuse(tasks, task, TASK_BAD_BODY, "cluster_role is no name of a ClusterRole");
	} else {
		struct running *running = admit(tasks, task, apply.created_ms);
		if (running != NULL)
			begin_apply(running, &apply);
	}
	task_apply_rbac_free(&apply);
}

void tasks_take(struct tasks *tasks, const struct message_task *task)
{
	if (strcmp(task->kind, TASK_CHECK) == 0)
		take_check(tasks, task);
	else if (strcmp(task->kind, TASK_APPLY_RBAC) == 0)
		take_apply(tasks, task);
	else
		refuse(tasks, task, TASK_UNKNOWN_KIND,
		    "this kubeproxyd does not know this kind of task");
}

struct tasks *tasks_new(const struct tasks_options *options)
{
	struct tasks *tasks = xcalloc(1, sizeof *tasks);
	tasks->with = *options;
	LIST_INIT(&tasks->running);
	return tasks;
}

void tasks_break_off(struct tasks *tasks)
{
	while (!LIST_EMPTY(&tasks->running))
		end(LIST_FIRST(&tasks->running));
}

void tasks_end_all(struct tasks *tasks, const char *text)
{
	while (!LIST_EMPTY(&tasks->running))
		answer(LIST_FIRST(&tasks->running), false, TASK_FAILED, text);
}

void tasks_forget(struct tasks *tasks, const struct cluster *cluster)
{
	struct running *running, *next;
	LIST_FOREACH_SAFE(running, &tasks->running, entry, next)
	{
		if (running->cluster == cluster)
			answer(running, false, TASK_NOT_SERVED, "the cluster is gone");
	}
}

void tasks_free(struct tasks **tasks)
{
	if (*tasks == NULL)
		return;
	tasks_break_off(*tasks);
	xfree(tasks);
}
