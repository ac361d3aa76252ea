/* Identity in header fields. What comes from the client is judged by prefix, so that a field that
 * Kubernetes learns tomorrow is covered today; what goes to the API server is written here alone
 * and checked again once the head is complete. Called by headers.c. */
#include "kubeproxyd/gate/impersonate.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/xmem.h"
#include "kubeproxyd/gate/act_as.h"
#include "kubeproxyd/gate/headers.h"

#define BEARER "Bearer "

/* A name, or with `is_prefix` how it begins. */
struct rule {
	const char *name;
	bool is_prefix;
};

/* may_be_identity() knows their first letters. */
static const struct rule identity_rules[] = {
    {"Authorization", false},
    {"Proxy-Authorization", false},
    {"Impersonate", true},
    {"X-Remote-", true},
    {"X-Forwarded-", true},
    {"X-Client-", true},
    {"X-Amz", true},
    {"Front-Proxy", true},
    {"Forwarded", false},
    {"X-Real-Ip", false},
    {"Audit-Id", false},
    {NULL, false},
};

/* Only their disguise is an attack; as they are, others deal with them. */
static const struct rule framing_rules[] = {
    {"Content-Length", false},
    {"Keep-Alive", false},
    {"Proxy-Connection", false},
    {"Transfer-Encoding", false},
    {"Sec-Websocket-", true},
    {NULL, false},
};

static int to_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
}

static bool is_letter_equal(char a, char b, bool underscore_is_dash)
{
	if (underscore_is_dash && a == '_')
		a = '-';
	return to_lower(a) == to_lower(b);
}

static bool follows(const struct rule *rule, const char *name, bool underscore_is_dash)
{
	const char *wanted = rule->name;
	for (; *wanted != '\0'; wanted++, name++) {
		if (*name == '\0' || !is_letter_equal(*name, *wanted, underscore_is_dash))
			return false;
	}
	return rule->is_prefix || *name == '\0';
}

static bool follows_any(const struct rule *rules, const char *name, bool underscore_is_dash)
{
	for (; rules->name != NULL; rules++) {
		if (follows(rules, name, underscore_is_dash))
			return true;
	}
	return false;
}

/* Nearly no field of a request begins like one of the rules. */
static bool may_be_identity(char first)
{
	return first != '\0' && strchr("AaFfIiPpXx", first) != NULL;
}

bool impersonate_is_identity_field(const char *name)
{
	return may_be_identity(name[0]) && follows_any(identity_rules, name, false);
}

bool impersonate_is_disguised_field(const char *name)
{
	return strchr(name, '_') != NULL &&
	       (follows_any(identity_rules, name, true) || follows_any(framing_rules, name, true));
}

bool impersonate_is_impersonation(const char *name)
{
	static const struct rule rule = {"Impersonate", true};
	return follows(&rule, name, false);
}

/* --- ours ------------------------------------------------------------------------------------ */

static bool is_value(const char *text)
{
	size_t len = text != NULL ? strlen(text) : 0;
	return len > 0 && text[0] != ' ' && text[len - 1] != ' ' && field_text_is_plain(text, len);
}

static bool are_values(const struct headers_input *input)
{
	for (size_t i = 0; i < input->group_count; i++) {
		if (!is_value(input->groups[i]))
			return false;
	}
	for (size_t i = 0; i < input->extra_count; i++) {
		if (!is_value(input->extras[i].value))
			return false;
	}
	return input->uid == NULL || is_value(input->uid);
}

static void add_extras(const struct headers_input *input, struct http_fields *fields)
{
	if (input->uid != NULL)
		fields_add_text(fields, "Impersonate-Uid", input->uid);
	for (size_t i = 0; i < input->extra_count; i++) {
		char *name = act_as_extra_field(input->extras[i].key);
		fields_add_text(fields, name, input->extras[i].value);
		free(name);
	}
}

bool impersonate_add_fields(const struct headers_input *input, struct http_fields *fields)
{
	if (!is_value(input->token) || strchr(input->token, ' ') != NULL || !is_value(input->user))
		return false;
	if (!are_values(input))
		return false;
	fields_add_prefixed(fields, "Authorization", BEARER, input->token);
	fields_add_text(fields, "Impersonate-User", input->user);
	for (size_t i = 0; i < input->group_count; i++)
		fields_add_text(fields, "Impersonate-Group", input->groups[i]);
	add_extras(input, fields);
	return true;
}

static bool is_our_bearer(const struct headers_input *input, const char *value)
{
	return strncmp(value, BEARER, strlen(BEARER)) == 0 &&
	       strcmp(value + strlen(BEARER), input->token) == 0;
}

/* The extra at `index`, in the order of the input. */
static bool is_our_extra(
    const struct headers_input *input, size_t index, const char *name, const char *value)
{
	if (index >= input->extra_count || strcmp(value, input->extras[index].value) != 0)
		return false;
	char *wanted = act_as_extra_field(input->extras[index].key);
	bool is_it = strcmp(name, wanted) == 0;
	free(wanted);
	return is_it;
}

bool impersonate_is_sound(const struct headers_input *input, const struct http_fields *fields)
{
	size_t bearers = 0, users = 0, groups = 0, uids = 0, extras = 0;
	for (size_t i = 0; i < fields->count; i++) {
		const char *value = fields_value(fields, i);
		bool is_ours = true;
		if (fields_is_named(fields, i, "Authorization")) {
			is_ours = bearers++ == 0 && is_our_bearer(input, value);
		} else if (fields_is_named(fields, i, "Impersonate-User")) {
			is_ours = users++ == 0 && strcmp(value, input->user) == 0;
		} else if (fields_is_named(fields, i, "Impersonate-Group")) {
			is_ours = groups < input->group_count &&
				  strcmp(value, input->groups[groups]) == 0;
			groups++;
		} else if (fields_is_named(fields, i, "Impersonate-Uid")) {
			is_ours =
			    uids++ == 0 && input->uid != NULL && strcmp(value, input->uid) == 0;
		} else if (impersonate_is_impersonation(fields_name(fields, i))) {
			is_ours = is_our_extra(input, extras++, fields_name(fields, i), value);
		}
		if (!is_ours)
			return false;
	}
	return bearers == 1 && users == 1 && groups == input->group_count &&
	       uids == (input->uid != NULL) && extras == input->extra_count;
}
