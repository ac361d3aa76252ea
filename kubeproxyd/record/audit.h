/* The audit log of one instance: a policy that says what is kept, a sink that keeps it, and what
 * happens to requests while nothing can be kept. */
#ifndef EKSGATE_AUDIT_H
#define EKSGATE_AUDIT_H

#include <stdbool.h>

#include "common/attr.h"
#include "kubeproxyd/record/audit_event.h"
#include "kubeproxyd/record/audit_policy.h"

struct audit;
struct loop;
struct metrics;
struct settings;

/* Borrowed; `policy` until another is set. `on_stuck` (NULL: nobody asks) is told when no request
 * may go on any more, and when they may again. */
struct audit_options {
	struct loop *loop;
	struct metrics *metrics;
	const struct settings *settings;
	const struct audit_policy *policy;
	const char *instance;
	void (*on_stuck)(void *arg, bool is_stuck);
	void *arg;
};

/* NULL with *error (free()), or, without one, because eksgate.proxy.audit.destination is off. Every
 * function below takes NULL for that. */
struct audit *audit_new(const struct audit_options *options, char **error) MUST_USE;
void audit_free(struct audit **audit);
/* After SIGHUP. */
void audit_set(
    struct audit *audit, const struct settings *settings, const struct audit_policy *policy);
/* The file, by its name, after a rotation. */
void audit_reopen(struct audit *audit);

struct audit_verdict audit_judge(const struct audit *audit, const struct identity *identity,
    const struct request_info *info) MUST_USE;
void audit_write(struct audit *audit, const struct audit_event *event);
/* The same with a line of audit_event_write(). */
void audit_write_line(struct audit *audit, const struct buf *line);
/* An event of our own, under the id of a session whose last one said that all was recorded. */
void audit_write_not_kept(struct audit *audit, const char *session, const char *problem);
/* Everything written so far is out. False: something waits, and will until it can be written. */
bool audit_flush(struct audit *audit);
/* Whether a request may go on, as far as its record is concerned: while nothing can be written,
 * eksgate.proxy.audit.when_failing decides. */
bool audit_admits(const struct audit *audit, bool is_privileged) MUST_USE;

#endif
