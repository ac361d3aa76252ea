/* What people see of access: `discoveryd access NAME`, and the way from discovered to healthy that
 * get, explain and status show. Changes nothing. */
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/settings.h"
#include "common/xmem.h"
#include "discoveryd/access_case.h"
#include "discoveryd/access_steps.h"
#include "discoveryd/cluster_set.h"
#include "discoveryd/registry.h"

/* --- from discovered to healthy --------------------------------------------------------------- */

static const char *const stages[ACCESS_STAGES] = {
    "discovered", "access", "reachable", "permitted", "healthy"};
enum stage { DISCOVERED, ACCESS, REACHABLE, PERMITTED, HEALTHY };

/* How far one proxy gets. */
static enum stage reached_by(const struct access_report *report)
{
	if (report->healthy == ANSWER_YES && report->permitted == ANSWER_YES)
		return HEALTHY;
	if (report->permitted == ANSWER_YES)
		return PERMITTED;
	return report->reachable == ANSWER_YES ? REACHABLE : ACCESS;
}

static const struct access_report *best_of(const struct access_report *const *reports, size_t count)
{
	const struct access_report *best = NULL;
	for (size_t i = 0; i < count; i++) {
		if (best == NULL || reached_by(reports[i]) > reached_by(best))
			best = reports[i];
	}
	return best;
}

/* Access is reached when the cluster lets the proxy in, or when nothing is left to do for it. */
static enum stage reached(const struct access_case *one, const struct access_report *best)
{
	enum stage far = best != NULL ? reached_by(best) : DISCOVERED;
	bool is_arranged =
	    one->plan.action == ACCESS_REST &&
	    (one->plan.reason == REASON_READY || one->plan.reason == REASON_NO_PROXY ||
		one->plan.reason == REASON_UNREACHABLE);
	if (far >= PERMITTED)
		return far;
	return is_arranged ? ACCESS : DISCOVERED;
}

const char *show_stage_text(size_t stage)
{
	return stages[stage];
}

void show_count_stages(struct access *access, size_t counts[ACCESS_STAGES])
{
	struct access_case *one = NULL;
	memset(counts, 0, ACCESS_STAGES * sizeof *counts);
	while ((one = access_next_case(access, one)) != NULL) {
		const struct cluster_item *item = access_item_of(one);
		size_t count = 0;
		if (item == NULL)
			continue;
		const struct access_report **reports =
		    access_reports_of(access->reports, item->cluster, &count);
		counts[reached(one, best_of(reports, count))]++;
		free(reports);
	}
}

static void add_blame(struct json_object *object, const struct access_case *one,
    const struct access_report *best, enum stage far)
{
	if (far == HEALTHY)
		return;
	bool is_access = far < PERMITTED && one->plan.reason != REASON_READY &&
			 !(best != NULL && one->plan.reason == REASON_UNREACHABLE);
	if (best != NULL && !is_access) {
		json_add_string(object, "reason", best->code);
		json_add_string(object, "text", best->text);
		return;
	}
	char *text = words_reason(one), *remedy = words_remedy(one);
	json_add_string(object, "reason", access_reason_text(one->plan.reason));
	json_add_string(object, "text", text);
	json_add_string(object, "remedy", remedy);
	free(text);
	free(remedy);
}

static void add_proxies(
    struct json_object *object, const struct access_report *const *reports, size_t count)
{
	struct json_object *array = json_object_new_array();
	for (size_t i = 0; i < count; i++)
		json_object_array_add(array, access_report_to_json(reports[i]));
	json_object_object_add(object, "proxies", array);
}

struct json_object *access_state_to_json(struct access *access, const struct cluster_item *item)
{
	struct json_object *object = json_object_new_object();
	const struct access_case *one = access_find_case(access, item->cluster->aws.arn);
	size_t count = 0;
	const struct access_report **reports =
	    access_reports_of(access->reports, item->cluster, &count);
	if (one != NULL) {
		const struct access_report *best = best_of(reports, count);
		enum stage far = reached(one, best);
		json_add_string(object, "reached", stages[far]);
		if (far < HEALTHY)
			json_add_string(object, "next", stages[far + 1]);
		add_blame(object, one, best, far);
	}
	json_object_object_add(object, "served_by", json_object_new_int64((int64_t)count));
	add_proxies(object, reports, count);
	free(reports);
	return object;
}

/* --- one cluster ------------------------------------------------------------------------------ */

static const char *entry_text(enum access_entry_state state)
{
	static const char *const texts[] = {
	    "not looked at", "not permitted to look", "absent", "present"};
	return texts[state];
}

static struct json_object *found_to_json(const struct access_case *one, size_t i)
{
	const struct access_entry_facts *entry = &one->facts[i].entry;
	struct json_object *object = json_object_new_object(), *groups = json_object_new_array();
	json_add_string(object, "principal", one->wanted.principals[i]);
	json_add_string(object, "entry", entry_text(entry->state));
	for (size_t k = 0; k < one->targets[i].group_count; k++)
		json_object_array_add(groups, json_object_new_string(one->targets[i].groups[k]));
	json_object_object_add(object, "groups", groups);
	if (entry->state == ENTRY_PRESENT)
		json_add_string(object, "made_by",
		    entry->marks.is_mine      ? "this discoveryd"
		    : entry->marks.is_managed ? "another discoveryd"
					      : "others");
	const struct access_row *row = access_journal_find(
	    one->access->journal, one->arn, ACCESS_ROW_ENTRY, one->wanted.principals[i]);
	if (row != NULL)
		json_add_string(object, "journal", access_stage_text(row->stage));
	return object;
}

static struct json_object *bootstrap_to_json(const struct access_case *one)
{
	struct json_object *object = json_object_new_object();
	const struct access_row *row = access_journal_bootstrap(one->access->journal, one->arn);
	json_add_string(object, "principal", one->bootstrap_principal);
	json_add_string(object, "entry", entry_text(one->bootstrap.entry.state));
	json_object_object_add(object, "temporary", json_object_new_boolean(row != NULL));
	if (row != NULL)
		json_add_string(object, "journal", access_stage_text(row->stage));
	return object;
}

static struct json_object *wanted_to_json(const struct access_case *one)
{
	struct json_object *object = json_object_new_object(), *list = json_object_new_array();
	json_add_string(object, "mode", access_mode_text(one->wanted.mode));
	for (size_t i = 0; i < one->wanted.count; i++)
		json_object_array_add(list, json_object_new_string(one->wanted.principals[i]));
	json_object_object_add(object, "principals", list);
	json_add_string(object, "from",
	    one->wanted.count == 0	? "nothing"
	    : one->wanted.is_configured ? "setup_access_for_arn"
					: "kubernetes_service.resources");
	json_add_string(object, "group", one->wanted.group);
	json_add_string(object, "cluster_role", one->wanted.cluster_role);
	return object;
}

static struct json_object *plan_to_json(const struct access_case *one)
{
	struct json_object *object = json_object_new_object();
	char *reason = words_reason(one), *remedy = words_remedy(one);
	json_add_string(object, "step", access_action_text(one->plan.action));
	json_add_string(object, "reason", access_reason_text(one->plan.reason));
	json_add_string(object, "text", reason);
	json_add_string(object, "remedy", remedy);
	free(reason);
	free(remedy);
	return object;
}

static void add_last_step(struct json_object *object, const struct access_case *one)
{
	char at[UNIX_TIME_TEXT];
	if (one->last_step == NULL)
		return;
	struct json_object *step = json_object_new_object();
	json_add_string(step, "what", one->last_step);
	json_add_string(step, "at", unix_time_text(one->last_step_at, at));
	json_object_object_add(object, "last_step", step);
}

struct json_object *access_to_json(struct access *access, const char *name)
{
	const struct cluster_item *item =
	    cluster_set_find_name(registry_set(access->options.registry), name);
	struct access_case *one =
	    item != NULL ? access_find_case(access, item->cluster->aws.arn) : NULL;
	if (one == NULL)
		return NULL;
	/* As it would be planned now; performs nothing. */
	struct access_facts facts = case_facts(one);
	if (one->call == NULL && one->task == 0 && one->wait == NULL && one->identity == NULL)
		one->plan = access_plan_next(&facts);
	struct json_object *object = json_object_new_object(), *found = json_object_new_array();
	json_add_string(object, "name", one->name);
	json_add_string(object, "arn", one->arn);
	json_add_string(object, "authentication_mode", item->cluster->authentication_mode);
	json_add_string(object, "acts_as", one->account);
	json_object_object_add(object, "wanted", wanted_to_json(one));
	for (size_t i = 0; i < one->wanted.count; i++)
		json_object_array_add(found, found_to_json(one, i));
	json_object_object_add(object, "found", found);
	json_object_object_add(object, "bootstrap", bootstrap_to_json(one));
	json_object_object_add(object, "plan", plan_to_json(one));
	add_last_step(object, one);
	json_add_string(object, "error", one->error);
	json_object_object_add(object, "state", access_state_to_json(access, item));
	return object;
}

/* --- all of them ------------------------------------------------------------------------------ */

struct json_object *access_summary(struct access *access)
{
	struct json_object *object = json_object_new_object(), *by = json_object_new_object();
	size_t counts[ACCESS_REASONS] = {0}, temporary = 0;
	struct access_case *one = NULL;
	while ((one = access_next_case(access, one)) != NULL)
		counts[one->plan.reason]++;
	for (size_t i = 0; i < ACCESS_REASONS; i++) {
		if (counts[i] > 0)
			json_object_object_add(by, access_reason_text((enum access_reason)i),
			    json_object_new_int64((int64_t)counts[i]));
	}
	struct json_object *reached_by_count = json_object_new_object();
	size_t far[ACCESS_STAGES];
	show_count_stages(access, far);
	for (size_t i = 0; i < ACCESS_STAGES; i++)
		json_object_object_add(
		    reached_by_count, stages[i], json_object_new_int64((int64_t)far[i]));
	json_object_object_add(object, "reached", reached_by_count);
	const struct access_row *row = NULL;
	while ((row = access_journal_next(access->journal, row)) != NULL)
		temporary += row->kind == ACCESS_ROW_BOOTSTRAP;
	json_object_object_add(object, "clusters", by);
	json_object_object_add(
	    object, "temporary_entries", json_object_new_int64((int64_t)temporary));
	json_object_object_add(object, "reports",
	    json_object_new_int64((int64_t)access_reports_count(access->reports)));
	json_add_string(object, "owner", access_journal_owner(access->journal));
	return object;
}
