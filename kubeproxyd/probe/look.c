/* Asks one question after the other on the pooled connection, and stops where an answer makes the
 * rest pointless. A refused token (401) is minted anew once, as for users' requests. Where no
 * answer comes, the endpoint's addresses say whether there could be a path. Called by the prober
 * and by tasks. */
#include "kubeproxyd/probe/look.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "common/loop.h"
#include "common/xmem.h"
#include "kubeproxyd/directory/cluster.h"
#include "kubeproxyd/directory/token.h"
#include "kubeproxyd/net/address.h"
#include "kubeproxyd/net/resolver.h"
#include "kubeproxyd/probe/call.h"
#include "kubeproxyd/probe/finding.h"
#include "kubeproxyd/probe/rights.h"

#define CALL_SECONDS 20
#define REVIEWS	     "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"

struct look {
	struct look_options with;
	struct cluster *cluster;
	char *principal;
	look_fn *fn;
	void *arg;
	struct deferred begin;
	struct token_wait *wait;
	struct call *call;
	struct resolver_query *query;
	enum peer_failure_kind failure; /* why there was no answer, while its host is looked up */
	char *reason;
	struct right rights[RIGHTS_MAX];
	size_t right_count, next; /* the one that is asked about */
	bool is_ready_asked, has_new_token, is_done;
	struct finding finding;
};

static void free_look(void *object)
{
	struct look *look = object;
	finding_clear(&look->finding);
	free(look->principal);
	free(look->reason);
	free(look);
}

static void end(struct look *look)
{
	look->is_done = true;
	loop_undefer(look->with.loop, &look->begin);
	token_wait_cancel(&look->wait);
	call_cancel(&look->call);
	if (look->query != NULL)
		resolver_cancel(&look->query);
	loop_free_later(look->with.loop, free_look, look);
}

static void conclude(struct look *look)
{
	struct finding finding;
	finding_conclude(&look->finding, look->cluster->resource->name, look->principal);
	finding = look->finding;
	look->finding = (struct finding){0};
	end(look);
	look->fn(look->arg, &finding);
}

/* --- questions ------------------------------------------------------------------------------- */

static void ask(struct look *look);

static void add_text(struct json_object *object, const char *key, const char *text)
{
	if (text != NULL)
		json_object_object_add(object, key, json_object_new_string(text));
}

/* The review's text; free(). */
static char *write_review(const struct right *right)
{
	struct json_object *review = json_object_new_object();
	struct json_object *spec = json_object_new_object();
	struct json_object *attributes = json_object_new_object();
	add_text(review, "apiVersion", "authorization.k8s.io/v1");
	add_text(review, "kind", "SelfSubjectAccessReview");
	add_text(attributes, "verb", right->verb);
	add_text(attributes, "group", right->group);
	add_text(attributes, "resource", right->resource);
	add_text(attributes, "name", right->name);
	add_text(attributes, "namespace", right->namespace);
	json_object_object_add(spec, "resourceAttributes", attributes);
	json_object_object_add(review, "spec", spec);
	char *text = xstrdup(json_object_to_json_string_ext(
	    review, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(review);
	return text;
}

/* The API server does not accept the token: perhaps it has expired in between. */
static bool may_ask_again(struct look *look, const struct call_answer *answer)
{
	if (answer->status != 401 || look->has_new_token)
		return false;
	look->has_new_token = true;
	token_source_drop(look->cluster->tokens);
	return true;
}

static void take_answer(struct look *look, const struct call_answer *answer)
{
	struct finding *finding = &look->finding;
	if (!look->is_ready_asked) {
		look->is_ready_asked = true;
		finding_readiness(finding, answer);
		if (finding->authenticated != ANSWER_YES || look->right_count == 0)
			conclude(look);
		else
			ask(look);
		return;
	}
	bool may_go_on = finding_review(finding, &look->rights[look->next++], answer);
	if (may_go_on && look->next < look->right_count)
		ask(look);
	else
		conclude(look);
}

static void on_addresses(
    void *arg, const struct resolver_address *addresses, size_t count, const char *error)
{
	struct look *look = arg;
	(void)error;
	look->query = NULL;
	bool is_private = count > 0;
	for (size_t i = 0; i < count; i++)
		is_private &= address_is_private((const struct sockaddr *)&addresses[i].address);
	struct call_answer none = {.body = "", .failure = look->failure, .reason = look->reason};
	finding_unreachable(&look->finding, &none, is_private);
	conclude(look);
}

static void on_answer(void *arg, const struct call_answer *answer)
{
	struct look *look = arg;
	look->call = NULL;
	if (may_ask_again(look, answer)) {
		ask(look);
	} else if (answer->status != 0) {
		take_answer(look, answer);
	} else {
		look->failure = answer->failure;
		look->reason = xstrdup(answer->reason);
		look->query = resolver_lookup(look->with.resolver, look->cluster->host,
		    look->cluster->port, on_addresses, look);
	}
}

static void send_question(struct look *look, const char *token)
{
	struct call_request request = {.method = "GET",
	    .target = "/readyz",
	    .token = token,
	    .timeout = duration_seconds(CALL_SECONDS)};
	char *body = NULL;
	if (look->is_ready_asked) {
		body = write_review(&look->rights[look->next]);
		request.method = "POST";
		request.target = REVIEWS;
		request.content_type = "application/json";
		request.body = body;
	}
	look->call = call_start(
	    look->with.loop, look->with.upstreams, look->cluster, &request, on_answer, look);
	free(body);
}

static void on_token(void *arg, const char *token, const char *error)
{
	struct look *look = arg;
	look->wait = NULL;
	if (token != NULL) {
		send_question(look, token);
		return;
	}
	finding_no_credentials(&look->finding, error);
	conclude(look);
}

static void ask(struct look *look)
{
	char *error = NULL;
	if (!cluster_prepare(look->with.clusters, look->cluster, &error)) {
		struct call_answer none = {.body = "", .failure = PEER_MALFORMED, .reason = error};
		finding_unreachable(&look->finding, &none, false);
		conclude(look);
		free(error);
		return;
	}
	struct token_wait *wait = token_source_get(look->cluster->tokens, on_token, look);
	if (wait != NULL)
		look->wait = wait;
}

static void on_begin(void *arg)
{
	ask(arg);
}

struct look *look_start(
    const struct look_options *options, struct cluster *cluster, look_fn *fn, void *arg)
{
	struct look *look = xcalloc(1, sizeof *look);
	look->with = *options;
	look->principal = xstrdup_or_null(options->principal);
	look->cluster = cluster;
	look->fn = fn;
	look->arg = arg;
	look->right_count = rights_list(options->rights, look->rights);
	look->begin = (struct deferred){.fn = on_begin, .arg = look};
	loop_defer(options->loop, &look->begin);
	return look;
}

void look_cancel(struct look **look)
{
	if (*look != NULL && !(*look)->is_done)
		end(*look);
	*look = NULL;
}
