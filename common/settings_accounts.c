/* Value types that say in which accounts an entry of discovery_service.aws acts: a role with
 * {account} in it and a list of accounts, or an organization with the name of a role; and what must
 * hold between them, under Teleport's rules. Used by the rows in settings_rows_teleport.c and by
 * settings_matchers.c. */
#include <string.h>

#include "common/aws_endpoint.h"
#include "common/settings.h"
#include "common/settings_rows.h"

#define LOWER	      "abcdefghijklmnopqrstuvwxyz"
#define UPPER	      "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS	      "0123456789"
#define ACCOUNTS_MAX  10000
#define UNITS_MAX     1000
#define ROLE_NAME_MAX 64
#define ENTRY	      "discovery_service.aws[]"

/* --- one value -------------------------------------------------------------------------------- */

static bool is_made_of(const char *text, const char *set, size_t min, size_t max)
{
	size_t len = strspn(text, set);
	return text[len] == '\0' && len >= min && len <= max;
}

static bool is_account(const char *text)
{
	return is_made_of(text, DIGITS, 12, 12);
}

static bool is_root(const char *text)
{
	return strncmp(text, "r-", 2) == 0 && is_made_of(text + 2, LOWER DIGITS, 4, 32);
}

/* "ou-ROOT-UNIT" */
static bool is_unit(const char *text)
{
	const char *dash = strncmp(text, "ou-", 3) == 0 ? strchr(text + 3, '-') : NULL;
	size_t root = strspn(text + (dash != NULL ? 3 : 0), LOWER DIGITS);
	return dash != NULL && text + 3 + root == dash && root >= 4 && root <= 32 &&
	       is_made_of(dash + 1, LOWER DIGITS, 8, 32);
}

static bool read_role_template(
    struct config *config, const struct config_row *row, const struct yaml_node *node, void *base)
{
	const char *text = config_scalar(node);
	(void)config;
	if (text == NULL || !aws_role_template_is_valid(text))
		return false;
	config_set_text(row, base, text);
	return true;
}

static bool read_role_name(
    struct config *config, const struct config_row *row, const struct yaml_node *node, void *base)
{
	const char *text = config_scalar(node);
	(void)config;
	if (text == NULL || !is_made_of(text, LOWER UPPER DIGITS "_+=,.@-", 1, ROLE_NAME_MAX))
		return false;
	config_set_text(row, base, text);
	return true;
}

static bool read_organization_id(
    struct config *config, const struct config_row *row, const struct yaml_node *node, void *base)
{
	const char *text = config_scalar(node);
	(void)config;
	if (text == NULL || strncmp(text, "o-", 2) != 0 ||
	    !is_made_of(text + 2, LOWER DIGITS, 10, 32))
		return false;
	config_set_text(row, base, text);
	return true;
}

/* --- lists ------------------------------------------------------------------------------------ */

/* What is wrong with an item alone, or NULL. */
typedef const char *find_fault_fn(const char *text);

static const char *find_account_fault(const char *text)
{
	return is_account(text) ? NULL : "is no account: write its 12 digits";
}

static const char *find_include_fault(const char *text)
{
	if (strcmp(text, "*") == 0 || is_root(text) || is_unit(text))
		return NULL;
	return "is no organizational unit: write ou-..., r-... or \"*\"";
}

static const char *find_exclude_fault(const char *text)
{
	if (is_root(text) || is_unit(text) || is_account(text))
		return NULL;
	return "is no organizational unit and no account: write ou-..., r-... or 12 digits";
}

static void check_item(struct config *config, const struct config_row *row,
    const struct yaml_node *list, size_t i, find_fault_fn *find_fault)
{
	const struct yaml_node *node = list->items[i];
	const char *text = config_scalar(node);
	if (text == NULL)
		return; /* config_names says so */
	const char *fault = find_fault(text);
	if (fault != NULL)
		config_complain(config, node, "%s: \"%s\" %s", row->key, text, fault);
	else if (strcmp(text, "*") == 0 && list->count > 1)
		config_complain(config, node,
		    "%s: \"*\" means everything: no other can stand beside it", row->key);
	for (size_t k = 0; k < i; k++) {
		const char *other = config_scalar(list->items[k]);
		if (other != NULL && strcmp(other, text) == 0)
			config_complain(
			    config, node, "%s: \"%s\" stands there already", row->key, text);
	}
}

static bool read_list(struct config *config, const struct config_row *row,
    const struct yaml_node *node, void *base, find_fault_fn *find_fault)
{
	if (node->kind != YAML_NODE_LIST)
		return false;
	for (size_t i = 0; i < node->count; i++)
		check_item(config, row, node, i, find_fault);
	return config_names.read(config, row, node, base);
}

static bool read_accounts(
    struct config *config, const struct config_row *row, const struct yaml_node *node, void *base)
{
	return node->count <= ACCOUNTS_MAX &&
	       read_list(config, row, node, base, find_account_fault);
}

static bool read_include(
    struct config *config, const struct config_row *row, const struct yaml_node *node, void *base)
{
	return node->count <= UNITS_MAX && read_list(config, row, node, base, find_include_fault);
}

static bool read_exclude(
    struct config *config, const struct config_row *row, const struct yaml_node *node, void *base)
{
	return node->count <= UNITS_MAX && read_list(config, row, node, base, find_exclude_fault);
}

/* --- between the keys of an entry ------------------------------------------------------------- */

/* The node at a path of keys below the entry, else the nearest that there is. */
static const struct yaml_node *nearest(
    const struct yaml_node *entry, const char *first, const char *second)
{
	const struct yaml_node *node = yaml_get(entry, first);
	const struct yaml_node *inner =
	    node != NULL && second != NULL && node->kind == YAML_NODE_MAP ? yaml_get(node, second)
									  : NULL;
	if (inner != NULL)
		return inner;
	return node != NULL ? node : entry;
}

/* Keys without values, as a sample has them, are none. */
static bool has_organization(const struct yaml_node *entry)
{
	const struct yaml_node *node = yaml_get(entry, "organization");
	for (size_t i = 0; node != NULL && node->kind == YAML_NODE_MAP && i < node->count; i++) {
		if (!yaml_is_null(node->items[i]))
			return true;
	}
	return false;
}

static void check_organization(
    struct config *config, const struct aws_matcher *matcher, const struct yaml_node *entry)
{
	const struct yaml_node *node = yaml_get(entry, "organization");
	const struct yaml_node *units = yaml_get(node, "organizational_units");
	if (yaml_get(node, "organization_id") == NULL)
		config_complain(config, node,
		    ENTRY ".organization.organization_id is missing: write the id of the "
			  "organization, o-...");
	if (units == NULL || yaml_is_null(units) || matcher->organization.include_count == 0)
		config_complain(config, units != NULL && !yaml_is_null(units) ? units : node,
		    ENTRY ".organization.organizational_units.include is missing: name units, or "
			  "[\"*\"] for the whole organization");
	if (yaml_get(entry, "assume_role_name") == NULL)
		config_complain(config, node,
		    ENTRY ".assume_role_name is missing: write the name of the role to assume in "
			  "each account of the organization");
	if (yaml_get(entry, "assume_role_arn") != NULL)
		config_complain(config, nearest(entry, "assume_role_arn", NULL),
		    ENTRY ".assume_role_arn: cannot stand beside organization: its accounts are "
			  "entered by assume_role_name");
	if (matcher->account_count > 0)
		config_complain(config, nearest(entry, "eksgate", "accounts"),
		    ENTRY ".eksgate.accounts: cannot stand beside organization: accounts are left "
			  "out by organizational_units.exclude");
}

static void check_accounts(
    struct config *config, const struct aws_matcher *matcher, const struct yaml_node *entry)
{
	bool is_template = matcher->assume_role_arn != NULL &&
			   strstr(matcher->assume_role_arn, AWS_ACCOUNT_VARIABLE) != NULL;
	if (matcher->assume_role_name != NULL)
		config_complain(config, nearest(entry, "assume_role_name", NULL),
		    ENTRY ".assume_role_name: only has a meaning together with organization: write "
			  "assume_role_arn");
	if (is_template && matcher->account_count == 0)
		config_complain(config, nearest(entry, "assume_role_arn", NULL),
		    ENTRY ".assume_role_arn: has " AWS_ACCOUNT_VARIABLE
			  ", and eksgate.accounts lists no accounts");
	if (!is_template && matcher->account_count > 0)
		config_complain(config, nearest(entry, "eksgate", "accounts"),
		    ENTRY ".eksgate.accounts: only has a meaning together with an assume_role_arn "
			  "such as arn:aws:iam::" AWS_ACCOUNT_VARIABLE ":role/NAME");
}

void settings_check_accounts(
    struct config *config, const struct aws_matcher *matcher, const struct yaml_node *entry)
{
	if (has_organization(entry))
		check_organization(config, matcher, entry);
	else
		check_accounts(config, matcher, entry);
}

const struct config_type settings_role_template = {.name = "role ARN",
    .expected = "the ARN of a role, arn:aws:iam::ACCOUNT:role/NAME",
    .read = read_role_template,
    .clear = config_clear_text,
    .equal = config_equal_text};
const struct config_type settings_role_name = {.name = "text",
    .expected = "the name of a role, 1 to 64 letters, digits and _+=,.@-",
    .read = read_role_name,
    .clear = config_clear_text,
    .equal = config_equal_text};
const struct config_type settings_organization_id = {.name = "text",
    .expected = "the id of an organization, o- and 10 to 32 letters and digits",
    .read = read_organization_id,
    .clear = config_clear_text,
    .equal = config_equal_text};
const struct config_type settings_accounts = {.name = "names",
    .expected = "a list of accounts, 12 digits each",
    .read = read_accounts,
    .clear = config_clear_names,
    .equal = config_equal_names};
const struct config_type settings_include = {.name = "names",
    .expected = "a list of organizational units, or [\"*\"]",
    .read = read_include,
    .clear = config_clear_names,
    .equal = config_equal_names};
const struct config_type settings_exclude = {.name = "names",
    .expected = "a list of organizational units and accounts",
    .read = read_exclude,
    .clear = config_clear_names,
    .equal = config_equal_names};
