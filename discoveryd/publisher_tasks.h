/* What is asked of proxies and what they tell: tasks with their nonces, and reports. A part of the
 * publisher, as publisher_session.h; others use publisher.h. */
#ifndef EKSGATE_PUBLISHER_TASKS_H
#define EKSGATE_PUBLISHER_TASKS_H

#include "discoveryd/publisher_session.h"

struct publisher_tasks;

struct publisher_tasks *publisher_tasks_new(struct publisher *publisher) MUST_USE;
/* Nobody is told any more. */
void publisher_tasks_free(struct publisher_tasks **tasks);

void publisher_tasks_metrics(struct publisher_tasks *tasks, struct metrics *metrics);

/* A session begins, perhaps once more: what it reported and was asked before is over. */
void publisher_tasks_hello(struct publisher_tasks *tasks, struct session *session);
void publisher_tasks_gone(struct publisher_tasks *tasks, struct session *session);
void publisher_tasks_report(
    struct publisher_tasks *tasks, struct session *session, const struct message_report *report);
/* False: this session was given no such task. */
bool publisher_tasks_result(struct publisher_tasks *tasks, struct session *session,
    const struct message_task_result *result) MUST_USE;

#endif
