/* The steps on a proxy's own entry, and the check that ends them. Each change is in the journal
 * before it is asked for, and what AWS answers is believed instead of read back, since EKS shows a
 * new entry only after a while. */
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/settings.h"
#include "common/xmem.h"
#include "discoveryd/access_case.h"
#include "discoveryd/access_steps.h"
#include "discoveryd/publisher.h"
#include "proto/task.h"

#define WAITING_MS_MIN 5000

static struct case_target *target_of(struct access_case *one)
{
	return &one->targets[one->plan.target];
}

static struct access_target *facts_of(struct access_case *one)
{
	return &one->facts[one->plan.target];
}

static const char *principal_of(const struct access_case *one)
{
	return one->wanted.principals[one->plan.target];
}

/* --- what was found --------------------------------------------------------------------------- */

struct access_entry_facts step_entry_facts(
    const struct access_case *one, const struct eks_access_entry *entry)
{
	return (struct access_entry_facts){.state = ENTRY_PRESENT,
	    .is_standard = strcmp(entry->type, "STANDARD") == 0,
	    .has_group = eks_access_entry_has_group(entry, one->wanted.group),
	    .marks = access_tags_read(
		&entry->tags, access_journal_owner(one->access->journal), unix_now())};
}

static void keep_entry(struct access_case *one, const struct eks_access_entry *entry)
{
	struct case_target *target = target_of(one);
	for (size_t i = 0; i < target->group_count; i++)
		free(target->groups[i]);
	free(target->entry_arn);
	target->groups = xreallocarray(target->groups, entry->group_count + 1, sizeof(char *));
	for (size_t i = 0; i < entry->group_count; i++)
		target->groups[i] = xstrdup(entry->groups[i]);
	target->group_count = entry->group_count;
	target->entry_arn = xstrdup_or_null(entry->arn);
	facts_of(one)->entry = step_entry_facts(one, entry);
}

/* Brings the journal to what was found: an entry that has our group already is remembered, so that
 * it is not looked at again at each start, and so is how a creation that was interrupted ended. */
static bool record_found(struct access_case *one)
{
	const struct access_target *facts = facts_of(one);
	const struct access_row *row = access_journal_find(
	    one->access->journal, one->arn, ACCESS_ROW_ENTRY, principal_of(one));
	bool is_open =
	    row == NULL || row->stage == ACCESS_CREATING || row->stage == ACCESS_UPDATING;
	bool is_ours = facts->entry.marks.is_mine && !facts->entry.marks.is_temporary;
	if (!facts->entry.has_group || !is_open)
		return true;
	return case_journal(one, ACCESS_ROW_ENTRY, principal_of(one),
	    is_ours					   ? ACCESS_CREATED
	    : row != NULL && row->stage == ACCESS_UPDATING ? ACCESS_UPDATED
							   : ACCESS_SEEN);
}

static void on_described(
    void *arg, const struct aws_reply *reply, const struct eks_access_entry *entry)
{
	struct access_case *one = arg;
	struct access_target *facts = facts_of(one);
	one->call = NULL;
	if (entry != NULL) {
		keep_entry(one, entry);
		if (record_found(one))
			case_done(one);
		return;
	}
	if (reply->outcome == AWS_NOT_FOUND && !eks_access_is_no_cluster(reply)) {
		facts->entry.state = ENTRY_ABSENT;
		case_done(one);
		return;
	}
	if (reply->outcome == AWS_DENIED)
		facts->entry.state = ENTRY_HIDDEN;
	case_failed(one, EKS_DESCRIBE_ENTRY, reply);
}

static void describe(struct access_case *one)
{
	struct eks_access_request request = {
	    .op = EKS_DESCRIBE_ENTRY, .principal = principal_of(one)};
	case_call(one, &request, on_described);
}

/* --- creating --------------------------------------------------------------------------------- */

static bool is_code(const struct aws_reply *reply, const char *code)
{
	return reply->code != NULL && strcmp(reply->code, code) == 0;
}

/* It is certain that nothing was made. */
static void on_not_created(struct access_case *one, const struct aws_reply *reply)
{
	struct access_target *facts = facts_of(one);
	if (!case_journal_clear(one, ACCESS_ROW_ENTRY, principal_of(one)))
		return;
	if (is_code(reply, "ResourceInUseException")) {
		facts->is_taken = true;
		facts->entry.state =
		    (one->denied & (1u << EKS_DESCRIBE_ENTRY)) != 0 ? ENTRY_HIDDEN : ENTRY_UNKNOWN;
		case_done(one);
		return;
	}
	if (is_code(reply, "InvalidParameterException"))
		facts->is_invalid = true;
	if (!facts->is_invalid) {
		case_failed(one, EKS_CREATE_ENTRY, reply);
		return;
	}
	free(one->error);
	one->error = xasprintf("%s: %s", eks_access_action(EKS_CREATE_ENTRY), reply->message);
	case_go_on(one);
}

/* An answer that is not AWS's word on the first attempt may hide an entry that was made. */
static bool is_certain(const struct aws_reply *reply)
{
	bool is_refusal = reply->outcome == AWS_DENIED ||
			  is_code(reply, "ResourceInUseException") ||
			  is_code(reply, "InvalidParameterException") ||
			  is_code(reply, "InvalidRequestException") ||
			  is_code(reply, "ResourceLimitExceededException");
	return is_refusal && reply->attempts <= 1;
}

static void on_created(
    void *arg, const struct aws_reply *reply, const struct eks_access_entry *entry)
{
	struct access_case *one = arg;
	one->call = NULL;
	if (entry == NULL && (is_certain(reply) || is_code(reply, "ResourceInUseException"))) {
		on_not_created(one, reply);
		return;
	}
	if (entry == NULL) {
		case_failed(one, EKS_CREATE_ENTRY, reply);
		return;
	}
	keep_entry(one, entry);
	one->changed_at = one->created = mono_now();
	one->is_entry_new = true;
	one->is_checked = false;
	if (!case_journal(one, ACCESS_ROW_ENTRY, principal_of(one), ACCESS_CREATED))
		return;
	log_info("access", "entry-created", LOG_S("cluster", one->name),
	    LOG_S("principal", principal_of(one)), LOG_S("group", one->wanted.group));
	case_done(one);
}

/* Without TagResource the entry is made all the same; then nobody can tell whose it is. */
static void create(struct access_case *one)
{
	if (!case_journal(one, ACCESS_ROW_ENTRY, principal_of(one), ACCESS_CREATING))
		return;
	const struct access_row *row = access_journal_find(
	    one->access->journal, one->arn, ACCESS_ROW_ENTRY, principal_of(one));
	struct labels tags = access_tags_lasting(access_journal_owner(one->access->journal));
	bool may_tag = (one->denied & (1u << EKS_TAG_RESOURCE)) == 0;
	const char *const groups[] = {one->wanted.group};
	struct eks_access_request request = {.op = EKS_CREATE_ENTRY,
	    .principal = principal_of(one),
	    .groups = groups,
	    .group_count = 1,
	    .tags = may_tag ? &tags : NULL,
	    .token = row->token};
	case_call(one, &request, on_created);
	labels_free(&tags);
}

/* --- the union of groups ---------------------------------------------------------------------- */

static void on_updated(
    void *arg, const struct aws_reply *reply, const struct eks_access_entry *entry)
{
	struct access_case *one = arg;
	one->call = NULL;
	if (entry == NULL) {
		/* It may have gone, or have other groups by now. */
		if (reply->outcome != AWS_DENIED)
			facts_of(one)->entry.state = ENTRY_UNKNOWN;
		case_failed(one, EKS_UPDATE_ENTRY, reply);
		return;
	}
	keep_entry(one, entry);
	one->changed_at = mono_now();
	one->is_entry_new = false;
	one->is_checked = false;
	bool is_ours = facts_of(one)->entry.marks.is_mine;
	if (!case_journal(one, ACCESS_ROW_ENTRY, principal_of(one),
		is_ours ? ACCESS_CREATED : ACCESS_UPDATED))
		return;
	log_info("access", "group-added", LOG_S("cluster", one->name),
	    LOG_S("principal", principal_of(one)), LOG_S("group", one->wanted.group));
	case_done(one);
}

static void update(struct access_case *one)
{
	const struct case_target *target = target_of(one);
	if (!case_journal(one, ACCESS_ROW_ENTRY, principal_of(one), ACCESS_UPDATING))
		return;
	const char **groups = xcalloc(target->group_count + 1, sizeof(char *));
	for (size_t i = 0; i < target->group_count; i++)
		groups[i] = target->groups[i];
	groups[target->group_count] = one->wanted.group;
	struct eks_access_request request = {.op = EKS_UPDATE_ENTRY,
	    .principal = principal_of(one),
	    .groups = groups,
	    .group_count = target->group_count + 1};
	case_call(one, &request, on_updated);
	free(groups);
}

/* --- tags and the policy ---------------------------------------------------------------------- */

static void on_tagged(
    void *arg, const struct aws_reply *reply, const struct eks_access_entry *entry)
{
	struct access_case *one = arg;
	(void)entry;
	one->call = NULL;
	if (reply->outcome == AWS_OK) {
		facts_of(one)->entry.marks.is_used = true;
		case_done(one);
		return;
	}
	if (reply->outcome == AWS_NOT_FOUND)
		facts_of(one)->entry.state = ENTRY_UNKNOWN;
	case_failed(one, EKS_TAG_RESOURCE, reply);
}

static void tag(struct access_case *one)
{
	if (target_of(one)->entry_arn == NULL) {
		facts_of(one)->entry.marks.is_used = true;
		case_go_on(one);
		return;
	}
	struct labels tags = access_tags_use(access_journal_owner(one->access->journal), true);
	struct eks_access_request request = {
	    .op = EKS_TAG_RESOURCE, .tags = &tags, .resource = target_of(one)->entry_arn};
	case_call(one, &request, on_tagged);
	labels_free(&tags);
}

static void on_granted(
    void *arg, const struct aws_reply *reply, const struct eks_access_entry *entry)
{
	struct access_case *one = arg;
	(void)entry;
	one->call = NULL;
	/* EKS does not see yet what it has just made. */
	if (reply->outcome == AWS_NOT_FOUND && case_is_settling(one, one->created)) {
		case_retry(one);
		return;
	}
	if (reply->outcome != AWS_OK) {
		facts_of(one)->entry.state = ENTRY_UNKNOWN;
		case_failed(one, EKS_ASSOCIATE_POLICY, reply);
		return;
	}
	one->changed_at = mono_now();
	one->is_entry_new = false;
	one->is_checked = false;
	if (!case_journal(one, ACCESS_ROW_ENTRY, principal_of(one), ACCESS_GRANTED))
		return;
	log_info("access", "cluster-admin-granted", LOG_S("cluster", one->name),
	    LOG_S("principal", principal_of(one)),
	    LOG_S("why", "eksgate.access.mode is cluster-admin"));
	case_done(one);
}

static void grant(struct access_case *one)
{
	if (!case_journal(one, ACCESS_ROW_ENTRY, principal_of(one), ACCESS_GRANTING))
		return;
	char *policy = eks_admin_policy(one->arn);
	struct eks_access_request request = {
	    .op = EKS_ASSOCIATE_POLICY, .principal = principal_of(one), .policy = policy};
	case_call(one, &request, on_granted);
	free(policy);
}

/* --- the check -------------------------------------------------------------------------------- */

/* With a proxy's own token. Until EKS heeds a change, the proxy looks again and again; but a new
 * entry that lets the proxy in (403 instead of 401) has its group already, and nothing is waited
 * for. */
static void check(struct access_case *one)
{
	bool is_waiting = case_is_settling(one, one->changed_at) && !one->is_entry_new;
	int64_t settle_ms = one->access->settings->access.settle.ms;
	int64_t ms = is_waiting && settle_ms > WAITING_MS_MIN ? settle_ms : WAITING_MS_MIN;
	const struct task_check task = {.created_ms = one->created_at.ms,
	    .timeout_ms = ms < TASK_TIMEOUT_MS_MAX ? ms : TASK_TIMEOUT_MS_MAX,
	    .is_waiting = is_waiting};
	char *body = task_check_encode(&task);
	one->asked = case_pick_proxy(one);
	if (one->asked == 0)
		one->asked = case_pick_unasked(one);
	bool is_given =
	    one->asked != 0 && case_give_task(one, TASK_CHECK, body, duration_ms(task.timeout_ms));
	free(body);
	if (is_given)
		return;
	memset(one->refused_by, 0, sizeof one->refused_by);
	case_note_error(one, TASK_CHECK, "no proxy that reaches the cluster takes it now");
}

void step_task_done(struct access_case *one, bool is_ok, const char *code, const char *text)
{
	/* The report that came before it counts; this only says that it has come. */
	bool is_answer = is_ok || strcmp(code, TASK_UNAUTHENTICATED) == 0 ||
			 strcmp(code, TASK_FORBIDDEN) == 0 || strcmp(code, TASK_TIMED_OUT) == 0;
	bool is_early = strcmp(code, TASK_UNAUTHENTICATED) == 0 && one->is_entry_new &&
			case_is_settling(one, one->changed_at);
	if (is_early) {
		case_retry(one);
		return;
	}
	one->is_checked = is_answer;
	if (is_answer) {
		case_done(one);
		return;
	}
	case_note_refusal(one);
	case_note_error(one, TASK_CHECK, text);
}

void step_perform(struct access_case *one, const struct access_plan *plan)
{
	switch (plan->action) {
	case ACCESS_DESCRIBE:
		describe(one);
		break;
	case ACCESS_CREATE:
		create(one);
		break;
	case ACCESS_UPDATE:
		update(one);
		break;
	case ACCESS_TAG:
		tag(one);
		break;
	case ACCESS_GRANT:
		grant(one);
		break;
	default:
		check(one);
		break;
	}
}
