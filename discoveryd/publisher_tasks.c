/* Tasks in flight. A task belongs to one session and ends in exactly one of four ways: a result
 * with its nonce from that session, its time being over, its session's end, or being dropped by
 * whoever gave it. A nonce is random, so nobody but the peer it was sent to can know it; one that
 * is over is remembered as long as the session lasts, so that a late answer is no fault. Bodies may
 * hold secrets: they are wiped once they are sent. */
#include "discoveryd/publisher_tasks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "common/log.h"
#include "common/metrics.h"
#include "common/xmem.h"
#include "proto/task.h"

#define NONCE_BYTES    16
#define SESSION_TASKS  16 /* under way */
#define REMEMBERED_MAX 64 /* of a session, those that are over */
#define LATE_MS	       INT64_C(5000) /* the result may be so much later than its time */

struct task {
	TAILQ_ENTRY(task) entry;
	struct publisher_tasks *tasks;
	struct session *session;
	uint64_t id;
	char nonce[2 * NONCE_BYTES + 1];
	bool is_over;
	struct timer *timer; /* NULL once it is over */
};

struct publisher_tasks {
	struct publisher *publisher;
	TAILQ_HEAD(, task) list;
	uint64_t last_id, last_proxy;
	struct publisher_listener listener;
	struct metric *tasks, *reports;
};

static void free_task(struct task *task)
{
	TAILQ_REMOVE(&task->tasks->list, task, entry);
	timer_free(&task->timer);
	free(task);
}

/* No answer counts any more. Tells whoever gave the task; `task` stays in the list. */
static void end_task(struct task *task, bool is_ok, const char *code, const char *text)
{
	struct publisher_tasks *tasks = task->tasks;
	task->is_over = true;
	timer_free(&task->timer);
	metric_add(tasks->tasks, 1, code);
	if (tasks->listener.on_result != NULL)
		tasks->listener.on_result(tasks->listener.arg, task->id, is_ok, code, text);
}

static void on_late(void *arg)
{
	struct task *task = arg;
	end_task(task, false, TASK_TIMED_OUT, "the proxy did not answer in time");
}

static void make_nonce(char nonce[2 * NONCE_BYTES + 1])
{
	uint8_t bytes[NONCE_BYTES];
	if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
		abort();
	for (size_t i = 0; i < sizeof bytes; i++)
		snprintf(nonce + 2 * i, 3, "%02x", bytes[i]);
}

static size_t count_tasks(
    const struct publisher_tasks *tasks, const struct session *session, bool is_over)
{
	const struct task *task;
	size_t count = 0;
	TAILQ_FOREACH(task, &tasks->list, entry)
	count += task->session == session && task->is_over == is_over;
	return count;
}

static void forget_oldest(struct publisher_tasks *tasks, const struct session *session)
{
	struct task *task = TAILQ_FIRST(&tasks->list);
	while (task != NULL && (task->session != session || !task->is_over))
		task = TAILQ_NEXT(task, entry);
	if (task != NULL)
		free_task(task);
}

static struct session *find_proxy(const struct publisher *publisher, uint64_t proxy)
{
	struct session *session;
	TAILQ_FOREACH(session, &publisher->sessions, entry)
	{
		if (proxy != 0 && session->proxy == proxy && session->state > SESSION_REFUSED)
			return session;
	}
	return NULL;
}

static bool send_task(
    struct session *session, const char *nonce, const char *kind, const char *cluster, char *body)
{
	char *nonce_copy = xstrdup(nonce), *kind_copy = xstrdup(kind),
	     *cluster_copy = xstrdup(cluster);
	const union message_body message = {
	    .task = {
		.nonce = nonce_copy, .kind = kind_copy, .cluster = cluster_copy, .body = body}};
	bool is_sent = session_send_task(session, &message);
	free(nonce_copy);
	free(kind_copy);
	free(cluster_copy);
	return is_sent;
}

uint64_t publisher_give_task(struct publisher *publisher, uint64_t proxy, const char *kind,
    const char *cluster, char *body, struct duration timeout)
{
	struct publisher_tasks *tasks = publisher->tasks;
	struct session *session = find_proxy(publisher, proxy);
	char nonce[2 * NONCE_BYTES + 1];
	make_nonce(nonce);
	if (session == NULL || count_tasks(tasks, session, false) >= SESSION_TASKS ||
	    !send_task(session, nonce, kind, cluster, body))
		return 0;
	if (count_tasks(tasks, session, true) >= REMEMBERED_MAX)
		forget_oldest(tasks, session);
	struct task *task = xcalloc(1, sizeof *task);
	task->tasks = tasks;
	task->session = session;
	task->id = ++tasks->last_id;
	memcpy(task->nonce, nonce, sizeof nonce);
	task->timer = timer_new(publisher->loop, on_late, task);
	timer_set(task->timer, duration_ms(timeout.ms + LATE_MS));
	TAILQ_INSERT_TAIL(&tasks->list, task, entry);
	log_info("bus", "task", LOG_S("kind", kind), LOG_S("cluster", cluster),
	    LOG_S("instance", session->instance), LOG_I("task", task->id));
	return task->id;
}

void publisher_drop_task(struct publisher *publisher, uint64_t id)
{
	struct task *task;
	TAILQ_FOREACH(task, &publisher->tasks->list, entry)
	{
		if (task->id != id)
			continue;
		task->is_over = true;
		timer_free(&task->timer);
		return;
	}
}

void publisher_listen(struct publisher *publisher, const struct publisher_listener *listener)
{
	publisher->tasks->listener = *listener;
}

/* --- for the sessions */

void publisher_tasks_hello(struct publisher_tasks *tasks, struct session *session)
{
	publisher_tasks_gone(tasks, session);
	if (session->role == BUS_ROLE_PROXY)
		session->proxy = ++tasks->last_proxy;
}

void publisher_tasks_gone(struct publisher_tasks *tasks, struct session *session)
{
	struct task *task, *next;
	uint64_t proxy = session->proxy;
	session->proxy = 0;
	TAILQ_FOREACH_SAFE(task, &tasks->list, entry, next)
	{
		if (task->session != session)
			continue;
		if (!task->is_over)
			end_task(task, false, PUBLISHER_TASK_LOST, "the proxy has gone");
		free_task(task);
	}
	if (proxy != 0 && tasks->listener.on_gone != NULL)
		tasks->listener.on_gone(tasks->listener.arg, proxy);
}

void publisher_tasks_report(
    struct publisher_tasks *tasks, struct session *session, const struct message_report *report)
{
	metric_add(tasks->reports, 1);
	if (tasks->listener.on_report != NULL)
		tasks->listener.on_report(
		    tasks->listener.arg, session->proxy, session->instance, report);
}

bool publisher_tasks_result(struct publisher_tasks *tasks, struct session *session,
    const struct message_task_result *result)
{
	struct task *task;
	TAILQ_FOREACH(task, &tasks->list, entry)
	{
		if (task->session == session && strcmp(task->nonce, result->nonce) == 0)
			break;
	}
	if (task == NULL)
		return false;
	if (!task->is_over) {
		const char *code = result->code != NULL ? result->code : TASK_FAILED;
		log_info("bus", "task-result", LOG_I("task", task->id),
		    LOG_S("instance", session->instance), LOG_B("ok", result->is_ok),
		    LOG_S("code", code), LOG_S("text", result->text));
		end_task(task, result->is_ok, result->is_ok ? TASK_OK : code, result->text);
	}
	return true;
}

/* --- life */

struct publisher_tasks *publisher_tasks_new(struct publisher *publisher)
{
	struct publisher_tasks *tasks = xcalloc(1, sizeof *tasks);
	tasks->publisher = publisher;
	TAILQ_INIT(&tasks->list);
	return tasks;
}

void publisher_tasks_free(struct publisher_tasks **tasks)
{
	struct task *task, *next;
	if (*tasks == NULL)
		return;
	TAILQ_FOREACH_SAFE(task, &(*tasks)->list, entry, next)
	free_task(task);
	xfree(tasks);
}

void publisher_tasks_metrics(struct publisher_tasks *tasks, struct metrics *metrics)
{
	tasks->tasks = metrics_counter(
	    metrics, "eksgate_bus_tasks_total", "Tasks of proxies that are over.", "code");
	tasks->reports = metrics_counter(
	    metrics, "eksgate_bus_reports_total", "What proxies told about clusters.", "");
}
