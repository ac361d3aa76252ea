/* Which proxy does a case's task: one that reaches the cluster, and not the one that could not do
 * the last. Called by the steps that need a proxy. */
#include <stdlib.h>
#include <string.h>

#include "discoveryd/access_case.h"
#include "discoveryd/access_steps.h"
#include "discoveryd/cluster_set.h"
#include "discoveryd/publisher.h"

static bool is_reaching(const struct access_report *report)
{
	return report->reachable == ANSWER_YES;
}

bool case_is_unasked(const struct access_report *report)
{
	return strcmp(report->code, REPORT_UNASKED) == 0;
}

bool case_give_task(struct access_case *one, const char *kind, char *body, struct duration timeout)
{
	one->is_giving = true;
	one->task = publisher_give_task(
	    one->access->options.publisher, one->asked, kind, one->name, body, timeout);
	one->is_giving = false;
	return one->task != 0;
}

void case_drop_task(struct access_case *one)
{
	if (one->task != 0)
		publisher_drop_task(one->access->options.publisher, one->task);
	one->task = 0;
}

static bool has_refused(const struct access_case *one, uint64_t proxy)
{
	for (size_t i = 0; i < ACCESS_REFUSALS; i++) {
		if (one->refused_by[i] == proxy)
			return true;
	}
	return false;
}

static uint64_t pick(
    const struct access_case *one, bool (*is_apt)(const struct access_report *report))
{
	const struct cluster_item *item = access_item_of(one);
	size_t count = 0;
	uint64_t found = 0;
	if (item == NULL)
		return 0;
	const struct access_report **reports =
	    access_reports_of(one->access->reports, item->cluster, &count);
	for (size_t i = 0; i < count && found == 0; i++) {
		if (is_apt(reports[i]) && !has_refused(one, reports[i]->proxy))
			found = reports[i]->proxy;
	}
	free(reports);
	return found;
}

uint64_t case_pick_proxy(const struct access_case *one)
{
	return pick(one, is_reaching);
}

uint64_t case_pick_unasked(const struct access_case *one)
{
	return pick(one, case_is_unasked);
}

void case_note_refusal(struct access_case *one)
{
	one->refused_by[one->refusals++ % ACCESS_REFUSALS] = one->asked;
}
