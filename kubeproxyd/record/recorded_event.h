/* The last audit event of a session that is recorded: it waits until it can say whether all of the
 * recording was written. */
#ifndef EKSGATE_RECORDED_EVENT_H
#define EKSGATE_RECORDED_EVENT_H

#include "common/attr.h"

struct audit;
struct audit_event;
struct recorded_event;

/* `audit` (NULL: off) outlives it. */
struct recorded_event *recorded_event_new(struct audit *audit) MUST_USE;
/* The event as it is known now, its `recorded` and `recording_problem` left out. None: the policy
 * wants none. */
void recorded_event_set(struct recorded_event *recorded, const struct audit_event *event);
/* It is known: writes the event and frees. `problem` NULL: all was written. */
void recorded_event_end(struct recorded_event **recorded, const char *problem);

#endif
