/* The temporary cluster-admin, from the proof that it can be taken away to the certainty that it
 * was (design.md 5). Whatever goes wrong on the way leads to the deletion, which is tried for ever;
 * a restart begins with it. An entry is deleted only when it is certain to be ours: AWS said so to
 * this run of the program, or its tags do, which are looked at before; what was made by an earlier
 * run may be somebody else's by now, or its cluster another of the same name. */
#include <stdlib.h>
#include <string.h>

#include "common/aws_credentials.h"
#include "common/eks_token.h"
#include "common/log.h"
#include "common/settings.h"
#include "common/xmem.h"
#include "discoveryd/access_case.h"
#include "discoveryd/access_steps.h"
#include "discoveryd/account.h"
#include "discoveryd/aws_account.h"
#include "discoveryd/publisher.h"
#include "proto/task.h"

#define LIFE_SECONDS   180 /* it is given up when it takes longer */
#define EXPIRY_SECONDS 600 /* what its tag says */
#define APPLY_MS       90000
#define LOST_MAX       3 /* proxies that went away with the task, until it counts as tried */
#define ABSENT_SUFFIX  "-eksgate-absent"
#define ROLE_NAME_MAX  64
#define SESSION_NAME   "eksgate-bootstrap"

static void start_call(
    struct access_case *one, struct eks_access_request request, eks_access_fn *fn)
{
	request.principal = one->bootstrap_principal;
	case_call(one, &request, fn);
}

static bool put(struct access_case *one, enum access_stage stage)
{
	if (!case_journal(one, ACCESS_ROW_BOOTSTRAP, one->bootstrap_principal, stage))
		return false;
	one->bootstrap.is_journalled = true;
	return true;
}

/* From here on only the deletion is left. */
static void break_off(struct access_case *one)
{
	one->bootstrap.is_live = false;
	case_go_on(one);
}

static void give_up(struct access_case *one)
{
	one->bootstrap.is_spent = true;
	break_off(one);
}

static void set_counted(struct access_case *one, bool is_counted)
{
	if (one->is_counted == is_counted)
		return;
	one->is_counted = is_counted;
	one->access->bootstraps += is_counted ? 1 : (size_t)-1;
}

static bool is_passing(const struct aws_reply *reply)
{
	return reply->outcome == AWS_THROTTLED || reply->outcome == AWS_UNREACHABLE ||
	       reply->outcome == AWS_FAILED;
}

static bool has_time_left(const struct access_case *one)
{
	return mono_since(one->created).ms < LIFE_SECONDS * INT64_C(1000);
}

/* --- who we are ------------------------------------------------------------------------------- */

static void keep_identity(struct access_case *one, const char *principal)
{
	free(one->bootstrap_principal);
	one->bootstrap_principal = xstrdup_or_null(principal);
	one->bootstrap.is_unknowable = principal == NULL;
	case_done(one);
}

static void on_identity(
    void *arg, const struct aws_reply *reply, const char *account, const char *arn)
{
	struct access_case *one = arg;
	(void)account;
	one->identity = NULL;
	if (arn == NULL) {
		case_note_error(one, "sts:GetCallerIdentity",
		    reply->message != NULL ? reply->message : aws_outcome_text(reply->outcome));
		return;
	}
	free(one->access->own_principal);
	one->access->own_principal = access_principal_of(arn);
	keep_identity(one, one->access->own_principal);
}

static void identify(struct access_case *one)
{
	const struct account *account = access_account_of(one);
	const char *known = one->wanted.bootstrap_role;
	if (known == NULL)
		known = account->role_arn != NULL ? account->role_arn : one->access->own_principal;
	if (known != NULL)
		keep_identity(one, known);
	else
		one->identity = account_get_identity(
		    one->access->options.aws, account->provider, one->region, on_identity, one);
}

/* --- before it -------------------------------------------------------------------------------- */

static void on_found(void *arg, const struct aws_reply *reply, const struct eks_access_entry *entry)
{
	struct access_case *one = arg;
	one->call = NULL;
	if (entry != NULL) {
		one->bootstrap.entry = step_entry_facts(one, entry);
		case_done(one);
	} else if (reply->outcome == AWS_NOT_FOUND && !eks_access_is_no_cluster(reply)) {
		one->bootstrap.entry.state = ENTRY_ABSENT;
		case_done(one);
	} else {
		case_failed(one, EKS_DESCRIBE_ENTRY, reply);
	}
}

/* The ARN of a principal that has no entry, near enough to fall under the same policy (free()). */
static char *absent_principal(const char *arn)
{
	const char *name = strrchr(arn, '/');
	size_t head = name != NULL ? (size_t)(name - arn) + 1 : strlen(arn);
	size_t room = ROLE_NAME_MAX - strlen(ABSENT_SUFFIX), len = strlen(arn) - head;
	return xasprintf(
	    "%.*s%.*s" ABSENT_SUFFIX, (int)head, arn, (int)(len < room ? len : room), arn + head);
}

/* 404 is the proof; 403 is the answer to who may not delete. */
static void on_proved(
    void *arg, const struct aws_reply *reply, const struct eks_access_entry *entry)
{
	struct access_case *one = arg;
	(void)entry;
	one->call = NULL;
	bool is_told = reply->outcome == AWS_NOT_FOUND && !eks_access_is_no_cluster(reply);
	if (!is_told && reply->outcome != AWS_OK) {
		case_failed(one, EKS_DELETE_ENTRY, reply);
		return;
	}
	one->is_proved = true;
	case_done(one);
}

static void prove(struct access_case *one)
{
	const char *near = one->bootstrap_principal != NULL
			       ? one->bootstrap_principal
			       : one->wanted.principals[one->plan.target];
	char *principal = absent_principal(near);
	struct eks_access_request request = {.op = EKS_DELETE_ENTRY, .principal = principal};
	case_call(one, &request, on_proved);
	free(principal);
}

/* --- making it -------------------------------------------------------------------------------- */

static bool is_code(const struct aws_reply *reply, const char *code)
{
	return reply->code != NULL && strcmp(reply->code, code) == 0;
}

/* AWS's word, on the first attempt, that it made nothing. */
static bool is_refusal(const struct aws_reply *reply)
{
	return reply->attempts <= 1 &&
	       (reply->outcome == AWS_DENIED || is_code(reply, "ResourceInUseException") ||
		   is_code(reply, "InvalidParameterException") ||
		   is_code(reply, "ResourceLimitExceededException"));
}

static void on_refused(struct access_case *one, const struct aws_reply *reply)
{
	if (!case_journal_clear(one, ACCESS_ROW_BOOTSTRAP, one->bootstrap_principal))
		return;
	one->bootstrap.is_live = one->bootstrap.is_journalled = false;
	set_counted(one, false);
	if (is_code(reply, "ResourceInUseException")) {
		one->bootstrap.entry.state = ENTRY_UNKNOWN;
		case_done(one);
		return;
	}
	if (is_code(reply, "InvalidParameterException")) {
		free(one->error);
		one->error = xasprintf("%s: %s (%s)", eks_access_action(EKS_CREATE_ENTRY),
		    reply->message, one->bootstrap_principal);
		one->bootstrap.is_unknowable = true;
		case_go_on(one);
		return;
	}
	case_failed(one, EKS_CREATE_ENTRY, reply);
}

static void on_created(
    void *arg, const struct aws_reply *reply, const struct eks_access_entry *entry)
{
	struct access_case *one = arg;
	one->call = NULL;
	one->created = mono_now();
	if (entry == NULL && is_refusal(reply)) {
		on_refused(one, reply);
		return;
	}
	if (entry == NULL) {
		log_warn("access", "bootstrap-uncertain", LOG_S("cluster", one->name),
		    LOG_S("error", reply->message));
		give_up(one);
		return;
	}
	one->is_certainly_ours = true;
	if (put(one, ACCESS_CREATED))
		case_done(one);
}

static void create(struct access_case *one)
{
	one->created = mono_now();
	if (!put(one, ACCESS_CREATING))
		return;
	one->bootstrap.is_live = true;
	one->bootstrap.is_deleted = false;
	one->is_certainly_ours = false;
	set_counted(one, true);
	const struct access_row *row = access_journal_bootstrap(one->access->journal, one->arn);
	struct labels tags = access_tags_temporary(access_journal_owner(one->access->journal),
	    unix_add(unix_now(), duration_seconds(EXPIRY_SECONDS)));
	start_call(one,
	    (struct eks_access_request){.op = EKS_CREATE_ENTRY, .tags = &tags, .token = row->token},
	    on_created);
	labels_free(&tags);
}

static void on_granted(
    void *arg, const struct aws_reply *reply, const struct eks_access_entry *entry)
{
	struct access_case *one = arg;
	(void)entry;
	one->call = NULL;
	bool is_unseen = reply->outcome == AWS_NOT_FOUND && case_is_settling(one, one->created);
	if (is_unseen) {
		case_retry(one);
	} else if (reply->outcome == AWS_OK) {
		log_warn("access", "bootstrap-began", LOG_S("cluster", one->name),
		    LOG_S("principal", one->bootstrap_principal),
		    LOG_S("what", "it is cluster-admin until its entry is deleted"));
		if (put(one, ACCESS_GRANTED))
			case_done(one);
	} else if (is_passing(reply) && has_time_left(one)) {
		case_failed(one, EKS_ASSOCIATE_POLICY, reply);
	} else {
		one->bootstrap.is_live = false;
		one->bootstrap.is_spent = true;
		case_failed(one, EKS_ASSOCIATE_POLICY, reply);
	}
}

static void grant(struct access_case *one)
{
	if (one->bootstrap.stage != ACCESS_GRANTING && !put(one, ACCESS_GRANTING))
		return;
	char *policy = eks_admin_policy(one->arn);
	start_call(one, (struct eks_access_request){.op = EKS_ASSOCIATE_POLICY, .policy = policy},
	    on_granted);
	free(policy);
}

/* --- using it --------------------------------------------------------------------------------- */

/* The token is in the task and nowhere else. False: the proxy does not take it. */
static bool give_task(struct access_case *one, char *token)
{
	const struct task_apply_rbac task = {.created_ms = one->created_at.ms,
	    .timeout_ms = APPLY_MS,
	    .token = token,
	    .cluster_role = one->wanted.cluster_role,
	    .group = one->wanted.group};
	char *body = task_apply_rbac_encode(&task);
	bool is_given = case_give_task(one, TASK_APPLY_RBAC, body, duration_ms(task.timeout_ms));
	xfree_secret(&body);
	return is_given;
}

/* That the proxy went away, and no other is there, says nothing about the cluster: the next proxy
 * lets it be begun anew, but not for ever, since it may be the task that ends them. */
static void on_no_task(struct access_case *one, const char *why, bool is_lost)
{
	free(one->error);
	one->error = xasprintf("%s: %s", TASK_APPLY_RBAC, why);
	log_warn("access", "step-failed", LOG_S("cluster", one->name),
	    LOG_S("step", TASK_APPLY_RBAC), LOG_S("error", why));
	if (case_pick_proxy(one) != 0 && has_time_left(one))
		case_retry(one);
	else if (is_lost && one->lost++ < LOST_MAX)
		break_off(one);
	else
		give_up(one);
}

static void on_credentials(void *arg, const struct aws_credentials *credentials, const char *why)
{
	struct access_case *one = arg;
	const struct access *access = one->access;
	char *error = NULL, *token = NULL;
	one->wait = NULL;
	aws_provider_unref(&one->provider);
	if (credentials != NULL)
		token = eks_token_mint(credentials,
		    one->cluster_id != NULL ? one->cluster_id : one->eks_name, one->region,
		    access->settings->test.token_sts_host, aws_now(access->options.aws), &error);
	one->asked = case_pick_proxy(one);
	bool is_lost = token != NULL; /* the proxy left before it was asked, or takes no more */
	bool is_given = token != NULL && one->asked != 0 && give_task(one, token);
	xfree_secret(&token);
	if (!is_given) {
		case_note_refusal(one);
		const char *reason = error != NULL	   ? error
				     : credentials == NULL ? why
							   : "no proxy that reaches the cluster "
							     "takes the task";
		on_no_task(one, reason, is_lost);
	}
	free(error);
}

static void apply(struct access_case *one)
{
	const struct access_options *options = &one->access->options;
	const struct account *account = access_account_of(one);
	if (one->wanted.bootstrap_role != NULL)
		one->provider = aws_provider_assume_role(options->aws, options->provider,
		    one->wanted.bootstrap_role, NULL, SESSION_NAME, one->region);
	else
		one->provider = aws_provider_ref(account->provider);
	one->wait = aws_provider_get(one->provider, on_credentials, one);
}

void bootstrap_break_off(struct access_case *one)
{
	/* A call is answered before, since what it does is not known until then. */
	aws_wait_cancel(&one->wait);
	aws_provider_unref(&one->provider);
	case_drop_task(one);
	one->is_backing_off = false;
	break_off(one);
}

void bootstrap_task_done(struct access_case *one, bool is_ok, const char *code, const char *text)
{
	static const char *const elsewhere[] = {
	    TASK_UNREACHABLE, TASK_BUSY, TASK_NOT_SERVED, TASK_UNKNOWN_KIND, PUBLISHER_TASK_LOST};
	one->bootstrap.is_applied = is_ok;
	if (is_ok) {
		log_info("access", "rbac-applied", LOG_S("cluster", one->name),
		    LOG_S("cluster-role", one->wanted.cluster_role),
		    LOG_S("group", one->wanted.group));
		give_up(one);
		return;
	}
	for (size_t i = 0; i < sizeof elsewhere / sizeof elsewhere[0]; i++) {
		if (strcmp(elsewhere[i], code) != 0)
			continue;
		case_note_refusal(one);
		on_no_task(one, text, strcmp(code, PUBLISHER_TASK_LOST) == 0);
		return;
	}
	free(one->error);
	one->error = xasprintf("%s: %s: %s", TASK_APPLY_RBAC, code, text);
	log_warn("access", "step-failed", LOG_S("cluster", one->name),
	    LOG_S("step", TASK_APPLY_RBAC), LOG_S("code", code), LOG_S("error", text));
	give_up(one);
}

/* --- taking it away --------------------------------------------------------------------------- */

static void on_deleted(
    void *arg, const struct aws_reply *reply, const struct eks_access_entry *entry)
{
	struct access_case *one = arg;
	(void)entry;
	one->call = NULL;
	bool is_absent = reply->outcome == AWS_NOT_FOUND;
	if (is_absent && eks_access_is_no_cluster(reply)) {
		one->bootstrap.is_deleted = true;
		one->bootstrap.entry.state = ENTRY_ABSENT;
		case_done(one);
		return;
	}
	/* It may be too young to be seen. */
	if (is_absent && case_is_settling(one, one->created)) {
		case_retry(one);
		return;
	}
	if (reply->outcome == AWS_OK || is_absent) {
		one->deleted = mono_now();
		one->bootstrap.is_deleted = true;
		one->bootstrap.entry.state = is_absent ? ENTRY_ABSENT : ENTRY_UNKNOWN;
		case_done(one);
		return;
	}
	log_error("access", "bootstrap-remains", LOG_S("cluster", one->name),
	    LOG_S("principal", one->bootstrap_principal), LOG_S("error", reply->message),
	    LOG_S("remedy", "it may be cluster-admin until its access entry is deleted: permit "
			    "eks:DeleteAccessEntry, or delete it by hand; this is tried for ever"));
	case_note_error(one, eks_access_action(EKS_DELETE_ENTRY),
	    reply->message != NULL ? reply->message : aws_outcome_text(reply->outcome));
}

static void delete_now(struct access_case *one)
{
	/* The row that is there makes the next start delete it, too. */
	if (one->bootstrap.stage != ACCESS_DELETING || !one->bootstrap.is_journalled)
		case_journal_if_possible(
		    one, ACCESS_ROW_BOOTSTRAP, one->bootstrap_principal, ACCESS_DELETING);
	start_call(one, (struct eks_access_request){.op = EKS_DELETE_ENTRY}, on_deleted);
}

/* Made by us, and nobody's any more, or by a discoveryd that did not come back to it. */
static bool is_orphan(const struct access_case *one, const struct eks_access_entry *entry)
{
	struct access_marks marks = step_entry_facts(one, entry).marks;
	return marks.is_temporary && (marks.is_mine || marks.is_over);
}

/* Whether the creation that was interrupted happened, and whose the entry is that is there. */
static void on_examined(
    void *arg, const struct aws_reply *reply, const struct eks_access_entry *entry)
{
	struct access_case *one = arg;
	one->call = NULL;
	/* What is known to have been made is not left because it may not be looked at. */
	bool is_hidden = reply->outcome == AWS_DENIED && one->bootstrap.stage != ACCESS_CREATING;
	if (is_hidden || (entry != NULL && is_orphan(one, entry))) {
		one->is_certainly_ours = true;
		delete_now(one);
		return;
	}
	bool is_absent = reply->outcome == AWS_NOT_FOUND;
	if (entry == NULL && !is_absent) {
		case_note_error(one, eks_access_action(EKS_DESCRIBE_ENTRY),
		    reply->message != NULL ? reply->message : aws_outcome_text(reply->outcome));
		return;
	}
	if (is_absent && !eks_access_is_no_cluster(reply) && case_is_settling(one, one->created)) {
		case_retry(one);
		return;
	}
	if (entry != NULL)
		log_warn("access", "entry-of-others", LOG_S("cluster", one->name),
		    LOG_S("principal", one->bootstrap_principal),
		    LOG_S("what", "the temporary access entry is another's by now, and is left"));
	one->bootstrap.is_deleted = true;
	one->bootstrap.entry.state = ENTRY_ABSENT;
	case_done(one);
}

static void delete (struct access_case *one)
{
	/* Without a row, it was looked at just now. */
	if (one->bootstrap.is_journalled && !one->is_certainly_ours)
		start_call(one, (struct eks_access_request){.op = EKS_DESCRIBE_ENTRY}, on_examined);
	else
		delete_now(one);
}

static void on_confirmed(
    void *arg, const struct aws_reply *reply, const struct eks_access_entry *entry)
{
	struct access_case *one = arg;
	one->call = NULL;
	bool is_ours = false;
	if (entry != NULL) {
		struct access_entry_facts facts = step_entry_facts(one, entry);
		is_ours = facts.marks.is_mine && facts.marks.is_temporary;
	}
	if (is_ours) {
		/* Still seen; after a while it is deleted once more. */
		one->bootstrap.is_deleted = case_is_settling(one, one->deleted);
		case_retry(one);
		return;
	}
	if (entry == NULL && reply->outcome != AWS_NOT_FOUND) {
		case_note_error(one, eks_access_action(EKS_DESCRIBE_ENTRY),
		    reply->message != NULL ? reply->message : aws_outcome_text(reply->outcome));
		return;
	}
	one->bootstrap.entry.state = ENTRY_ABSENT;
	case_done(one);
}

static void clear(struct access_case *one)
{
	if (!case_journal_clear(one, ACCESS_ROW_BOOTSTRAP, one->bootstrap_principal))
		return;
	log_warn("access", "bootstrap-ended", LOG_S("cluster", one->name),
	    LOG_S("principal", one->bootstrap_principal),
	    LOG_I("after-ms", mono_since(one->created).ms));
	one->bootstrap.is_live = one->bootstrap.is_journalled = false;
	one->bootstrap.is_deleted = one->is_certainly_ours = false;
	one->bootstrap.entry.state = ENTRY_UNKNOWN;
	set_counted(one, false);
	if (one->bootstrap.is_applied) {
		one->changed_at = mono_now();
		one->is_entry_new = one->is_checked = false;
	}
	char *error = one->error;
	one->error = NULL;
	case_done(one);
	/* What went wrong before is what people ask for. */
	if (one->error == NULL)
		one->error = error;
	else
		free(error);
}

void bootstrap_perform(struct access_case *one, const struct access_plan *plan)
{
	switch (plan->action) {
	case ACCESS_IDENTIFY:
		identify(one);
		break;
	case ACCESS_BOOT_DESCRIBE:
		start_call(one, (struct eks_access_request){.op = EKS_DESCRIBE_ENTRY}, on_found);
		break;
	case ACCESS_PROVE:
		prove(one);
		break;
	case ACCESS_BOOT_CREATE:
		create(one);
		break;
	case ACCESS_BOOT_GRANT:
		grant(one);
		break;
	case ACCESS_BOOT_APPLY:
		apply(one);
		break;
	case ACCESS_BOOT_DELETE:
		delete (one);
		break;
	case ACCESS_BOOT_CONFIRM:
		start_call(
		    one, (struct eks_access_request){.op = EKS_DESCRIBE_ENTRY}, on_confirmed);
		break;
	default:
		clear(one);
		break;
	}
}
