/* Value types of `eksgate.proxy.login`: issuers of OpenID Connect, and what AWS identities may come
 * in. What would let in more than was meant (patterns over every account, names that sessions
 * choose themselves) is refused here, with its place. Used by the rows in settings_rows_login.c. */
#include "common/settings_login.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/aws_endpoint.h"
#include "common/pattern.h"
#include "common/settings.h"
#include "common/settings_rows.h"
#include "common/xmem.h"

#define OIDC_PREFIX    "eksgate.proxy.login.oidc[]"
#define MAPPING_PREFIX "eksgate.proxy.login.iam.mappings[]"
#define ENTRIES_MAX    100
#define URL_MAX_BYTES  512
#define ID_MAX_BYTES   256
#define VISIBLE_ASCII                                                                              \
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~:/?#[]@!$&'()*+,;=%"

/* --- single values ---------------------------------------------------------------------------- */

/* An issuer, as OpenID Connect Discovery 1.0 (4) has it: https, no query, no fragment. */
static bool read_issuer(
    struct config *config, const struct config_row *row, const struct yaml_node *node, void *base)
{
	const char *text = config_scalar(node);
	size_t len = text != NULL ? strlen(text) : 0;
	(void)config;
	if (len <= strlen("https://") || len > URL_MAX_BYTES ||
	    strncmp(text, "https://", strlen("https://")) != 0 ||
	    strspn(text, VISIBLE_ASCII) != len || strpbrk(text, "?#@") != NULL)
		return false;
	config_set_text(row, base, text);
	return true;
}

/* What no EKS cluster can be called: a token for a cluster is none for this proxy, nor the other
 * way. */
static bool read_id(
    struct config *config, const struct config_row *row, const struct yaml_node *node, void *base)
{
	const char *text = config_scalar(node);
	size_t len = text != NULL ? strlen(text) : 0;
	(void)config;
	if (len == 0 || len > ID_MAX_BYTES || strspn(text, VISIBLE_ASCII) != len ||
	    strpbrk(text, "./:") == NULL)
		return false;
	config_set_text(row, base, text);
	return true;
}

static bool read_partition(
    struct config *config, const struct config_row *row, const struct yaml_node *node, void *base)
{
	const char *text = config == NULL ? node->text : config_scalar(node);
	if (text == NULL || aws_partition_by_id(text) == NULL)
		return false;
	config_set_text(row, base, text);
	return true;
}

/* A pattern that common/pattern.h takes; says why not. */
static bool is_pattern(struct config *config, const struct config_row *row,
    const struct yaml_node *node, const char *text)
{
	char *error = NULL;
	struct pattern *pattern = pattern_new_strict(text, &error);
	if (pattern == NULL)
		config_complain(config, node, "%s: %s: %s", row->key, text, error);
	free(error);
	bool is_good = pattern != NULL;
	pattern_free(&pattern);
	return is_good;
}

static bool read_pattern(
    struct config *config, const struct config_row *row, const struct yaml_node *node, void *base)
{
	const char *text = config_scalar(node);
	if (text == NULL)
		return false;
	if (is_pattern(config, row, node, text))
		config_set_text(row, base, text);
	return true;
}

/* --- lists ------------------------------------------------------------------------------------ */

static bool is_algorithm(const char *name)
{
	static const char *const known[] = {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512",
	    "ES256", "ES384", "ES512", "EdDSA"};
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
		if (strcmp(known[i], name) == 0)
			return true;
	}
	return false;
}

/* The default is written as in a file: "RS256, ES256". */
static void set_default_names(const struct config_row *row, void *base, const char *text)
{
	while (*text != '\0') {
		size_t len = strcspn(text, ",");
		char *name = xstrndup(text, len);
		struct yaml_node one = {.kind = YAML_NODE_SCALAR, .text = name};
		(void)config_names.read(NULL, row, &one, base);
		free(name);
		text += len;
		text += strspn(text, ", ");
	}
}

static bool read_algorithms(
    struct config *config, const struct config_row *row, const struct yaml_node *node, void *base)
{
	if (config == NULL) {
		set_default_names(row, base, node->text);
		return true;
	}
	if (node->kind != YAML_NODE_LIST || node->count == 0)
		return false;
	for (size_t i = 0; i < node->count; i++) {
		const char *name = config_scalar(node->items[i]);
		if (name != NULL && !is_algorithm(name))
			config_complain(config, node->items[i],
			    "%s: \"%s\" is not accepted: RS256 RS384 RS512 PS256 PS384 PS512 ES256 "
			    "ES384 ES512 and EdDSA are, symmetric ones and none never",
			    row->key, name);
	}
	return config_names.read(config, row, node, base);
}

static bool read_claims(
    struct config *config, const struct config_row *row, const struct yaml_node *node, void *base)
{
	for (size_t i = 0; node->kind == YAML_NODE_LIST && i < node->count; i++) {
		const char *claim = config_scalar(node->items[i]);
		const char *equals = claim != NULL ? strchr(claim, '=') : NULL;
		if (claim != NULL && (equals == NULL || equals == claim))
			config_complain(config, node->items[i], "%s: \"%s\": write \"claim=value\"",
			    row->key, claim);
	}
	return config_names.read(config, row, node, base);
}

static bool read_accounts(
    struct config *config, const struct config_row *row, const struct yaml_node *node, void *base)
{
	for (size_t i = 0; node->kind == YAML_NODE_LIST && i < node->count; i++) {
		const char *account = config_scalar(node->items[i]);
		if (account != NULL &&
		    (strlen(account) != 12 || strspn(account, "0123456789") != 12))
			config_complain(config, node->items[i],
			    "%s: \"%s\" is not the 12 digits of an account, quoted", row->key,
			    account);
	}
	return config_names.read(config, row, node, base);
}

/* "arn:PARTITION:iam::123456789012:…": a pattern over the account would let in strangers. */
static bool names_one_account(const char *pattern)
{
	if (*pattern == '^')
		pattern++;
	if (strncmp(pattern, "arn:", 4) != 0)
		return false;
	pattern += 4;
	pattern += strspn(pattern, "abcdefghijklmnopqrstuvwxyz-");
	if (strncmp(pattern, ":iam::", 6) != 0 && strncmp(pattern, ":sts::", 6) != 0)
		return false;
	pattern += 6;
	return strspn(pattern, "0123456789") == 12 && pattern[12] == ':';
}

static bool read_arns(
    struct config *config, const struct config_row *row, const struct yaml_node *node, void *base)
{
	for (size_t i = 0; node->kind == YAML_NODE_LIST && i < node->count; i++) {
		const struct yaml_node *item = node->items[i];
		const char *arn = config_scalar(item);
		if (arn == NULL)
			continue;
		if (!names_one_account(arn))
			config_complain(config, item,
			    "%s: \"%s\" must begin with one account, such as "
			    "arn:aws:iam::123456789012:role/: any account's identity could match",
			    row->key, arn);
		else
			(void)is_pattern(config, row, item, arn);
	}
	return config_names.read(config, row, node, base);
}

/* --- templates -------------------------------------------------------------------------------- */

/* Whether "{{NAME}}" begins at `text`; *len is all of it. */
static bool is_variable(const char *text, const char *name, size_t *len)
{
	size_t name_len = strlen(name);
	*len = name_len + 4;
	return strncmp(text + 2, name, name_len) == 0 && strncmp(text + 2 + name_len, "}}", 2) == 0;
}

static void check_template(struct config *config, const struct config_row *row,
    const struct yaml_node *node, const char *text)
{
	static const char *const names[] = {
	    "AccountID", "RoleName", "SessionName", "SessionNameRaw", "AccessKeyID"};
	static const char *const reserved[] = {"system:", "eks:", "aws:", "amazon:", "iam:"};
	for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++) {
		if (strncmp(text, reserved[i], strlen(reserved[i])) == 0)
			config_complain(config, node,
			    "%s: \"%s\": \"%s\" belongs to Kubernetes or EKS itself", row->key,
			    text, reserved[i]);
	}
	for (const char *at = text; (at = strstr(at, "{{")) != NULL;) {
		size_t len = 0;
		bool is_known = false;
		for (size_t i = 0; !is_known && i < sizeof names / sizeof names[0]; i++)
			is_known = is_variable(at, names[i], &len);
		if (!is_known) {
			config_complain(config, node,
			    "%s: \"%s\": {{AccountID}}, {{RoleName}}, {{SessionName}}, "
			    "{{SessionNameRaw}} and {{AccessKeyID}} are known",
			    row->key, text);
			return;
		}
		at += len;
	}
}

static bool read_template(
    struct config *config, const struct config_row *row, const struct yaml_node *node, void *base)
{
	const char *text = config_scalar(node);
	if (text == NULL)
		return false;
	check_template(config, row, node, text);
	config_set_text(row, base, text);
	return true;
}

static bool read_templates(
    struct config *config, const struct config_row *row, const struct yaml_node *node, void *base)
{
	for (size_t i = 0; node->kind == YAML_NODE_LIST && i < node->count; i++) {
		const char *text = config_scalar(node->items[i]);
		if (text != NULL)
			check_template(config, row, node->items[i], text);
	}
	return config_names.read(config, row, node, base);
}

/* --- entries ---------------------------------------------------------------------------------- */

static void need(struct config *config, const struct yaml_node *entry, const char *prefix,
    const char *key, const char *what)
{
	const struct yaml_node *value = entry->kind == YAML_NODE_MAP ? yaml_get(entry, key) : NULL;
	if (entry->kind == YAML_NODE_MAP && (value == NULL || yaml_is_null(value)))
		config_complain(config, entry, "%s.%s is missing: %s", prefix, key, what);
}

static void check_oidc(
    struct config *config, const struct oidc_login *items, size_t at, const struct yaml_node *entry)
{
	need(config, entry, OIDC_PREFIX, "issuer", "the URL of the issuer, as its tokens say it");
	need(config, entry, OIDC_PREFIX, "audiences", "what tokens must be made for, a client id");
	for (size_t i = 0; i < at; i++) {
		if (items[i].issuer != NULL && items[at].issuer != NULL &&
		    strcmp(items[i].issuer, items[at].issuer) == 0)
			config_complain(config, entry,
			    OIDC_PREFIX ".issuer: %s stands there already", items[at].issuer);
	}
}

static size_t *count_of(const struct config_row *row, void *base)
{
	return (size_t *)(void *)((char *)base + row->count_offset);
}

static bool read_oidc(
    struct config *config, const struct config_row *row, const struct yaml_node *node, void *base)
{
	if (node->kind != YAML_NODE_LIST || node->count > ENTRIES_MAX)
		return false;
	struct oidc_login *items = xcalloc(node->count + 1, sizeof *items);
	*(struct oidc_login **)config_field(row, base) = items;
	*count_of(row, base) = node->count;
	for (size_t i = 0; i < node->count; i++) {
		items[i].line = node->items[i]->line;
		config_set_defaults(settings_table, OIDC_PREFIX, &items[i]);
		config_read(config, OIDC_PREFIX, node->items[i], &items[i]);
		check_oidc(config, items, i, node->items[i]);
	}
	return true;
}

/* A session's name is whatever its maker says, unless the role's trust policy pins it. */
static void check_session_name(
    struct config *config, const struct iam_mapping *mapping, const struct yaml_node *entry)
{
	bool is_used = mapping->user != NULL && strstr(mapping->user, "{{SessionName") != NULL;
	for (size_t i = 0; i < mapping->group_count; i++)
		is_used = is_used || strstr(mapping->groups[i], "{{SessionName") != NULL;
	if (is_used && !mapping->trust_session_name)
		config_complain(config, entry,
		    MAPPING_PREFIX
		    ": whoever assumes a role chooses the session's name: only for "
		    "roles whose trust policy pins it (AWS SSO's do; name each whole, "
		    "with its principal_id) write trust_session_name: yes");
}

static bool read_mappings(
    struct config *config, const struct config_row *row, const struct yaml_node *node, void *base)
{
	if (node->kind != YAML_NODE_LIST || node->count > ENTRIES_MAX)
		return false;
	struct iam_mapping *items = xcalloc(node->count + 1, sizeof *items);
	*(struct iam_mapping **)config_field(row, base) = items;
	*count_of(row, base) = node->count;
	for (size_t i = 0; i < node->count; i++) {
		items[i].line = node->items[i]->line;
		config_set_defaults(settings_table, MAPPING_PREFIX, &items[i]);
		config_read(config, MAPPING_PREFIX, node->items[i], &items[i]);
		need(config, node->items[i], MAPPING_PREFIX, "arn", "a pattern over ARNs");
		need(config, node->items[i], MAPPING_PREFIX, "user", "the name of the user");
		check_session_name(config, &items[i], node->items[i]);
	}
	return true;
}

static void clear_oidc(const struct config_row *row, void *base)
{
	struct oidc_login **items = config_field(row, base);
	for (size_t i = 0; i < *count_of(row, base); i++)
		config_clear(settings_table, OIDC_PREFIX, &(*items)[i]);
	free(*items);
	*items = NULL;
	*count_of(row, base) = 0;
}

static void clear_mappings(const struct config_row *row, void *base)
{
	struct iam_mapping **items = config_field(row, base);
	for (size_t i = 0; i < *count_of(row, base); i++)
		config_clear(settings_table, MAPPING_PREFIX, &(*items)[i]);
	free(*items);
	*items = NULL;
	*count_of(row, base) = 0;
}

/* --- between keys ----------------------------------------------------------------------------- */

void settings_check_login(struct config *config, const struct login_settings *login)
{
	const struct iam_login *iam = &login->iam;
	bool is_on = iam->account_count > 0 || iam->arn_count > 0;
	const struct yaml_node *node = config_find(config, "eksgate.proxy.login.iam");
	if (is_on && iam->id == NULL)
		config_complain(config, node,
		    "eksgate.proxy.login.iam.id is missing: what users say to `aws eks get-token "
		    "--cluster-name`, such as https://kube.example.com");
	if (!is_on && iam->mapping_count > 0)
		config_complain(config, node,
		    "eksgate.proxy.login.iam: mappings are for nobody while accounts and arns are "
		    "both empty");
}

/* --- comparing -------------------------------------------------------------------------------- */

/* Each value behind its length, so that none can look like two. */
static void write_text(struct buf *out, const char *text)
{
	buf_printf(out, "%zu:%s,", text != NULL ? strlen(text) : 0, text != NULL ? text : "");
}

static void write_names(struct buf *out, char *const *names, size_t count)
{
	buf_printf(out, "[%zu ", count);
	for (size_t i = 0; i < count; i++)
		write_text(out, names[i]);
}

static void write_oidc(struct buf *out, const struct oidc_login *login)
{
	const char *const texts[] = {login->issuer, login->ca_file, login->username_claim,
	    login->username_prefix, login->groups_claim, login->groups_prefix,
	    login->cluster_claim};
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		write_text(out, texts[i]);
	write_names(out, login->audiences, login->audience_count);
	write_names(out, login->algorithms, login->algorithm_count);
	write_names(out, login->required_claims, login->required_claim_count);
}

static void write_mapping(struct buf *out, const struct iam_mapping *mapping)
{
	write_text(out, mapping->arn);
	write_text(out, mapping->principal_id);
	write_text(out, mapping->user);
	write_names(out, mapping->groups, mapping->group_count);
	buf_printf(out, "%d", mapping->trust_session_name);
}

char *settings_login_text(const struct login_settings *login)
{
	struct buf out = {0};
	const struct iam_login *iam = &login->iam;
	for (size_t i = 0; i < login->oidc_count; i++)
		write_oidc(&out, &login->oidc[i]);
	write_text(&out, iam->id);
	write_text(&out, iam->partition);
	write_names(&out, iam->accounts, iam->account_count);
	write_names(&out, iam->arns, iam->arn_count);
	for (size_t i = 0; i < iam->mapping_count; i++)
		write_mapping(&out, &iam->mappings[i]);
	return buf_take(&out);
}

static bool begins_either(const char *a, const char *b)
{
	a = a != NULL ? a : "";
	b = b != NULL ? b : "";
	size_t a_len = strlen(a), b_len = strlen(b);
	return strncmp(a, b, a_len < b_len ? a_len : b_len) == 0;
}

const struct oidc_login *settings_login_namesake(const struct login_settings *login, size_t index)
{
	for (size_t i = 0; i < index; i++) {
		const struct oidc_login *one = &login->oidc[i], *other = &login->oidc[index];
		if (begins_either(one->username_prefix, other->username_prefix) ||
		    begins_either(one->groups_prefix, other->groups_prefix))
			return one;
	}
	return NULL;
}

const struct config_type settings_oidc = {.name = "list",
    .expected = "a list of at most 100 entries with issuer and audiences",
    .read = read_oidc,
    .clear = clear_oidc};
const struct config_type settings_iam_mappings = {.name = "list",
    .expected = "a list of at most 100 entries with arn and user",
    .read = read_mappings,
    .clear = clear_mappings};
const struct config_type settings_issuer = {.name = "URL",
    .expected = "an https URL without query and fragment, such as https://accounts.google.com",
    .read = read_issuer,
    .clear = config_clear_text,
    .equal = config_equal_text};
const struct config_type settings_iam_id = {.name = "text",
    .expected = "a text with a '.', '/' or ':', such as https://kube.example.com, which no cluster "
		"can be called",
    .read = read_id,
    .clear = config_clear_text,
    .equal = config_equal_text};
const struct config_type settings_partition = {.name = "word",
    .expected = "a partition of AWS: aws, aws-cn, aws-us-gov, ...",
    .read = read_partition,
    .clear = config_clear_text,
    .equal = config_equal_text};
const struct config_type settings_pattern = {.name = "pattern",
    .expected = "a text, a glob with '*', or a regular expression from '^' to '$'",
    .read = read_pattern,
    .clear = config_clear_text,
    .equal = config_equal_text};
const struct config_type settings_template = {.name = "template",
    .expected = "a text that is not empty",
    .read = read_template,
    .clear = config_clear_text,
    .equal = config_equal_text};
const struct config_type settings_algorithms = {.name = "names",
    .expected = "a list of algorithms, such as [RS256, ES256]",
    .read = read_algorithms,
    .clear = config_clear_names,
    .equal = config_equal_names};
const struct config_type settings_claims = {.name = "names",
    .expected = "a list of \"claim=value\"",
    .read = read_claims,
    .clear = config_clear_names,
    .equal = config_equal_names};
const struct config_type settings_account_ids = {.name = "names",
    .expected = "a list of account ids in quotes",
    .read = read_accounts,
    .clear = config_clear_names,
    .equal = config_equal_names};
const struct config_type settings_arns = {.name = "names",
    .expected = "a list of ARNs or patterns",
    .read = read_arns,
    .clear = config_clear_names,
    .equal = config_equal_names};
const struct config_type settings_templates = {.name = "names",
    .expected = "a list of names",
    .read = read_templates,
    .clear = config_clear_names,
    .equal = config_equal_names};
