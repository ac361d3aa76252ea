/* Admission of a request: one small check after the other, the first that refuses answers. Nothing
 * here waits, connects or mints. Called by exchange.c once the user is known. */
#include "kubeproxyd/exchange/admission.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/metrics.h"
#include "common/settings.h"
#include "common/xmem.h"
#include "kubeproxyd/directory/cluster.h"
#include "kubeproxyd/directory/directory.h"
#include "kubeproxyd/exchange/admission_body.h"
#include "kubeproxyd/exchange/admission_filter.h"
#include "kubeproxyd/exchange/caller.h"
#include "kubeproxyd/exchange/exchanges.h"
#include "kubeproxyd/gate/act_as.h"
#include "kubeproxyd/gate/headers.h"
#include "kubeproxyd/gate/identity.h"
#include "kubeproxyd/gate/lock_watch.h"
#include "kubeproxyd/gate/locks.h"
#include "kubeproxyd/policy/options.h"

struct question {
	struct exchanges *all;
	struct caller *caller;
	struct identity *identity;
	const struct http_head *request;
};

typedef bool check_fn(struct admission *admission, const struct question *question);

static bool refuse(struct admission *admission, unsigned status, char *message)
{
	admission->status = status;
	admission->message = message;
	return false;
}

static bool check_directory(struct admission *admission, const struct question *question)
{
	if (directory_is_good(question->all->with.directory))
		return true;
	struct directory_status status = directory_status(question->all->with.directory);
	admission->retry_after = 1;
	if (!status.is_known)
		return refuse(admission, 503,
		    xstrdup("no cluster is known here yet: kubeproxyd has not heard from "
			    "discoveryd since it "
			    "was installed; check that discoveryd runs (`discoveryd status`)"));
	char since[UNIX_TIME_TEXT];
	return refuse(admission, 503,
	    xasprintf("the list of clusters is too old to be trusted (last confirmed %s, "
		      "eksgate.proxy.max_stale): start discoveryd again",
		unix_time_text(status.fresh_at, since)));
}

/* --- the cluster ----------------------------------------------------------------------------- */

static const struct grants *grants_of(struct admission *admission, const struct question *question)
{
	if (admission->grants == NULL)
		admission->grants =
		    caller_grants(question->caller, question->all->with.policy, question->identity);
	return admission->grants->grants;
}

static char *join(const char *const *words, size_t count)
{
	struct buf out = {0};
	for (size_t i = 0; i < count; i++)
		buf_printf(&out, "%s%s", i > 0 ? ", " : "", words[i]);
	return buf_take(&out);
}

/* The same whether there is a cluster called so or not. */
static char *say_unseen(
    const struct identity *identity, const struct grants *grants, const char *named)
{
	const char *const *roles = grants_roles(grants);
	size_t count = 0;
	while (roles[count] != NULL)
		count++;
	bool is_bound = count > 0;
	char *list = is_bound ? join(roles, count)
			      : join((const char *const *)identity->groups, identity->group_count);
	char *text =
	    is_bound
		? xasprintf("no cluster is called \"%.255s\" here, or none of the roles of user "
			    "\"%s\" (%s) lets it be seen. GET /v1/clusters lists those that "
			    "are; ask an administrator of eksgate for a role about others",
		      named, identity->user, list)
		: xasprintf("no role is bound to user \"%s\"%s%s, so that no cluster can be "
			    "seen. Ask an administrator of eksgate for a role_binding",
		      identity->user, list[0] != '\0' ? " or to one of these groups: " : "", list);
	free(list);
	return text;
}

/* A credential that is only for a cluster is for the name that it had, too. */
static bool is_in_scope(const struct admission *admission, const char *scope)
{
	const char *asked = admission->route.cluster;
	return scope == NULL || (asked != NULL && strcmp(scope, asked) == 0) ||
	       strcmp(scope, admission->found->name) == 0;
}

/* Which clusters there are is told to those who may see them: for others one that is not there and
 * one that no role of theirs is about are the same. The records say which it was. */
static void hide_unseen(struct admission *admission, const struct question *question)
{
	const struct kube_cluster *found = admission->found;
	const struct identity *identity = question->identity;
	const struct grants *grants = grants_of(admission, question);
	bool is_inside = found != NULL && is_in_scope(admission, identity->cluster);
	if (is_inside && policy_may_see(grants, &found->labels))
		return;
	admission->status = grants_roles(grants)[0] != NULL ? 404 : 403;
	admission->told = say_unseen(identity, grants, admission->named);
}

/* The server name lies under the suffix: it decides alone. */
static bool route_by_alias(struct admission *admission, const struct question *question,
    const char *alias, const char *suffix)
{
	char asked[ALIAS_MAX + 1];
	if (!check_directory(admission, question))
		return false;
	const struct kube_cluster *cluster =
	    directory_find_alias(question->all->with.directory, alias);
	admission->named = question->caller->server_name;
	admission->found = cluster;
	if (cluster == NULL)
		return refuse(admission, 404,
		    xasprintf("no cluster has the server name \"%s\" here; `kubeproxyd ls` lists "
			      "the aliases",
			question->caller->server_name));
	if (route_alias(question->request->authority, suffix, asked) && strcmp(asked, alias) != 0)
		return refuse(admission, 421,
		    xasprintf(
			"this connection was opened for \"%s\", the request is for \"%.255s\": "
			"open another",
			question->caller->server_name, question->request->authority));
	return route_in_cluster(admission->arena, question->request->target, cluster->name,
	    question->identity->cluster, &admission->route, &admission->status,
	    &admission->message);
}

static bool find_route(struct admission *admission, const struct question *question)
{
	char alias[ALIAS_MAX + 1];
	const char *suffix = question->all->with.settings->proxy.sni_suffix;
	if (route_alias(question->caller->server_name, suffix, alias))
		return route_by_alias(admission, question, alias, suffix);
	return route_find(admission->arena, question->request->target, question->identity->cluster,
	    &admission->route, &admission->status, &admission->message);
}

static bool find_cluster(struct admission *admission, const struct question *question)
{
	const char *name = admission->route.cluster;
	const struct directory *directory = question->all->with.directory;
	admission->cluster = clusters_find(question->all->with.clusters, name);
	admission->found = admission->cluster != NULL ? admission->cluster->resource : NULL;
	if (admission->named == NULL)
		admission->named = name;
	if (admission->cluster != NULL)
		return true;
	const char *renamed = directory_renamed(directory, name);
	if (renamed != NULL)
		admission->found = directory_find(directory, renamed);
	if (renamed != NULL)
		return refuse(admission, 410,
		    xasprintf("cluster \"%s\" is called \"%s\" now: make your kubeconfig anew with "
			      "`kubeproxyd "
			      "kubeconfig`",
			name, renamed));
	return refuse(admission, 404,
	    xasprintf("no cluster is called \"%s\" here; `kubeproxyd ls` lists the names", name));
}

static bool parse_request(struct admission *admission, const struct question *question)
{
	const char *reason;
	admission->info.arena = admission->arena;
	if (request_info_parse(question->request->method, admission->route.target, &admission->info,
		&admission->status, &reason))
		return true;
	return refuse(admission, admission->status, xasprintf("request refused: %s", reason));
}

static bool check_fields(struct admission *admission, const struct question *question)
{
	const struct http_head *request = question->request;
	if (headers_refuse(
		&request->fields, request->authority, &admission->status, &admission->message))
		return false;
	return !act_as_is_asked(&request->fields) || act_as_read(&request->fields, &admission->as,
							 &admission->status, &admission->message);
}

void admission_ask(const struct admission *admission, const struct grants *grants,
    const struct request_info *info, struct decision *decision)
{
	const struct kube_cluster *resource = admission->cluster->resource;
	const struct act_as *as = &admission->as;
	bool is_asked = as->user != NULL || as->groups.count > 0;
	policy_decide_as(
	    grants, resource->name, &resource->labels, info, is_asked ? as : NULL, decision);
}

static bool ask_policy(struct admission *admission, const struct question *question)
{
	struct decision *decision = &admission->decision;
	decision->arena = admission->arena;
	admission_ask(admission, grants_of(admission, question), &admission->info, decision);
	admission->needs_body = decision->needs_name || (decision_is_whole(decision) &&
							    admission_has_review(&admission->info));
	admission->deletes_each =
	    decision->is_restricted && strcmp(admission->info.verb, "deletecollection") == 0;
	admission->needs_body |= admission->deletes_each;
	if (decision->is_restricted && !admission->deletes_each)
		return admission_filter(admission, question->request);
	if (decision->is_allowed || admission->needs_body)
		return true;
	return refuse(admission, 403, xstrdup(decision->message));
}

static bool check_creation(struct admission *admission, const struct question *question)
{
	return admission->needs_body || admission_check_creation(admission, question->request);
}

/* Go reads types as Unicode: "applİcation" is the same to it, and so is one behind a U+00A0. No
 * type has such letters. */
static bool is_form(const struct http_fields *fields, size_t index)
{
	static const char *const types[] = {"application/x-www-form-urlencoded", "multipart/"};
	const char *type = fields_value(fields, index);
	if (!fields_is_named(fields, index, "Content-Type"))
		return false;
	bool is_one = !field_text_is_ascii(type, strlen(type));
	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
		is_one |= strncasecmp(type, types[i], strlen(types[i])) == 0;
	return is_one;
}

/* POST /run takes its command from the query or from a form, and from the form first: what is on
 * record before it runs would be another one, or none. */
static bool check_form(struct admission *admission, const struct question *question)
{
	const struct http_head *request = question->request;
	bool has_body = request->body == HTTP_BODY_CHUNKED || request->content_length > 0;
	if (!has_body || !request_info_is_kubelet(&admission->info))
		return true;
	for (size_t i = 0; i < request->fields.count; i++) {
		if (is_form(&request->fields, i))
			return refuse(admission, 415,
			    xstrdup(
				"a form is not sent on to a kubelet: what it is to run must be on "
				"record before, so put it into the query "
				"(.../proxy/run/NAMESPACE/POD/CONTAINER?cmd=COMMAND)"));
	}
	return true;
}

static bool refuse_busy(struct admission *admission, const struct question *question,
    const char *setting, char *message)
{
	metric_add(question->all->metrics.refused, 1, setting);
	admission->retry_after = 1;
	return refuse(admission, 429, message);
}

/* The most that is held of the request's body at a time. */
static size_t body_claim(const struct http_head *request, const struct proxy_limits *limits)
{
	size_t most = limits->body_in_hand < limits->bodies_in_hand ? limits->body_in_hand
								    : limits->bodies_in_hand;
	if (request->body == HTTP_BODY_NONE)
		return 0;
	bool is_less = request->body == HTTP_BODY_LENGTH && request->content_length < most;
	return is_less ? (size_t)request->content_length : most;
}

/* This request is not among those that count yet. */
static bool check_connections(struct admission *admission, const struct question *question)
{
	size_t most = grants_options(admission->grants->grants)->max_kubernetes_connections;
	const char *user = question->identity->user;
	if (!question->request->is_upgrade || most == 0 ||
	    exchanges_count_tunnels(question->all, user) < most)
		return true;
	return refuse(admission, 403,
	    xasprintf(
		"user \"%s\" has %zu execs, attaches and port-forwards open, as many as a "
		"role allows (max_kubernetes_connections): end one, or ask for a higher limit",
		user, most));
}

static bool take_seat(struct admission *admission, const struct question *question)
{
	const struct proxy_limits *limits = &question->all->with.settings->proxy.limits;
	struct in_flight_caps caps = {
	    .per_user = limits->requests_per_user,
	    .per_cluster = limits->requests_per_cluster,
	    .body_bytes = limits->bodies_in_hand,
	};
	const char *user = question->identity->user;
	struct in_flight_claim claim = {
	    user, admission->cluster, body_claim(question->request, limits)};
	switch (in_flight_enter(&question->all->in_flight, &caps, &claim, &admission->seat)) {
	case IN_FLIGHT_USER_FULL:
		return refuse_busy(admission, question, "requests_per_user",
		    xasprintf("user \"%s\" has %zu requests under way, as many as "
			      "eksgate.proxy.limits.requests_per_user allows: end watches, logs or "
			      "execs that are not needed, or ask for a higher limit",
			user, caps.per_user));
	case IN_FLIGHT_CLUSTER_FULL:
		return refuse_busy(admission, question, "requests_per_cluster",
		    xasprintf(
			"cluster \"%s\" has %zu requests under way, as many as "
			"eksgate.proxy.limits.requests_per_cluster allows: try again later, or "
			"ask for a higher limit",
			admission->route.cluster, caps.per_cluster));
	case IN_FLIGHT_BODIES_FULL:
		return refuse_busy(admission, question, "bodies_in_hand",
		    xstrdup("the proxy holds as much of the bodies of requests as "
			    "eksgate.proxy.limits.bodies_in_hand allows: try again later, or ask "
			    "for a higher limit"));
	case IN_FLIGHT_SEATED:
		break;
	}
	return true;
}

static bool prepare_cluster(struct admission *admission, const struct question *question)
{
	char *error = NULL;
	if (cluster_prepare(question->all->with.clusters, admission->cluster, &error))
		return true;
	cluster_note_error(admission->cluster, error);
	refuse(admission, 502,
	    xasprintf("cluster \"%s\" cannot be served: %s", admission->route.cluster, error));
	free(error);
	return false;
}

/* First of all: who is locked out learns nothing else. */
static bool check_locks(struct admission *admission, const struct question *question)
{
	char *sentence = admission_find_lock(question->all, question->caller, question->identity);
	return sentence == NULL || refuse(admission, 403, sentence);
}

static check_fn *const checks[] = {
    check_locks,
    find_route,
    check_directory,
    find_cluster,
    parse_request,
    check_fields,
    ask_policy,
    check_creation,
    check_form,
    check_connections,
    take_seat,
    prepare_cluster,
};

bool admission_decide(struct admission *admission, struct exchanges *all, struct caller *caller,
    struct identity *identity, const struct http_head *request)
{
	struct question question = {all, caller, identity, request};
	for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
		if (checks[i](admission, &question))
			continue;
		if (admission->named != NULL)
			hide_unseen(admission, &question);
		return false;
	}
	admission->found = NULL;
	return true;
}

static bool is_same_subject(const struct decision *a, const struct decision *b)
{
	if (strcmp(a->user, b->user) != 0 || a->group_count != b->group_count)
		return false;
	for (size_t i = 0; i < a->group_count; i++) {
		if (strcmp(a->groups[i], b->groups[i]) != 0)
			return false;
	}
	return true;
}

static enum admission_today compare(
    const struct admission *admission, const struct decision *decision)
{
	const struct decision *before = &admission->decision;
	if (!decision->is_allowed)
		return ADMISSION_IS_GONE;
	/* Each delete is decided by itself. */
	if (admission_has_review(&admission->info) || admission->deletes_each)
		return ADMISSION_HOLDS;
	if (!is_same_subject(before, decision))
		return ADMISSION_IS_GONE;
	return policy_reads_alike(before, decision) ? ADMISSION_HOLDS : ADMISSION_DIFFERS;
}

enum admission_today admission_recheck(const struct admission *admission, struct exchanges *all,
    struct caller *caller, struct identity *identity)
{
	struct caller_grants *grants = caller_grants(caller, all->with.policy, identity);
	struct decision decision = {0};
	admission_ask(admission, grants->grants, &admission->info, &decision);
	enum admission_today today = compare(admission, &decision);
	decision_clear(&decision);
	caller_grants_unref(&grants);
	return today;
}

char *admission_find_lock(struct exchanges *all, struct caller *caller, struct identity *identity)
{
	const struct locks *locks = lock_watch_now(all->with.locks);
	if (locks_count(locks) == 0)
		return NULL;
	struct caller_grants *grants = caller_grants(caller, all->with.policy, identity);
	const struct lock *lock =
	    locks_on(locks, identity, grants_roles(grants->grants), unix_now_coarse());
	caller_grants_unref(&grants);
	return lock != NULL ? lock_sentence(lock) : NULL;
}

void admission_free(struct admission *admission)
{
	in_flight_leave(&admission->seat);
	decision_clear(&admission->decision);
	caller_grants_unref(&admission->grants);
	request_info_free(&admission->info);
	xfree(&admission->message);
	xfree(&admission->told);
	xfree(&admission->object_name);
	xfree(&admission->rules_namespace);
	act_as_free(&admission->as);
	buf_free(&admission->document);
}
