/* Judges answers. The order in which things are found wrong is the order in which a person would
 * mend them: name, network, TLS, access entry, rights, health. Called by look.c; pure. */
#include "kubeproxyd/probe/finding.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/json.h"
#include "common/xmem.h"
#include "kubeproxyd/probe/call.h"
#include "kubeproxyd/probe/rights.h"

#define TEXT_MAX 500

/* The first thing that is wrong stays. Takes `text`. */
static void blame(struct finding *finding, const char *code, char *text)
{
	if (finding->code != NULL) {
		free(text);
		return;
	}
	finding->code = xstrdup(code);
	finding->text = xasprintf("%.*s", TEXT_MAX, text);
	free(text);
}

static const char *code_of_failure(const struct call_answer *answer)
{
	switch (answer->failure) {
	case PEER_CONNECT:
		return strncmp(answer->reason, "resolve ", strlen("resolve ")) == 0 ? "dns"
										    : "refused";
	case PEER_TLS:
		return "tls";
	case PEER_TIMEOUT:
		return "timeout";
	case PEER_REFUSED:
	case PEER_CUT_BEFORE_HEAD:
	case PEER_CUT:
	case PEER_MALFORMED:
		break;
	}
	return "error";
}

void finding_unasked(struct finding *finding)
{
	blame(
	    finding, REPORT_UNASKED, xstrdup("not looked at: eksgate.proxy.probe_interval is 0s"));
}

void finding_unreachable(struct finding *finding, const struct call_answer *answer, bool is_private)
{
	const char *code = code_of_failure(answer);
	finding->reachable = ANSWER_NO;
	if (is_private && (strcmp(code, "timeout") == 0 || strcmp(code, "refused") == 0)) {
		blame(finding, "private",
		    xasprintf("its endpoint has only private addresses and cannot be reached from "
			      "here (%s): give this host a path into its VPC (peering, transit "
			      "gateway, VPN), or let the cluster have a public endpoint",
			answer->reason));
		return;
	}
	blame(finding, code, xasprintf("its endpoint cannot be reached: %s", answer->reason));
}

void finding_no_credentials(struct finding *finding, const char *error)
{
	blame(finding, "no-credentials",
	    xasprintf("the proxy has no AWS credentials for it: %s", error));
}

void finding_readiness(struct finding *finding, const struct call_answer *answer)
{
	finding->reachable = ANSWER_YES;
	if (answer->status == 401) {
		finding->authenticated = ANSWER_NO;
		return;
	}
	finding->authenticated = ANSWER_YES;
	if (answer->status == 200) {
		finding->healthy = ANSWER_YES;
	} else if (answer->status == 429) {
		blame(finding, "throttled",
		    xstrdup("its API server has no capacity for us (429): look at its flow "
			    "schemas"));
	} else if (answer->status != 403) {
		finding->healthy = ANSWER_NO;
	}
}

/* The object's name, shortened to what fits a message. */
static void note_denied(struct finding *finding, const struct right *right)
{
	finding->permitted = ANSWER_NO;
	if (finding->denied_count == FINDING_DENIED_MAX)
		return;
	finding->denied[finding->denied_count++] = (struct message_permission){
	    .verb = xstrdup(right->verb),
	    .resource = *right->group != '\0' ? xasprintf("%s.%s", right->resource, right->group)
					      : xstrdup(right->resource),
	    .object = right->name != NULL ? xasprintf("%.128s", right->name) : NULL,
	};
}

/* -1: the answer is no review. */
static int read_verdict(const struct call_answer *answer)
{
	char error[JSON_ERROR_TEXT];
	struct json_object *review = json_parse(answer->body, answer->body_len, error);
	struct json_object *status = NULL, *allowed = NULL;
	int verdict = -1;
	if (json_object_is_type(review, json_type_object) &&
	    json_object_object_get_ex(review, "status", &status) &&
	    json_object_is_type(status, json_type_object) &&
	    json_object_object_get_ex(status, "allowed", &allowed) &&
	    json_object_is_type(allowed, json_type_boolean))
		verdict = json_object_get_boolean(allowed);
	json_object_put(review);
	return verdict;
}

bool finding_review(
    struct finding *finding, const struct right *right, const struct call_answer *answer)
{
	if (answer->status == 401) {
		finding->authenticated = ANSWER_NO;
		return false;
	}
	int verdict = answer->status == 201 || answer->status == 200 ? read_verdict(answer) : -1;
	if (verdict < 0) {
		finding->permitted = ANSWER_UNKNOWN;
		blame(finding, answer->status == 429 ? "throttled" : "error",
		    xasprintf(
			"it answers a SelfSubjectAccessReview with status %u", answer->status));
		return false;
	}
	if (verdict == 0)
		note_denied(finding, right);
	else if (finding->permitted == ANSWER_UNKNOWN)
		finding->permitted = ANSWER_YES;
	return true;
}

/* "impersonate groups \"viewers\", get pods" */
static char *list_denied(const struct finding *finding)
{
	struct buf out = {0};
	for (size_t i = 0; i < finding->denied_count; i++) {
		const struct message_permission *denied = &finding->denied[i];
		buf_printf(&out, "%s%s %s", i > 0 ? ", " : "", denied->verb, denied->resource);
		if (denied->object != NULL)
			buf_printf(&out, " \"%s\"", denied->object);
	}
	return buf_take(&out);
}

static void conclude_access(struct finding *finding, const char *cluster, const char *principal)
{
	if (finding->authenticated == ANSWER_NO)
		blame(finding, "unauthenticated",
		    xasprintf("it does not know %s (401): an access entry is missing; `kubeproxyd "
			      "rbac %s` says how to make one",
			principal != NULL ? principal : "the proxy's principal", cluster));
	if (finding->permitted == ANSWER_NO) {
		char *denied = list_denied(finding);
		blame(finding, "forbidden",
		    xasprintf("the proxy may not %s: `kubeproxyd rbac %s` prints what grants it",
			denied, cluster));
		free(denied);
	}
	if (finding->healthy == ANSWER_NO)
		blame(finding, "unhealthy", xstrdup("its API server says that it is not ready"));
}

void finding_conclude(struct finding *finding, const char *cluster, const char *principal)
{
	conclude_access(finding, cluster, principal);
	bool is_looked_at = finding->reachable != ANSWER_UNKNOWN || finding->code != NULL;
	if (!is_looked_at)
		blame(finding, "pending", xstrdup("not looked at yet"));
	else
		finding->checked = unix_now();
	if (finding->code == NULL)
		blame(finding, "ok", xstrdup("reachable, permitted, healthy"));
}

static bool is_same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

bool finding_is_equal(const struct finding *a, const struct finding *b)
{
	return a->reachable == b->reachable && a->authenticated == b->authenticated &&
	       a->permitted == b->permitted && a->healthy == b->healthy &&
	       is_same_text(a->code, b->code) && is_same_text(a->text, b->text);
}

void finding_clear(struct finding *finding)
{
	for (size_t i = 0; i < finding->denied_count; i++) {
		free(finding->denied[i].verb);
		free(finding->denied[i].resource);
		free(finding->denied[i].object);
	}
	free(finding->code);
	free(finding->text);
	*finding = (struct finding){0};
}
