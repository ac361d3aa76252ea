/* See exchange_world.h. These functions stand in for the modules that tests of the exchange do not
 * link. */
#include "tests/unit/exchange_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/xmem.h"
#include "kubeproxyd/directory/subscriber.h"
#include "kubeproxyd/directory/token.h"
#include "kubeproxyd/exchange/user_api.h"
#include "kubeproxyd/gate/identity_certificate.h"
#include "kubeproxyd/gate/identity_resolve.h"
#include "kubeproxyd/gate/lock_watch.h"
#include "kubeproxyd/gate/locks.h"
#include "kubeproxyd/policy/options.h"
#include "kubeproxyd/policy/policy.h"
#include "kubeproxyd/policy/request_info.h"
#include "kubeproxyd/policy/rules_review.h"

struct exchange_world world;
struct side upstreams[UPSTREAMS];
size_t upstream_count;

/* --- the neighbours --------------------------------------------------------------------------- */

struct directory_status directory_status(const struct directory *directory)
{
	(void)directory;
	return world.directory;
}

bool directory_is_good(const struct directory *directory)
{
	(void)directory;
	return world.directory.is_known && !world.directory.is_expired;
}

const struct kube_cluster *directory_find_alias(struct directory *directory, const char *alias)
{
	(void)directory;
	(void)alias;
	return NULL;
}

/* What was renamed may be seen. */
const struct kube_cluster *directory_find(const struct directory *directory, const char *name)
{
	static const struct kube_cluster renamed = {0};
	(void)directory;
	(void)name;
	return &renamed;
}

const char *directory_renamed(const struct directory *directory, const char *name)
{
	(void)directory;
	(void)name;
	return world.renamed;
}

struct cluster *clusters_find(struct clusters *clusters, const char *name)
{
	(void)clusters;
	return strcmp(name, "prod") == 0 ? &world.cluster : NULL;
}

bool cluster_prepare(struct clusters *clusters, struct cluster *cluster, char **error)
{
	(void)clusters;
	(void)cluster;
	if (world.unpreparable != NULL)
		*error = xstrdup(world.unpreparable);
	return world.unpreparable == NULL;
}

void cluster_note_error(struct cluster *cluster, const char *error)
{
	(void)cluster;
	world.cluster_errors += error != NULL;
}

bool kube_cluster_name_is_valid(const char *name)
{
	return *name != '\0';
}

void subscriber_refresh(struct subscriber *subscriber, const char *name, const char *reason)
{
	(void)subscriber;
	assert_string_equal(name, "prod");
	assert_non_null(reason);
	world.refreshes++;
}

static struct token_wait {
	token_fn *fn;
	void *arg;
} late;

struct token_wait *token_source_get(struct token_source *source, token_fn *fn, void *arg)
{
	(void)source;
	if (world.is_token_late) {
		late = (struct token_wait){fn, arg};
		return &late;
	}
	fn(arg, world.token, world.token_error);
	return NULL;
}

void exchange_world_give_token(void)
{
	late.fn(late.arg, world.token, world.token_error);
}

void token_wait_cancel(struct token_wait **wait)
{
	*wait = NULL;
}

void token_source_drop(struct token_source *source)
{
	(void)source;
	world.token_drops++;
	world.token = "second-token";
}

struct identity *identity_ref(struct identity *identity)
{
	identity->references++;
	return identity;
}

void identity_unref(struct identity **identity)
{
	if (*identity != NULL)
		(*identity)->references--;
	*identity = NULL;
}

bool identity_is_expired(const struct identity *identity, struct unix_time now)
{
	return identity->expires.ms != 0 && identity->expires.ms < now.ms;
}

struct identity *identity_from_certificate(X509 *certificate, const char **error)
{
	(void)certificate;
	(void)error;
	return NULL;
}

struct unix_time identity_end(const struct identity *identity)
{
	return identity->ends.ms != 0 ? identity->ends : identity->expires;
}

struct identity_query *identity_resolve(struct identity_providers *providers,
    struct identity *of_connection, const struct identity_evidence *evidence, identity_fn *fn,
    void *arg)
{
	(void)providers;
	(void)of_connection;
	(void)evidence;
	struct refusal refusal = {.status = 401, .message = world.identity_error};
	if (world.identity_error != NULL)
		fn(arg, NULL, &refusal);
	else
		fn(arg, identity_ref(&world.identity), NULL);
	return NULL;
}

void identity_query_cancel(struct identity_query **query)
{
	assert_null(*query);
}

const struct locks *lock_watch_now(const struct lock_watch *watch)
{
	(void)watch;
	return world.locks;
}

bool user_api_is_asked(
    const struct exchanges *all, const struct caller *caller, const struct http_head *request)
{
	(void)all;
	(void)caller;
	(void)request;
	return world.own_status != 0;
}

bool user_api_is_public(const struct http_head *request)
{
	(void)request;
	return false;
}

void user_api_answer(struct exchanges *all, struct caller *caller, struct identity *identity,
    const struct http_head *request, struct user_api_answer *answer)
{
	(void)all;
	(void)caller;
	(void)identity;
	(void)request;
	assert_int_not_equal(world.own_status, 0);
	answer->status = world.own_status;
	answer->type = "text/plain";
	answer->message = (char[]){"no"};
	buf_append_text(&answer->body, "of the proxy");
}

void user_api_answer_free(struct user_api_answer *answer)
{
	buf_free(&answer->body);
}

struct policy *policy_ref(struct policy *policy)
{
	return policy;
}

void policy_unref(struct policy **policy)
{
	*policy = NULL;
}

struct grants *policy_grants(struct policy *policy, const struct identity *identity)
{
	(void)policy;
	/* The name that decisions borrow. */
	return (struct grants *)(void *)xstrdup(identity->user);
}

const char *const *grants_roles(const struct grants *grants)
{
	(void)grants;
	static const char *const roles[] = {"dev", NULL};
	return roles;
}

const struct role_options *grants_options(const struct grants *grants)
{
	(void)grants;
	return &world.options;
}

void grants_free(struct grants **grants)
{
	xfree(grants);
}

/* What the API server answers in part. */
static bool is_filtered(const char *verb)
{
	return strcmp(verb, "delete") != 0 && strcmp(verb, "create") != 0;
}

void policy_decide_as(const struct grants *grants, const char *cluster,
    const struct labels *cluster_labels, const struct request_info *info, const struct act_as *as,
    struct decision *decision)
{
	(void)cluster;
	(void)cluster_labels;
	bool is_mine = !world.needs_name || strcmp(info->name, "mine") == 0;
	bool is_denied = world.is_denied || !is_mine || as != NULL;
	static const char *groups[] = {"dev"};
	*decision = (struct decision){
	    .is_allowed = !is_denied,
	    .needs_name = world.needs_name && info->name[0] == '\0',
	    .is_restricted = !is_denied && world.shown != NULL && is_filtered(info->verb),
	    .objects = (struct object_rules *)(uintptr_t)world.shown,
	    .user = (const char *)grants,
	    .groups = groups,
	    .group_count = 1,
	    .rule = xstrdup("role dev allow"),
	    .message = xstrdup(as != NULL  ? "Impersonate-User"
			       : is_denied ? "ask for role dev"
					   : ""),
	};
}

bool policy_may_see(const struct grants *grants, const struct labels *cluster_labels)
{
	(void)grants;
	(void)cluster_labels;
	return true;
}

bool policy_may_read_object(
    const struct decision *decision, const char *namespace, const char *name)
{
	(void)decision;
	return strcmp(namespace, "hidden") != 0 &&
	       strncmp(name, world.shown, strlen(world.shown)) == 0;
}

bool policy_reads_alike(const struct decision *a, const struct decision *b)
{
	return a->objects == b->objects;
}

char *rules_review_namespace(
    enum body_format format, const void *body, size_t len, const char **error)
{
	(void)format;
	(void)body;
	(void)len;
	*error = "";
	return xstrdup("a");
}

bool rules_review_cut(const struct rules_question *question, const char *answer, size_t len,
    enum body_format format, struct buf *out)
{
	(void)format;
	buf_printf(out, "%s of %.*s", question->namespace, (int)len, answer);
	return true;
}

void decision_forget_objects(struct decision *decision)
{
	decision->objects = NULL;
}

void decision_clear(struct decision *decision)
{
	free(decision->rule);
	free(decision->message);
	*decision = (struct decision){0};
}

/* --- the peers -------------------------------------------------------------------------------- */

static bool send_head(void *object, const struct http_head *head)
{
	struct side *side = object;
	assert_false(side->has_head || side->is_released);
	side->has_head = true;
	side->head.status = head->status;
	side->head.body = head->body;
	side->head.is_upgrade = head->is_upgrade;
	http_head_set_method(&side->head, head->method);
	if (head->target != NULL)
		http_head_set_target(&side->head, head->target, strlen(head->target));
	for (size_t i = 0; i < head->fields.count; i++)
		fields_add_text(&side->head.fields, fields_name(&head->fields, i),
		    fields_value(&head->fields, i));
	return !side->is_full;
}

static bool send_body(void *object, const uint8_t *data, size_t len)
{
	struct side *side = object;
	assert_true(side->has_head && !side->is_ended && !side->is_released);
	buf_append(&side->body, data, len);
	return !side->is_full;
}

static void send_end(void *object)
{
	struct side *side = object;
	assert_true(side->has_head && !side->is_ended && !side->is_released);
	side->is_ended = true;
}

static void pause_side(void *object)
{
	struct side *side = object;
	side->is_paused = true;
}

static void resume_side(void *object)
{
	struct side *side = object;
	side->is_paused = false;
}

static void release(void *object)
{
	struct side *side = object;
	assert_false(side->is_released);
	side->is_released = true;
}

const struct peer_verbs side_verbs = {.send_head = send_head,
    .send_body = send_body,
    .send_end = send_end,
    .pause = pause_side,
    .resume = resume_side,
    .release = release};

struct peer upstream_open(struct upstreams *pools, struct cluster *cluster,
    const struct upstream_want *want, const struct peer_events *events, void *arg)
{
	(void)pools;
	assert_ptr_equal(cluster, &world.cluster);
	assert_true(upstream_count < UPSTREAMS);
	struct side *side = &upstreams[upstream_count++];
	side->want = *want;
	side->events = events;
	side->arg = arg;
	return (struct peer){&side_verbs, side};
}

/* --- both ------------------------------------------------------------------------------------- */

void side_clear(struct side *side)
{
	http_head_free(&side->head);
	buf_free(&side->body);
	*side = (struct side){0};
}

void exchange_world_reset(void)
{
	static struct locks *none;
	if (none == NULL)
		none = locks_new();
	buf_free(&world.identity.audit_user);
	world = (struct exchange_world){
	    .directory.is_known = true,
	    .resource.name = (char *)(uintptr_t) "prod",
	    .cluster = {.resource = &world.resource, .authority = "api.example"},
	    .identity = {.user = (char *)(uintptr_t) "alice",
		.source = "certificate",
		.references = 1},
	    .locks = none,
	    .token = "first-token",
	};
	for (size_t i = 0; i < UPSTREAMS; i++)
		side_clear(&upstreams[i]);
	upstream_count = 0;
}
