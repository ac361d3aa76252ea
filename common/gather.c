/* The rule alone; loop.c waits. */
#include "common/gather.h"

#define LOOK_NS INT64_C(50000000)
/* Of the time that passed, in percent. Turns at a distance cost less: hence two, and now and then a
 * look without distance, since a load that would not begin it shall not keep it going. */
#define BUSY_FROM  60
#define BUSY_UNTIL 40
#define LOOKS_MAX  40
/* A shorter wait costs more than it saves. */
#define WORTHWHILE_NS (GATHER_NS / 10)

static void look(struct gather *gather, int64_t now, int64_t worked)
{
	int64_t percent = (worked - gather->worked) * 100 / (now - gather->looked_at);
	gather->looks = gather->is_busy ? gather->looks + 1 : 0;
	gather->is_busy =
	    percent >= (gather->is_busy ? BUSY_UNTIL : BUSY_FROM) && gather->looks < LOOKS_MAX;
	gather->looked_at = now;
	gather->worked = worked;
}

int64_t gather_delay(struct gather *gather, int64_t now, int64_t (*cpu_time)(void))
{
	int64_t delay = 0;
	if (now - gather->looked_at >= LOOK_NS)
		look(gather, now, cpu_time());
	if (gather->is_busy && !gather->expects_more)
		delay = gather->turned_at + GATHER_NS - now;
	if (delay < WORTHWHILE_NS)
		delay = 0;
	if (delay > GATHER_NS) /* a signal cut the last one short */
		delay = GATHER_NS;
	gather->expects_more = false;
	gather->turned_at = now + delay;
	return delay;
}
