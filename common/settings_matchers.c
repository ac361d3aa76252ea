/* Value types for what is discovered (discovery_service.aws) and what is served
 * (kubernetes_service.resources): lists of entries with regions, selectors and roles, under
 * Teleport's rules. Used by the rows in settings_rows_teleport.c. */
#include <stdlib.h>
#include <string.h>

#include "common/aws_endpoint.h"
#include "common/labels.h"
#include "common/settings.h"
#include "common/settings_rows.h"
#include "common/xmem.h"

#define MATCHER_PREFIX	"discovery_service.aws[]"
#define RESOURCE_PREFIX "kubernetes_service.resources[]"
#define ENTRIES_MAX	1000
#define TAG_KEY_MAX	255

/* --- values of an entry ----------------------------------------------------------------------- */

static bool read_types(
    struct config *config, const struct config_row *row, const struct yaml_node *node, void *base)
{
	(void)base;
	if (node->kind != YAML_NODE_LIST)
		return false;
	if (node->count == 0)
		config_complain(config, node, "%s is empty: write [eks]", row->key);
	for (size_t i = 0; i < node->count; i++) {
		const char *type = config_scalar(node->items[i]);
		if (type == NULL)
			config_complain(
			    config, node->items[i], "%s: expected the word eks", row->key);
		else if (strcmp(type, "eks") != 0)
			config_complain(config, node->items[i],
			    "%s: \"%s\" is not supported: this system discovers EKS clusters, "
			    "type eks",
			    row->key, type);
	}
	return true;
}

static void check_region(
    struct config *config, const struct config_row *row, const struct yaml_node *list, size_t i)
{
	const struct yaml_node *node = list->items[i];
	const char *region = config_scalar(node);
	if (region == NULL)
		config_complain(config, node, "%s: expected the name of a region", row->key);
	else if (strcmp(region, "*") == 0 && list->count > 1)
		config_complain(config, node,
		    "%s: \"*\" means every region: no other can stand beside it", row->key);
	else if (strcmp(region, "*") != 0 && !aws_region_is_valid(region))
		config_complain(config, node,
		    "%s: \"%s\" is not the name of a region such as eu-west-1", row->key, region);
	else if (strcmp(region, "*") != 0 && !aws_region_is_known(region))
		config_complain(config, node,
		    "%s: \"%s\" is a region of no AWS partition: names start with us-, eu-, ap-, "
		    "cn-, "
		    "us-gov- and the like",
		    row->key, region);
	for (size_t k = 0; region != NULL && k < i; k++)
		if (config_scalar(list->items[k]) != NULL &&
		    strcmp(list->items[k]->text, region) == 0)
			config_complain(
			    config, node, "%s: \"%s\" stands there already", row->key, region);
}

static bool read_regions(
    struct config *config, const struct config_row *row, const struct yaml_node *node, void *base)
{
	if (node->kind != YAML_NODE_LIST)
		return false;
	if (node->count == 0)
		config_complain(config, node,
		    "%s is empty: name regions, or [\"*\"] for all (needs account:ListRegions)",
		    row->key);
	if (node->count > ENTRIES_MAX)
		return false;
	for (size_t i = 0; i < node->count; i++)
		check_region(config, row, node, i);
	return config_names.read(config, row, node, base);
}

static void add_value(struct config *config, const struct config_row *row,
    struct selector *selector, const struct yaml_key *key, const struct yaml_node *node)
{
	char *error = NULL;
	if (node->kind != YAML_NODE_SCALAR || yaml_is_null(node))
		config_complain(config, node,
		    "%s: the value of \"%s\" is text or a list of texts, quoted when it is \"*\"",
		    row->key, key->text);
	else if (!selector_add(selector, key->text, node->text, &error))
		config_complain(config, node, "%s: %s: %s", row->key, node->text, error);
	free(error);
}

static void add_requirement(struct config *config, const struct config_row *row,
    struct selector *selector, const struct yaml_key *key, const struct yaml_node *node)
{
	if (!label_key_is_valid(key->text)) {
		config_complain(config, node,
		    "%s: \"%.60s\" can never match: keys of labels are letters, digits and "
		    "/._:*-",
		    row->key, key->text);
		return;
	}
	if (node->kind != YAML_NODE_LIST) {
		add_value(config, row, selector, key, node);
		return;
	}
	if (node->count == 0)
		config_complain(config, node,
		    "%s: \"%s\" has no values and would match nothing: write \"*\" for any",
		    row->key, key->text);
	for (size_t i = 0; i < node->count; i++)
		add_value(config, row, selector, key, node->items[i]);
}

static void clear_selector(const struct config_row *row, void *base)
{
	selector_free(config_field(row, base));
}

/* An empty map is the same as none. The default is everything. */
static bool read_selector(
    struct config *config, const struct config_row *row, const struct yaml_node *node, void *base)
{
	char *error = NULL;
	if (config != NULL && node->kind != YAML_NODE_MAP)
		return false;
	if (config != NULL && node->count == 0)
		return true;
	clear_selector(row, base);
	struct selector *selector = selector_new();
	*(struct selector **)config_field(row, base) = selector;
	if (config == NULL && !selector_add(selector, "*", "*", &error))
		abort();
	for (size_t i = 0; config != NULL && i < node->count; i++)
		add_requirement(config, row, selector, &node->keys[i], node->items[i]);
	return true;
}

static bool read_role_arn(
    struct config *config, const struct config_row *row, const struct yaml_node *node, void *base)
{
	const char *text = config_scalar(node);
	(void)config;
	if (text == NULL || !aws_role_arn_is_valid(text))
		return false;
	config_set_text(row, base, text);
	return true;
}

/* STS's grammar. The value stays out of messages. */
static bool read_external_id(
    struct config *config, const struct config_row *row, const struct yaml_node *node, void *base)
{
	static const char set[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+=,.@:/-";
	const char *text = config_scalar(node);
	size_t len = text != NULL ? strlen(text) : 0;
	if (len < 2 || len > 1224 || strspn(text, set) != len)
		config_complain(
		    config, node, "%s: expected 2 to 1224 letters, digits and _+=,.@:/-", row->key);
	else
		config_set_text(row, base, text);
	return true;
}

static bool read_never(
    struct config *config, const struct config_row *row, const struct yaml_node *node, void *base)
{
	bool is_on = false;
	struct config_row local = *row;
	(void)base;
	local.offset = 0;
	if (!config_bool.read(config, &local, node, &is_on))
		return false;
	if (is_on)
		config_complain(config, node, "%s: yes is not supported: %s", row->key, row->help);
	return true;
}

/* --- entries ---------------------------------------------------------------------------------- */

static void need_role(struct config *config, const char *prefix, const char *role,
    const char *external_id, const struct yaml_node *entry)
{
	if (external_id == NULL || role != NULL)
		return;
	const struct yaml_node *node = yaml_get(entry, "external_id");
	config_complain(config, node != NULL ? node : entry,
	    "%s.external_id: only has a meaning together with assume_role_arn", prefix);
}

/* A role of one partition has no rights in another. */
static void check_partition(struct config *config, const struct aws_matcher *matcher,
    const struct yaml_node *entry, const char *key, const char *arn)
{
	if (arn == NULL)
		return;
	for (size_t i = 0; i < matcher->region_count; i++) {
		const char *region = matcher->regions[i];
		if (strcmp(region, "*") == 0 || !aws_region_is_valid(region))
			continue;
		const char *partition = aws_partition_of_region(region)->id;
		size_t len = strlen(partition);
		if (strncmp(arn + 4, partition, len) == 0 && arn[4 + len] == ':')
			continue;
		config_complain(config, yaml_get(entry, key),
		    MATCHER_PREFIX ".%s: a role of another partition than region %s (%s)", key,
		    region, partition);
		return;
	}
}

static void check_matcher(
    struct config *config, const struct aws_matcher *matcher, const struct yaml_node *entry)
{
	static const char *const required[] = {"types", "regions"};
	if (entry->kind != YAML_NODE_MAP)
		return;
	for (size_t i = 0; i < sizeof(required) / sizeof(required[0]); i++) {
		const struct yaml_node *node = yaml_get(entry, required[i]);
		if (node == NULL || yaml_is_null(node))
			config_complain(config, entry, MATCHER_PREFIX ".%s is missing: write %s",
			    required[i], i == 0 ? "[eks]" : "[\"*\"] or names of regions");
	}
	need_role(config, MATCHER_PREFIX,
	    matcher->organization.id != NULL ? matcher->assume_role_name : matcher->assume_role_arn,
	    matcher->external_id, entry);
	settings_check_accounts(config, matcher, entry);
	check_partition(config, matcher, entry, "assume_role_arn", matcher->assume_role_arn);
	check_partition(
	    config, matcher, entry, "setup_access_for_arn", matcher->setup_access_for_arn);
}

static void clear_matchers(const struct config_row *row, void *base)
{
	struct aws_matcher **items = config_field(row, base);
	size_t *count = (size_t *)(void *)((char *)base + row->count_offset);
	for (size_t i = 0; i < *count; i++)
		config_clear(settings_table, MATCHER_PREFIX, &(*items)[i]);
	free(*items);
	*items = NULL;
	*count = 0;
}

static bool read_matchers(
    struct config *config, const struct config_row *row, const struct yaml_node *node, void *base)
{
	if (node->kind != YAML_NODE_LIST || node->count > ENTRIES_MAX)
		return false;
	struct aws_matcher *items = xcalloc(node->count + 1, sizeof(*items));
	*(struct aws_matcher **)config_field(row, base) = items;
	*(size_t *)(void *)((char *)base + row->count_offset) = node->count;
	for (size_t i = 0; i < node->count; i++) {
		items[i].line = node->items[i]->line;
		config_set_defaults(settings_table, MATCHER_PREFIX, &items[i]);
		config_read(config, MATCHER_PREFIX, node->items[i], &items[i]);
		check_matcher(config, &items[i], node->items[i]);
	}
	return true;
}

static void check_resource(
    struct config *config, const struct resource_selector *resource, const struct yaml_node *entry)
{
	const struct yaml_node *aws = yaml_get(entry, "aws"), *labels = yaml_get(entry, "labels");
	if (entry->kind != YAML_NODE_MAP)
		return;
	bool is_empty = labels != NULL && labels->kind == YAML_NODE_MAP && labels->count == 0;
	if (labels == NULL || yaml_is_null(labels) || is_empty)
		config_complain(config, entry,
		    RESOURCE_PREFIX
		    ".labels is missing and nothing would match: write \"*\": \"*\" for every "
		    "cluster");
	need_role(config, RESOURCE_PREFIX ".aws", resource->assume_role_arn, resource->external_id,
	    aws != NULL ? aws : entry);
}

static void clear_resources(const struct config_row *row, void *base)
{
	struct resource_selector **items = config_field(row, base);
	size_t *count = (size_t *)(void *)((char *)base + row->count_offset);
	for (size_t i = 0; i < *count; i++)
		config_clear(settings_table, RESOURCE_PREFIX, &(*items)[i]);
	free(*items);
	*items = NULL;
	*count = 0;
}

static bool read_resources(
    struct config *config, const struct config_row *row, const struct yaml_node *node, void *base)
{
	if (node->kind != YAML_NODE_LIST || node->count > ENTRIES_MAX)
		return false;
	struct resource_selector *items = xcalloc(node->count + 1, sizeof(*items));
	*(struct resource_selector **)config_field(row, base) = items;
	*(size_t *)(void *)((char *)base + row->count_offset) = node->count;
	for (size_t i = 0; i < node->count; i++) {
		items[i].line = node->items[i]->line;
		config_read(config, RESOURCE_PREFIX, node->items[i], &items[i]);
		check_resource(config, &items[i], node->items[i]);
	}
	return true;
}

const struct config_type settings_matchers = {.name = "list",
    .expected = "a list of at most 1000 entries with types, regions and tags",
    .read = read_matchers,
    .clear = clear_matchers};
const struct config_type settings_resources = {.name = "list",
    .expected = "a list of at most 1000 entries with labels",
    .read = read_resources,
    .clear = clear_resources};
const struct config_type settings_types = {
    .name = "names", .expected = "a list, [eks]", .read = read_types};
const struct config_type settings_regions = {.name = "names",
    .expected = "a list of regions, or [\"*\"]",
    .read = read_regions,
    .clear = config_clear_names,
    .equal = config_equal_names};
const struct config_type settings_selector = {.name = "selector",
    .expected = "a map of keys to a value or a list of values",
    .read = read_selector,
    .clear = clear_selector};
const struct config_type settings_role_arn = {.name = "role ARN",
    .expected = "the ARN of a role, arn:aws:iam::ACCOUNT:role/NAME",
    .read = read_role_arn,
    .clear = config_clear_text,
    .equal = config_equal_text};
const struct config_type settings_external_id = {.name = "text",
    .expected = "text",
    .read = read_external_id,
    .clear = config_clear_text,
    .equal = config_equal_text};
const struct config_type settings_never = {.name = "bool", .expected = "no", .read = read_never};
