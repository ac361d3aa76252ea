/* The rule alone; loop.c waits. */
#include "common/gather.h"

#define LOOK_NS INT64_C(50000000)
/* Of the time that passed, in percent. Turns at a distance cost less: hence two, and now and then a
 * look without distance, since a load that would not begin it shall not keep it going. A look that
 * finds less than begins it counts more, so that this comes sooner. */
#define BUSY_FROM  60
#define BUSY_UNTIL 40
#define LOOKS_MAX  40
#define LOOK_BELOW 4
/* What works more than the first comes close to where requests wait for each other: the distance
 * grows, step by step, until there is room again. */
#define FULL_FROM  66
#define FULL_UNTIL 50
#define STEP_NS	   (GATHER_NS / 2)
/* A shorter wait costs more than it saves. */
#define WORTHWHILE_NS (GATHER_NS / 10)

static int64_t within_bounds(int64_t distance)
{
	if (distance < GATHER_NS)
		return GATHER_NS;
	return distance > GATHER_MAX_NS ? GATHER_MAX_NS : distance;
}

/* On trial, it is as it was when the load goes on. */
static int64_t next_distance(const struct gather *gather, int64_t percent, bool is_load)
{
	if (!is_load || (gather->is_busy && percent < FULL_UNTIL))
		return GATHER_NS;
	int64_t longer = gather->is_busy && percent >= FULL_FROM ? STEP_NS : 0;
	return within_bounds(gather->distance + longer);
}

static void look(struct gather *gather, int64_t now, int64_t worked)
{
	int64_t percent = (worked - gather->worked) * 100 / (now - gather->looked_at);
	bool is_load = percent >= (gather->is_busy ? BUSY_UNTIL : BUSY_FROM);
	unsigned looks = percent < BUSY_FROM ? LOOK_BELOW : 1;
	gather->distance = next_distance(gather, percent, is_load);
	gather->looks = gather->is_busy ? gather->looks + looks : 0;
	gather->is_busy = is_load && gather->looks < LOOKS_MAX;
	gather->looked_at = now;
	gather->worked = worked;
}

int64_t gather_delay(struct gather *gather, int64_t now, int64_t (*cpu_time)(void))
{
	int64_t delay = 0;
	if (now - gather->looked_at >= LOOK_NS)
		look(gather, now, cpu_time());
	if (gather->is_busy && !gather->expects_more)
		delay = gather->turned_at + gather->distance - now;
	if (delay < WORTHWHILE_NS)
		delay = 0;
	if (delay > gather->distance) /* a signal cut the last one short */
		delay = gather->distance;
	gather->expects_more = false;
	gather->turned_at = now + delay;
	return delay;
}
