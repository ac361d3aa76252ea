/* Identity in header fields. What goes to the API server is written here alone and checked again
 * once the head is complete. Called by headers.c. */
#include "kubeproxyd/gate/impersonate.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/xmem.h"
#include "kubeproxyd/gate/act_as.h"
#include "kubeproxyd/gate/headers.h"
#include "kubeproxyd/http/fields_out.h"

#define BEARER "Bearer "
/* As they are written and, once the head is complete, looked for. */
#define AUTHORIZATION	  "Authorization"
#define IMPERSONATE_USER  "Impersonate-User"
#define IMPERSONATE_GROUP "Impersonate-Group"
#define IMPERSONATE_UID	  "Impersonate-Uid"
#define OURS                                                                                       \
	(FIELD_AUTHORIZATION | FIELD_IMPERSONATE_USER | FIELD_IMPERSONATE_GROUP |                  \
	    FIELD_IMPERSONATE_UID | FIELD_IMPERSONATION)

/* --- ours ------------------------------------------------------------------------------------ */

static bool is_value(const char *text)
{
	size_t len = text != NULL ? strlen(text) : 0;
	return len > 0 && text[0] != ' ' && text[len - 1] != ' ' && field_text_is_plain(text, len);
}

/* Without a space: nothing stands behind a bearer token. */
static bool is_token(const char *text, size_t len)
{
	return len > 0 && field_text_is_visible(text, len);
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
		fields_add_text(fields, IMPERSONATE_UID, input->uid);
	for (size_t i = 0; i < input->extra_count; i++) {
		char *name = act_as_extra_field(input->extras[i].key);
		fields_add_text(fields, name, input->extras[i].value);
		free(name);
	}
}

bool impersonate_add_fields(const struct headers_input *input, struct http_fields *fields)
{
	static struct field_name authorization = FIELD_NAME(AUTHORIZATION);
	static struct field_name user = FIELD_NAME(IMPERSONATE_USER);
	static struct field_name group = FIELD_NAME(IMPERSONATE_GROUP);
	size_t token_len = input->token != NULL ? strlen(input->token) : 0;
	if (!is_token(input->token, token_len) || !is_value(input->user) || !are_values(input))
		return false;
	fields_out_add_prefixed(fields, &authorization, BEARER, input->token, token_len);
	fields_out_add_text(fields, &user, input->user);
	for (size_t i = 0; i < input->group_count; i++)
		fields_out_add_text(fields, &group, input->groups[i]);
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

/* Whether a name says who somebody is to an API server, by its bytes alone: traits come from afar,
 * and a wrong one must not be believed here. */
static bool is_claim(const char *name)
{
	switch (name[0] | 0x20) {
	case 'a':
		return strcasecmp(name, "authorization") == 0;
	case 'i':
		return strncasecmp(name, "impersonate", strlen("impersonate")) == 0;
	case 'x':
		return strncasecmp(name, "x-remote-", strlen("x-remote-")) == 0;
	default:
		return false;
	}
}

/* Names are compared as values are: a trait alone makes no field what it should be. */
bool impersonate_is_sound(const struct headers_input *input, const struct http_fields *fields)
{
	size_t bearers = 0, users = 0, groups = 0, uids = 0, extras = 0;
	for (size_t i = 0; i < fields->count; i++) {
		if (!fields_is(fields, i, OURS)) {
			if (is_claim(fields_name(fields, i)))
				return false;
			continue;
		}
		const char *value = fields_value(fields, i);
		bool is_ours;
		if (fields_is(fields, i, FIELD_AUTHORIZATION)) {
			is_ours = bearers++ == 0 && fields_is_spelled(fields, i, AUTHORIZATION) &&
				  is_our_bearer(input, value);
		} else if (fields_is(fields, i, FIELD_IMPERSONATE_USER)) {
			is_ours = users++ == 0 && fields_is_spelled(fields, i, IMPERSONATE_USER) &&
				  strcmp(value, input->user) == 0;
		} else if (fields_is(fields, i, FIELD_IMPERSONATE_GROUP)) {
			is_ours = groups < input->group_count &&
				  fields_is_spelled(fields, i, IMPERSONATE_GROUP) &&
				  strcmp(value, input->groups[groups]) == 0;
			groups++;
		} else if (fields_is(fields, i, FIELD_IMPERSONATE_UID)) {
			is_ours = uids++ == 0 && input->uid != NULL &&
				  fields_is_spelled(fields, i, IMPERSONATE_UID) &&
				  strcmp(value, input->uid) == 0;
		} else {
			is_ours = is_our_extra(input, extras++, fields_name(fields, i), value);
		}
		if (!is_ours)
			return false;
	}
	return bearers == 1 && users == 1 && groups == input->group_count &&
	       uids == (input->uid != NULL) && extras == input->extra_count;
}
