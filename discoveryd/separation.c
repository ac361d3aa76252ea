/* See the header. Called by daemon.c every few seconds and when the status is asked for. */
#include "discoveryd/separation.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/aws_call.h"
#include "common/json.h"
#include "common/log.h"
#include "common/mono.h"
#include "common/xmem.h"
#include "discoveryd/access_policy.h"
#include "discoveryd/account.h"
#include "discoveryd/aws_account.h"
#include "discoveryd/discovery.h"

#define ASK_AGAIN_MS  (INT64_C(60) * 60 * 1000)
#define ASK_FAILED_MS (INT64_C(5) * 60 * 1000) /* after an answer that was none */

struct separation {
	struct aws_context *aws;
	struct aws_provider *provider;
	char *region;
	struct account_call *call; /* under way */
	char *own; /* NULL: not known */
	struct mono asked_at;
	bool has_asked;
	struct json_object *shared; /* [{instance, principal}] */
};

struct separation *separation_new(
    struct aws_context *aws, struct aws_provider *provider, const char *region)
{
	struct separation *separation = xcalloc(1, sizeof *separation);
	separation->aws = aws;
	separation->provider = aws_provider_ref(provider);
	separation->region = xstrdup(region);
	separation->shared = json_object_new_array();
	return separation;
}

void separation_free(struct separation **handle)
{
	struct separation *separation = *handle;
	if (separation == NULL)
		return;
	account_call_cancel(&separation->call);
	aws_provider_unref(&separation->provider);
	json_object_put(separation->shared);
	free(separation->own);
	free(separation->region);
	xfree(handle);
}

/* --- who we are ------------------------------------------------------------------------------- */

static void on_identity(
    void *arg, const struct aws_reply *reply, const char *account, const char *arn)
{
	struct separation *separation = arg;
	(void)reply;
	(void)account;
	separation->call = NULL;
	if (arn == NULL)
		return;
	free(separation->own);
	separation->own = access_principal_of(arn);
}

static void ask(struct separation *separation)
{
	int64_t pause = separation->own != NULL ? ASK_AGAIN_MS : ASK_FAILED_MS;
	bool is_due = !separation->has_asked || mono_since(separation->asked_at).ms >= pause;
	if (separation->call != NULL || !is_due)
		return;
	separation->has_asked = true;
	separation->asked_at = mono_now();
	separation->call = account_get_identity(
	    separation->aws, separation->provider, separation->region, on_identity, separation);
}

/* --- comparing -------------------------------------------------------------------------------- */

static struct json_object *principals_of(struct json_object *peer)
{
	struct json_object *principals = NULL;
	json_object_object_get_ex(peer, "principals", &principals);
	return principals;
}

static size_t count_of(struct json_object *array)
{
	return json_object_is_type(array, json_type_array) ? json_object_array_length(array) : 0;
}

static bool is_one_of(const char *principal, const char *const *roles, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (roles[i] != NULL && access_is_same_principal(principal, roles[i]))
			return true;
	}
	return false;
}

static void judge_peer(
    struct json_object *shared, struct json_object *peer, const char *const *roles, size_t count)
{
	struct json_object *principals = principals_of(peer), *instance = NULL;
	json_object_object_get_ex(peer, "instance", &instance);
	for (size_t i = 0; i < count_of(principals); i++) {
		const char *principal =
		    json_object_get_string(json_object_array_get_idx(principals, i));
		if (!is_one_of(principal, roles, count))
			continue;
		struct json_object *item = json_object_new_object();
		json_add_string(item, "instance", json_object_get_string(instance));
		json_add_string(item, "principal", principal);
		json_object_array_add(shared, item);
	}
}

/* Those of `inventory` whose principal is one of `roles`; NULL among them is nobody. */
static struct json_object *judge(
    const char *const *roles, size_t count, struct json_object *inventory)
{
	struct json_object *shared = json_object_new_array();
	for (size_t i = 0; i < count_of(inventory); i++)
		judge_peer(shared, json_object_array_get_idx(inventory, i), roles, count);
	return shared;
}

static bool has_principals(struct json_object *inventory)
{
	for (size_t i = 0; i < count_of(inventory); i++) {
		if (count_of(principals_of(json_object_array_get_idx(inventory, i))) > 0)
			return true;
	}
	return false;
}

/* What discoveryd acts as: itself, and the roles of its matchers (free()). */
static const char **roles_of(
    const struct separation *separation, const struct discovery *discovery, size_t *count)
{
	const char **roles = xcalloc(1, sizeof *roles);
	const struct account *account = NULL;
	roles[0] = separation->own;
	*count = 1;
	while ((account = discovery_next_account(discovery, account)) != NULL) {
		roles = xreallocarray(roles, *count + 1, sizeof *roles);
		roles[(*count)++] = account->role_arn;
	}
	return roles;
}

void separation_look(
    struct separation *separation, const struct discovery *discovery, struct json_object *inventory)
{
	size_t before = count_of(separation->shared), count = 0;
	if (has_principals(inventory))
		ask(separation);
	const char **roles = roles_of(separation, discovery, &count);
	json_object_put(separation->shared);
	separation->shared = judge(roles, count, inventory);
	free(roles);
	if (count_of(separation->shared) > before)
		log_warn("main", "one-principal", LOG_I("principals", count_of(separation->shared)),
		    LOG_S("what", "a proxy uses the credentials of discoveryd"),
		    LOG_S("remedy", "give each its own; discoveryd status names them"));
}

struct json_object *separation_to_json(const struct separation *separation)
{
	struct json_object *object = json_object_new_object();
	if (separation->own != NULL)
		json_add_string(object, "own", separation->own);
	json_object_object_add(object, "shared", json_object_get(separation->shared));
	return object;
}
