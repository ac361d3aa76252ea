/* Whom a client wants to be. A user, groups, a uid, extras; keys of extras stand in the name of the
 * field, in lower case and percent-encoded, and are compared decoded. What the API server would
 * take one of and drop the rest is refused here. Called by the exchange. */
#include "kubeproxyd/gate/act_as.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/buf.h"
#include "common/xmem.h"
#include "kubeproxyd/policy/principal.h"
#include "kubeproxyd/policy/query.h"

#define USER	      "Impersonate-User"
#define GROUP	      "Impersonate-Group"
#define UID	      "Impersonate-Uid"
#define EXTRA	      "Impersonate-Extra-"
#define EXTRAS_MAX    32
#define KEY_MAX_BYTES 256

bool act_as_is_asked(const struct http_fields *fields)
{
	return (fields->traits & FIELD_IMPERSONATION) != 0;
}

static bool refuse(unsigned *status, unsigned code, char **message, char *what)
{
	*status = code;
	*message = what;
	return false;
}

/* One value of a field that there may be one of. */
static bool take_one(
    char **to, const char *name, const char *value, unsigned *status, char **message)
{
	const char *refusal = principal_refuse(value, strlen(value));
	if (*to != NULL)
		return refuse(status, 400, message, xasprintf("%s is there twice", name));
	if (refusal != NULL)
		return refuse(status, 400, message, xasprintf("%s %s", name, refusal));
	*to = xstrdup(value);
	return true;
}

static bool take_group(struct act_as *as, const char *value, unsigned *status, char **message)
{
	const char *refusal = principal_refuse(value, strlen(value));
	if (refusal != NULL)
		return refuse(status, 400, message, xasprintf(GROUP " %s", refusal));
	if (as->groups.count == PRINCIPAL_MAX_GROUPS)
		return refuse(status, 400, message, xstrdup("there are too many " GROUP " fields"));
	if (!texts_has(&as->groups, value))
		texts_add(&as->groups, value);
	return true;
}

static bool is_own_key(const char *key)
{
	size_t len = strlen(key), suffix = strlen(ACT_AS_OWN_SUFFIX);
	return len >= suffix && strcmp(key + len - suffix, ACT_AS_OWN_SUFFIX) == 0;
}

/* Lower-cased, then decoded, as the API server does. NULL when that gives no key. */
static char *decode(const char *text)
{
	const char *bad;
	char *lower = xstrdup(text), *key = xcalloc(2 * strlen(text) + 1, 1);
	for (char *c = lower; *c != '\0'; c++)
		*c = (char)(*c >= 'A' && *c <= 'Z' ? *c + ('a' - 'A') : *c);
	if (!percent_decode(lower, strlen(lower), false, key, &bad) || key[0] == '\0' ||
	    strlen(key) > KEY_MAX_BYTES || strspn(key, ACT_AS_KEY_CHARACTERS) != strlen(key))
		xfree(&key);
	free(lower);
	return key;
}

/* The key behind the prefix, or NULL with a message. */
static char *decode_key(const char *name, unsigned *status, char **message)
{
	char *key = decode(name + strlen(EXTRA));
	if (key == NULL) {
		refuse(status, 400, message,
		    xasprintf("the key of the field \"%.100s\" must be at most 256 letters, digits "
			      "and \"/-._\", "
			      "percent-encoded where needed",
			name));
	} else if (is_own_key(key)) {
		refuse(status, 403, message,
		    xasprintf("the field \"%.100s\" is refused: keys that end in " ACT_AS_OWN_SUFFIX
			      " are this proxy's",
			name));
		xfree(&key);
	}
	return key;
}

static bool take_extra(
    struct act_as *as, const char *name, const char *value, unsigned *status, char **message)
{
	if (as->extra_count == EXTRAS_MAX)
		return refuse(
		    status, 400, message, xstrdup("there are too many " EXTRA "* fields"));
	if (!field_text_is_plain(value, strlen(value)) || value[0] == '\0')
		return refuse(
		    status, 400, message, xasprintf("the field \"%.100s\" is empty", name));
	char *key = decode_key(name, status, message);
	if (key == NULL)
		return false;
	as->extras = xreallocarray(as->extras, as->extra_count + 1, sizeof *as->extras);
	as->extras[as->extra_count++] = (struct act_as_extra){key, xstrdup(value)};
	return true;
}

static bool take_field(
    struct act_as *as, const char *name, const char *value, unsigned *status, char **message)
{
	if (strcasecmp(name, USER) == 0)
		return take_one(&as->user, USER, value, status, message);
	if (strcasecmp(name, UID) == 0)
		return take_one(&as->uid, UID, value, status, message);
	if (strcasecmp(name, GROUP) == 0)
		return take_group(as, value, status, message);
	if (strncasecmp(name, EXTRA, strlen(EXTRA)) == 0)
		return take_extra(as, name, value, status, message);
	return refuse(status, 403, message,
	    xasprintf("the header field \"%.100s\" is refused: of Impersonate-* it is none that is "
		      "known here",
		name));
}

bool act_as_read(
    const struct http_fields *fields, struct act_as *as, unsigned *status, char **message)
{
	for (size_t i = 0; i < fields->count; i++) {
		const char *name = fields_name(fields, i);
		if (fields_is(fields, i, FIELD_IMPERSONATION) &&
		    !take_field(as, name, fields_value(fields, i), status, message))
			return false;
	}
	if (as->user == NULL && (as->uid != NULL || as->extra_count > 0))
		return refuse(status, 403, message,
		    xstrdup("a uid or extras go with a user to act as (" USER ")"));
	return true;
}

void act_as_free(struct act_as *as)
{
	free(as->user);
	free(as->uid);
	texts_free(&as->groups);
	for (size_t i = 0; i < as->extra_count; i++) {
		free(as->extras[i].key);
		free(as->extras[i].value);
	}
	free(as->extras);
	*as = (struct act_as){0};
}

char *act_as_extra_field(const char *key)
{
	struct buf name = {0};
	buf_append_text(&name, EXTRA);
	for (; *key != '\0'; key++) {
		unsigned char c = (unsigned char)*key;
		bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
				(c >= '0' && c <= '9') || strchr("-._", c) != NULL;
		if (is_plain)
			buf_append_char(&name, (char)c);
		else
			buf_printf(&name, "%%%02X", c);
	}
	return buf_take(&name);
}
