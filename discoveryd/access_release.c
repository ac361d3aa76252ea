/* Cleaning up after a cluster that leaves: entries that we made and that no other discoveryd needs
 * are deleted, groups that we added to other people's entries stay and are told. Bounded: after a
 * few attempts a person is told what is left, and the cluster goes. */
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/xmem.h"
#include "discoveryd/access_case.h"
#include "discoveryd/access_steps.h"

#define ATTEMPTS 5

/* Any principal's row will do: they are cleaned up one after another. */
static const struct access_row *row_of(const struct access_case *one)
{
	return access_journal_next_of(one->access->journal, one->arn, NULL);
}

static void forget_row(struct access_case *one)
{
	const struct access_row *row = row_of(one);
	char *principal = xstrdup(row->principal);
	bool is_cleared = case_journal_clear(one, row->kind, principal);
	free(principal);
	one->release_attempts = 0;
	if (is_cleared)
		case_done(one);
}

static void leave(struct access_case *one, const char *what, const char *why)
{
	const struct access_row *row = row_of(one);
	log_warn("access", "left-behind", LOG_S("cluster", one->eks_name), LOG_S("arn", one->arn),
	    LOG_S("principal", row->principal), LOG_S("what", what), LOG_S("why", why));
	forget_row(one);
}

static void on_failed(struct access_case *one, enum eks_access_op op, const struct aws_reply *reply)
{
	const struct access_row *row = row_of(one);
	const char *why =
	    reply->message != NULL ? reply->message : aws_outcome_text(reply->outcome);
	if (++one->release_attempts < ATTEMPTS && reply->outcome != AWS_DENIED) {
		case_note_error(one, eks_access_action(op), why);
		return;
	}
	char *command = xasprintf("aws eks delete-access-entry --region %s --cluster-name %s "
				  "--principal-arn %s",
	    one->region, one->eks_name, row->principal);
	log_error("access", "not-cleaned-up", LOG_S("arn", one->arn),
	    LOG_S("principal", row->principal), LOG_S("operation", eks_access_action(op)),
	    LOG_S("error", why), LOG_S("remedy", command));
	free(command);
	forget_row(one);
}

static void on_deleted(
    void *arg, const struct aws_reply *reply, const struct eks_access_entry *entry)
{
	struct access_case *one = arg;
	(void)entry;
	one->call = NULL;
	if (reply->outcome != AWS_OK && reply->outcome != AWS_NOT_FOUND) {
		on_failed(one, EKS_DELETE_ENTRY, reply);
		return;
	}
	log_info("access", "entry-deleted", LOG_S("cluster", one->eks_name),
	    LOG_S("principal", row_of(one)->principal), LOG_S("why", "the cluster leaves"));
	forget_row(one);
}

static void on_tagged(
    void *arg, const struct aws_reply *reply, const struct eks_access_entry *entry)
{
	struct access_case *one = arg;
	(void)entry;
	one->call = NULL;
	/* Then the entry is looked at again: another discoveryd may have released it meanwhile. */
	if (reply->outcome == AWS_OK)
		case_done(one);
	else
		on_failed(one, EKS_TAG_RESOURCE, reply);
}

static void release(struct access_case *one, const struct eks_access_entry *entry)
{
	struct labels tags = access_tags_use(access_journal_owner(one->access->journal), false);
	struct eks_access_request request = {
	    .op = EKS_TAG_RESOURCE, .tags = &tags, .resource = entry->arn};
	case_call(one, &request, on_tagged);
	labels_free(&tags);
}

/* More groups than discoveryds can have put there, one each: people rely on the entry. */
static bool is_relied_on(const struct access_case *one, const struct eks_access_entry *entry)
{
	size_t foreign = 0;
	for (size_t i = 0; i < entry->group_count; i++)
		foreign += strcmp(entry->groups[i], one->wanted.group) != 0;
	return foreign > step_entry_facts(one, entry).marks.others;
}

static void judge(struct access_case *one, const struct eks_access_entry *entry)
{
	struct access_marks marks = step_entry_facts(one, entry).marks;
	if (!marks.is_managed || marks.is_temporary) {
		leave(one, "the group on an access entry", "no discoveryd made the entry");
	} else if (marks.is_used && entry->arn != NULL) {
		release(one, entry);
	} else if (marks.is_shared) {
		leave(one, "the access entry", "another discoveryd needs it");
	} else if (is_relied_on(one, entry)) {
		leave(one, "the access entry", "somebody has given it more groups");
	} else {
		struct eks_access_request request = {
		    .op = EKS_DELETE_ENTRY, .principal = row_of(one)->principal};
		case_call(one, &request, on_deleted);
	}
}

static void on_described(
    void *arg, const struct aws_reply *reply, const struct eks_access_entry *entry)
{
	struct access_case *one = arg;
	one->call = NULL;
	if (entry != NULL)
		judge(one, entry);
	else if (reply->outcome == AWS_NOT_FOUND)
		forget_row(one);
	else
		on_failed(one, EKS_DESCRIBE_ENTRY, reply);
}

void release_go_on(struct access_case *one)
{
	const struct access_options *options = &one->access->options;
	const struct access_row *row = row_of(one);
	if (row == NULL) {
		case_yield(one);
		options->on_released(options->arg, one->arn);
		return;
	}
	if (access_account_of(one) == NULL) {
		leave(one, "the access entry",
		    "nothing in the configuration can act in its account any more");
		return;
	}
	struct eks_access_request request = {.op = EKS_DESCRIBE_ENTRY, .principal = row->principal};
	case_call(one, &request, on_described);
}
