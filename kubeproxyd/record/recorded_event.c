/* A line of the audit log without its end. The session is over when it is made, and everything that
 * it tells of may be gone when it is written. Owned by the exchange, then by the end of a
 * recording.
 */
#include "kubeproxyd/record/recorded_event.h"

#include <stdlib.h>

#include "common/buf.h"
#include "common/xmem.h"
#include "kubeproxyd/record/audit.h"
#include "kubeproxyd/record/audit_event.h"

struct recorded_event {
	struct audit *audit;
	struct buf line;
};

struct recorded_event *recorded_event_new(struct audit *audit)
{
	struct recorded_event *recorded = xcalloc(1, sizeof *recorded);
	recorded->audit = audit;
	return recorded;
}

void recorded_event_set(struct recorded_event *recorded, const struct audit_event *event)
{
	struct audit_event known = *event;
	known.recorded = known.recording_problem = NULL;
	buf_clear(&recorded->line);
	audit_event_write(&recorded->line, &known);
}

void recorded_event_end(struct recorded_event **recorded, const char *problem)
{
	struct recorded_event *old = *recorded;
	*recorded = NULL;
	if (old->line.len > 0) {
		audit_event_add_recorded(&old->line, problem == NULL ? "yes" : "in part", problem);
		audit_write_line(old->audit, &old->line);
	}
	buf_free(&old->line);
	free(old);
}
