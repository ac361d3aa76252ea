/* Decisions about bodies. The policy of now decides, not the one from before the body came. Called
 * by exchange.c. */
#include "kubeproxyd/exchange/admission_body.h"

#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "common/xmem.h"
#include "kubeproxyd/exchange/caller.h"
#include "kubeproxyd/exchange/exchanges.h"
#include "kubeproxyd/policy/access_review.h"
#include "kubeproxyd/policy/rules_review.h"

static bool is_review(const struct request_info *info, const char *resource)
{
	return info->is_resource && text_is(info->resource, resource) &&
	       text_is(info->api_group, "authorization.k8s.io") && text_is(info->verb, "create") &&
	       info->subresource[0] == '\0' && info->namespace[0] == '\0';
}

static bool asks_for_rules(const struct request_info *info)
{
	return is_review(info, "selfsubjectrulesreviews");
}

static bool asks_for_access(const struct request_info *info)
{
	return is_review(info, "selfsubjectaccessreviews");
}

bool admission_has_review(const struct request_info *info)
{
	return text_is(info->verb, "create") && (asks_for_access(info) || asks_for_rules(info));
}

static bool refuse(struct admission *admission, unsigned status, char *message)
{
	admission->status = status;
	admission->message = message;
	return false;
}

static void decide(struct admission *admission, const struct request_info *info)
{
	decision_clear(&admission->decision);
	admission_ask(admission, admission->grants->grants, info, &admission->decision);
}

/* --- what is created ------------------------------------------------------------------------- */

static bool decide_named(
    struct admission *admission, enum body_format format, const void *body, size_t len)
{
	const char *error = NULL;
	char *name = object_field_read(OBJECT_NAME, format, body, len, &error);
	if (name == NULL) {
		decide(admission, &admission->info);
		return refuse(admission, 403,
		    xasprintf("the name of what is to be created is not known: %s; %s", error,
			admission->decision.message));
	}
	free(admission->object_name);
	admission->object_name = name;
	admission->info.name = name;
	decide(admission, &admission->info);
	if (decision_is_whole(&admission->decision))
		return true;
	return refuse(admission, 403, xstrdup(admission->decision.message));
}

/* --- what may be created -----------------------------------------------------------------------
 */

/* The types of patches that only change what is there; any other may be a server-side apply. */
static bool only_changes(const struct http_fields *fields)
{
	static const char *const types[] = {"application/json-patch+json",
	    "application/merge-patch+json", "application/strategic-merge-patch+json"};
	const char *type = fields_get(fields, "Content-Type");
	size_t len = type != NULL ? strcspn(type, ";") : 0;
	bool is_known = false;
	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
		is_known |= strlen(types[i]) == len && strncmp(types[i], type, len) == 0;
	return is_known && fields_count_of(fields, "Content-Type") == 1;
}

/* NULL: it is allowed to create what it names; else why not (free()). */
static char *refuse_creation(const struct admission *admission)
{
	struct request_info creation = admission->info;
	struct decision decision = {0};
	creation.verb = "create";
	admission_ask(admission, admission->grants->grants, &creation, &decision);
	char *message = decision_is_whole(&decision) ? NULL : xstrdup(decision.message);
	decision_clear(&decision);
	return message;
}

static bool names_an_object(const struct request_info *info, const char *verb)
{
	return info->is_resource && info->name[0] != '\0' && info->subresource[0] == '\0' &&
	       text_is(info->verb, verb);
}

bool admission_check_creation(struct admission *admission, const struct http_head *request)
{
	const struct request_info *info = &admission->info;
	bool is_update = names_an_object(info, "update");
	bool is_apply = names_an_object(info, "patch") && !only_changes(&request->fields);
	char *why_not = is_update || is_apply ? refuse_creation(admission) : NULL;
	if (why_not != NULL && is_apply)
		refuse(admission, 403,
		    xasprintf("a server-side apply creates what is not there: %s; or send another "
			      "kind of patch",
			why_not));
	admission->needs_body |= why_not != NULL && is_update;
	free(why_not);
	return admission->message == NULL;
}

/* The uid says which object is meant: the API server does not create another. */
static bool decide_update(
    struct admission *admission, enum body_format format, const void *body, size_t len)
{
	const char *error = NULL;
	decide(admission, &admission->info);
	if (!decision_is_whole(&admission->decision))
		return refuse(admission, 403, xstrdup(admission->decision.message));
	char *uid = object_field_read(OBJECT_UID, format, body, len, &error);
	char *why_not = uid == NULL ? refuse_creation(admission) : NULL;
	if (why_not != NULL)
		refuse(admission, 403,
		    xasprintf("an update may create what is not there: %s; send the object as it "
			      "was read, with its metadata.uid (%s)",
			why_not, error));
	bool is_allowed = why_not == NULL;
	free(uid);
	free(why_not);
	return is_allowed;
}

/* --- reviews --------------------------------------------------------------------------------- */

static void answer_review(struct admission *admission, const struct http_head *request,
    const struct access_review *review)
{
	const struct decision *decision = &admission->decision;
	const char *reason = decision->is_allowed ? decision->rule : decision->message;
	enum body_format wanted = body_format_wanted(fields_get(&request->fields, "Accept"));
	access_review_answer(review, decision->is_allowed, reason, wanted, &admission->document);
	admission->document_type = body_format_type(wanted);
	refuse(admission, 201,
	    decision->is_allowed ? xasprintf("answered here: may %s %s \"%s\" (%s)", review->verb,
				       review->resource, review->name, reason)
				 : xstrdup(reason));
	decide(admission, &admission->info);
}

/* What the policy would not let pass, and what it alone decides, is answered here; the rest by the
 * API server, which then is asked as whom the reviewed request would be made. */
static bool decide_review(struct admission *admission, const struct http_head *request,
    enum body_format format, const void *body, size_t len)
{
	struct access_review review = {0};
	const char *error = NULL;
	if (!access_review_read(format, body, len, &review, &error)) {
		access_review_free(&review);
		return refuse(admission, 400, xstrdup(error));
	}
	struct request_info asked = access_review_request(&review);
	decide(admission, &asked);
	/* A list or watch of which some is shown is answered, and so allowed. */
	bool goes_on = admission->decision.is_allowed && !request_info_is_impersonation(&asked);
	if (!goes_on)
		answer_review(admission, request, &review);
	decision_forget_objects(&admission->decision);
	access_review_free(&review);
	return goes_on;
}

/* The API server answers; exchange_rules.c cuts its answer down. */
static bool decide_rules(
    struct admission *admission, enum body_format format, const void *body, size_t len)
{
	const char *error = NULL;
	free(admission->rules_namespace);
	admission->rules_namespace = rules_review_namespace(format, body, len, &error);
	if (admission->rules_namespace == NULL)
		return refuse(admission, 400, xstrdup(error));
	admission->accept = "application/json";
	decide(admission, &admission->info);
	return decision_is_whole(&admission->decision) ||
	       refuse(admission, 403, xstrdup(admission->decision.message));
}

/* --- collections ----------------------------------------------------------------------------- */

static bool decide_collection(struct admission *admission)
{
	decide(admission, &admission->info);
	admission->deletes_each = admission->decision.is_restricted;
	return admission->decision.is_allowed ||
	       refuse(admission, 403, xstrdup(admission->decision.message));
}

/* --- public ---------------------------------------------------------------------------------- */

bool admission_decide_body(struct admission *admission, struct exchanges *all,
    struct caller *caller, struct identity *identity, const struct http_head *request,
    const void *body, size_t len)
{
	/* It borrows from the grants of before. */
	decision_clear(&admission->decision);
	caller_grants_unref(&admission->grants);
	admission->grants = caller_grants(caller, all->with.policy, identity);
	if (fields_count_of(&request->fields, "Content-Type") > 1 ||
	    fields_get(&request->fields, "Content-Encoding") != NULL)
		return refuse(admission, 400,
		    xstrdup("the body decides about access: it must have one Content-Type and no "
			    "Content-Encoding"));
	enum body_format format = body_format_of(fields_get(&request->fields, "Content-Type"));
	if (admission->deletes_each)
		return decide_collection(admission);
	if (asks_for_rules(&admission->info))
		return decide_rules(admission, format, body, len);
	if (asks_for_access(&admission->info))
		return decide_review(admission, request, format, body, len);
	if (names_an_object(&admission->info, "update"))
		return decide_update(admission, format, body, len);
	return decide_named(admission, format, body, len);
}
