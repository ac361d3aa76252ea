/* From findings to causes. The explanation holds what each matcher says, what each scope could see
 * and what became of the cluster; here it is read as an on-call person would read it. Called by
 * explain.c; pure but for the document. */
#include "discoveryd/explain_causes.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/xmem.h"

static struct json_object *member(struct json_object *object, const char *key)
{
	struct json_object *value = NULL;
	json_object_object_get_ex(object, key, &value);
	return value;
}

static const char *text_of(struct json_object *object, const char *key)
{
	return json_object_get_string(member(object, key));
}

static bool is_text(struct json_object *object, const char *key, const char *text)
{
	const char *found = text_of(object, key);
	return found != NULL && strcmp(found, text) == 0;
}

static size_t count_of(struct json_object *array)
{
	return array != NULL ? json_object_array_length(array) : 0;
}

/* Takes `text` and `remedy`, which may be NULL. The same cause in the same words is said once. */
static void add_cause(struct json_object *causes, const char *cause, char *text, char *remedy)
{
	bool is_said = false;
	for (size_t i = 0; i < count_of(causes); i++)
		is_said |= is_text(json_object_array_get_idx(causes, i), "text", text);
	if (!is_said) {
		struct json_object *object = json_object_new_object();
		json_add_string(object, "cause", cause);
		json_add_string(object, "text", text);
		json_add_string(object, "remedy", remedy);
		json_object_array_add(causes, object);
	}
	free(text);
	free(remedy);
}

/* --- what AWS refused ------------------------------------------------------------------------- */

static bool contains_one_of(const char *text, const char *const *words)
{
	for (; text != NULL && *words != NULL; words++) {
		if (strstr(text, *words) != NULL)
			return true;
	}
	return false;
}

/* The message of credentials that could not be had quotes STS's code. */
static const char *credentials_cause(struct json_object *error)
{
	static const char *const clock[] = {"RequestTimeTooSkewed", "RequestExpired",
	    "RequestInTheFuture", "Signature expired", "Signature not yet current", NULL};
	static const char *const expired[] = {"ExpiredToken", "have expired", NULL};
	static const char *const denied[] = {"AccessDenied", NULL};
	const char *const texts[] = {text_of(error, "code"), text_of(error, "message")};
	for (size_t i = 0; i < 2; i++) {
		if (contains_one_of(texts[i], clock))
			return "clock";
		if (contains_one_of(texts[i], expired))
			return "credentials-expired";
		if (contains_one_of(texts[i], denied))
			return "permission";
	}
	return "credentials";
}

const char *explain_error_cause(struct json_object *error)
{
	static const struct {
		const char *outcome, *cause;
	} rows[] = {{"denied", "permission"}, {"region-off", "region-disabled"},
	    {"throttled", "throttled"}, {"unreachable", "unreachable"}, {"bad-reply", "bad-reply"}};
	if (is_text(error, "outcome", "credentials"))
		return credentials_cause(error);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (is_text(error, "outcome", rows[i].outcome))
			return rows[i].cause;
	}
	return "failed";
}

/* "own/eu-west-1: eks:ListClusters: AccessDeniedException: …" */
static void add_error(struct json_object *causes, const char *where, struct json_object *error)
{
	const char *code = text_of(error, "code"), *message = text_of(error, "message");
	struct buf text = {0};
	buf_printf(&text, "%s: %s", where, text_of(error, "operation"));
	if (code != NULL)
		buf_printf(&text, ": %s", code);
	if (message != NULL && (code == NULL || strcmp(message, code) != 0))
		buf_printf(&text, ": %s", message);
	add_cause(causes, explain_error_cause(error), buf_take(&text),
	    xstrdup_or_null(text_of(error, "remedy")));
}

static struct json_object *error_of_scope(struct json_object *explanation, const char *id)
{
	struct json_object *scopes = member(explanation, "scopes");
	for (size_t i = 0; id != NULL && i < count_of(scopes); i++) {
		struct json_object *scope = json_object_array_get_idx(scopes, i);
		if (is_text(scope, "id", id))
			return member(scope, "error");
	}
	return NULL;
}

/* --- a cluster that was seen ------------------------------------------------------------------ */

/* What each matcher misses: "line 7: label env is …" (free()); NULL when one wants the cluster. */
static char *missed_by_matchers(struct json_object *cluster)
{
	struct json_object *matchers = member(cluster, "matchers");
	struct buf text = {0};
	for (size_t i = 0; i < count_of(matchers); i++) {
		struct json_object *matcher = json_object_array_get_idx(matchers, i);
		if (json_object_get_boolean(member(matcher, "matches"))) {
			buf_free(&text);
			return NULL;
		}
		buf_printf(&text, "%sline %s: %s", text.len > 0 ? "; " : "",
		    text_of(matcher, "line"), text_of(matcher, "why"));
	}
	return buf_take(&text);
}

static void add_unmatched(struct json_object *causes, struct json_object *cluster)
{
	char *missed = missed_by_matchers(cluster);
	if (missed == NULL)
		return;
	add_cause(causes, "tags", xasprintf("no matcher wants its tags: %s", missed),
	    xasprintf("correct the cluster's tags (aws eks tag-resource --resource-arn %s --tags "
		      "KEY=VALUE), or tags: of the matcher",
		text_of(cluster, "arn")));
	free(missed);
}

static const char *status_remedy(struct json_object *cluster)
{
	if (is_text(cluster, "status", "CREATING") || is_text(cluster, "status", "PENDING"))
		return "wait: it is served as soon as it is ACTIVE";
	if (is_text(cluster, "status", "FAILED"))
		return "repair or delete it in AWS: aws eks describe-cluster tells its health "
		       "issues";
	return "only clusters with an endpoint of EKS's own can be proxied";
}

static void add_unknown(
    struct json_object *causes, struct json_object *explanation, struct json_object *cluster)
{
	struct json_object *error = error_of_scope(explanation, text_of(cluster, "scope"));
	if (error != NULL)
		add_error(causes, text_of(cluster, "scope"), error);
	else
		add_cause(causes, "unknown",
		    xasprintf("nothing is known of it: %s", text_of(cluster, "reason")), NULL);
}

/* Of a cluster that is served, what is not as somebody may expect it. */
static void add_served(struct json_object *causes, struct json_object *cluster)
{
	const char *reason = text_of(cluster, "reason"), *held = text_of(cluster, "removal_held");
	if (is_text(cluster, "phase", "orphaned"))
		add_cause(causes, "orphaned", xstrdup(reason),
		    xstrdup("let a matcher cover it again, or discoveryd forget it"));
	else if (reason != NULL)
		add_cause(causes, "name",
		    xasprintf("it is served as %s: %s", text_of(cluster, "name"), reason),
		    xstrdup("ask for it by that name, or give one of the two another name tag"));
	if (held != NULL)
		add_cause(causes, "held", xstrdup(held),
		    xstrdup("look whether it is really gone, then discoveryd confirm-removal"));
}

static void add_seen(
    struct json_object *causes, struct json_object *explanation, struct json_object *cluster)
{
	const char *reason = text_of(cluster, "reason");
	if (json_object_get_boolean(member(cluster, "served")))
		add_served(causes, cluster);
	else if (is_text(cluster, "verdict", "unmatched"))
		add_unmatched(causes, cluster);
	else if (is_text(cluster, "verdict", "not-ready"))
		add_cause(causes, "status", xstrdup(reason), xstrdup(status_remedy(cluster)));
	else if (is_text(cluster, "verdict", "deleting"))
		add_cause(causes, "deleting", xstrdup("AWS is deleting it"), NULL);
	else if (is_text(cluster, "verdict", "unusable"))
		add_cause(causes, "unusable",
		    xasprintf("no valid resource can be made of it: %s", reason),
		    xstrdup("correct what the text names, in the cluster's tags or in EKS"));
	else if (is_text(cluster, "verdict", "unknown"))
		add_unknown(causes, explanation, cluster);
}

/* --- a cluster that was not seen -------------------------------------------------------------- */

/* Whether every matcher says `coverage` of it. */
static bool all_say(struct json_object *cluster, const char *coverage)
{
	struct json_object *matchers = member(cluster, "matchers");
	for (size_t i = 0; i < count_of(matchers); i++) {
		if (!is_text(json_object_array_get_idx(matchers, i), "coverage", coverage))
			return false;
	}
	return count_of(matchers) > 0;
}

/* Whether some matcher looks where the cluster is, as far as is known. */
static bool is_covered(struct json_object *cluster)
{
	struct json_object *matchers = member(cluster, "matchers");
	for (size_t i = 0; i < count_of(matchers); i++) {
		if (is_text(json_object_array_get_idx(matchers, i), "coverage", "yes"))
			return true;
	}
	return false;
}

static void add_uncovered(struct json_object *causes, struct json_object *cluster)
{
	if (is_covered(cluster))
		return;
	char *missed = missed_by_matchers(cluster);
	if (all_say(cluster, "account"))
		add_cause(causes, "account",
		    xasprintf("no matcher acts in its account: %s", missed),
		    xstrdup("add a matcher with assume_role_arn of a role in that account"));
	else
		add_cause(causes, "region", xasprintf("no matcher looks at its region: %s", missed),
		    xstrdup("add the region to regions: of the matcher, or say regions: [\"*\"]"));
	free(missed);
}

static void add_absent(struct json_object *causes, struct json_object *explanation)
{
	add_cause(causes, "absent",
	    xasprintf("%s: every account and region that is configured was looked at, and none has "
		      "a cluster of this name",
		text_of(explanation, "query")),
	    xstrdup("check its name, account and region (an ARN says most); a new cluster is seen "
		    "at the next poll, or at once after systemctl reload discoveryd"));
}

/* Of `others`, those whose regions or accounts cannot be told; each is named by its member `name`.
 */
static void add_untold(struct json_object *causes, struct json_object *others, const char *name)
{
	for (size_t i = 0; i < count_of(others); i++) {
		struct json_object *other = json_object_array_get_idx(others, i);
		if (member(other, "error") != NULL)
			add_error(causes, text_of(other, name), member(other, "error"));
	}
}

static void add_blind(struct json_object *causes, struct json_object *explanation)
{
	struct json_object *scopes = member(explanation, "scopes");
	for (size_t i = 0; i < count_of(scopes); i++) {
		struct json_object *scope = json_object_array_get_idx(scopes, i);
		if (member(scope, "error") != NULL)
			add_error(causes, text_of(scope, "id"), member(scope, "error"));
		else if (text_of(scope, "last_attempt") == NULL)
			add_cause(causes, "pending",
			    xasprintf("%s: was not looked at yet", text_of(scope, "id")),
			    xstrdup("wait for the first look: discoveryd status shows it"));
		if (text_of(scope, "record_error") != NULL)
			add_cause(causes, "not-recorded",
			    xasprintf("%s: what was seen could not be recorded: %s",
				text_of(scope, "id"), text_of(scope, "record_error")),
			    NULL);
	}
	add_untold(causes, member(explanation, "wildcards"), "identity");
	add_untold(causes, member(explanation, "organizations"), "organization");
}

static void add_removed(struct json_object *causes, struct json_object *removed)
{
	const char *detail = text_of(removed, "detail");
	if (removed == NULL)
		return;
	add_cause(causes, "removed",
	    xasprintf("%s was removed at %s: %s%s%s", text_of(removed, "name"),
		text_of(removed, "at"), text_of(removed, "reason"), detail != NULL ? ": " : "",
		detail != NULL ? detail : ""),
	    NULL);
}

/* --- public ----------------------------------------------------------------------------------- */

struct json_object *explain_causes(struct json_object *explanation)
{
	struct json_object *causes = json_object_new_array(),
			   *clusters = member(explanation, "clusters");
	bool is_served = json_object_get_boolean(member(explanation, "served"));
	for (size_t i = 0; i < count_of(clusters); i++) {
		struct json_object *cluster = json_object_array_get_idx(clusters, i);
		if (is_text(cluster, "verdict", "unseen"))
			add_uncovered(causes, cluster);
		else
			add_seen(causes, explanation, cluster);
	}
	if (!is_served) {
		add_removed(causes, member(explanation, "removed"));
		if (count_of(causes) == 0)
			add_blind(causes, explanation);
		if (count_of(causes) == 0)
			add_absent(causes, explanation);
	}
	if (text_of(explanation, "registry_error") != NULL)
		add_cause(causes, "not-recorded",
		    xasprintf(
			"changes are not recorded: %s", text_of(explanation, "registry_error")),
		    NULL);
	if (text_of(explanation, "reload_error") != NULL)
		add_cause(causes, "configuration",
		    xasprintf("the configuration file as it stands is not in force: %s",
			text_of(explanation, "reload_error")),
		    xstrdup("correct it, then systemctl reload discoveryd"));
	return causes;
}

static void append_clean(struct buf *out, const char *text)
{
	for (; *text != '\0'; text++)
		buf_append_char(out, iscntrl((unsigned char)*text) ? '?' : *text);
}

void explain_causes_write(struct buf *out, struct json_object *causes)
{
	for (size_t i = 0; i < count_of(causes); i++) {
		struct json_object *cause = json_object_array_get_idx(causes, i);
		buf_printf(out, "  cause         %s: ", text_of(cause, "cause"));
		append_clean(out, text_of(cause, "text"));
		if (text_of(cause, "remedy") != NULL) {
			buf_append_text(out, "\n    what to do  ");
			append_clean(out, text_of(cause, "remedy"));
		}
		buf_append_char(out, '\n');
	}
}
