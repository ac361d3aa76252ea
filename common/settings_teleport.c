/* Value types of the keys that a Teleport agent's file has besides matchers: read so that such a
 * file works as it stands, and refused with an explanation where it asks for what this system does
 * not do. Used by the rows in settings_rows_teleport.c. */
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/settings_rows.h"
#include "common/xmem.h"

#define KUBE_PORT 3026

static bool read_version(
    struct config *config, const struct config_row *row, const struct yaml_node *node, void *base)
{
	const char *text = config_scalar(node);
	(void)base;
	if (text == NULL)
		return false;
	if (strcmp(text, "v1") == 0 || strcmp(text, "v2") == 0)
		config_complain(config, node,
		    "%s: %s is an older format: write \"version: v3\", where "
		    "teleport.proxy_server takes the place of teleport.auth_servers",
		    row->key, text);
	else if (strcmp(text, "v3") != 0)
		return false;
	return true;
}

/* Teleport's words for levels, in any case. */
static bool parse_severity(const char *text, enum log_level *level)
{
	static const struct {
		const char *name;
		enum log_level level;
	} names[] = {{"trace", LOG_LEVEL_DEBUG}, {"debug", LOG_LEVEL_DEBUG},
	    {"info", LOG_LEVEL_INFO}, {"warn", LOG_LEVEL_WARN}, {"warning", LOG_LEVEL_WARN},
	    {"err", LOG_LEVEL_ERROR}, {"error", LOG_LEVEL_ERROR}};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcasecmp(text, names[i].name) == 0) {
			*level = names[i].level;
			return true;
		}
	}
	return false;
}

static bool read_severity(
    struct config *config, const struct config_row *row, const struct yaml_node *node, void *base)
{
	enum log_level level;
	const char *text = config_scalar(node);
	if (text == NULL || !parse_severity(text, &level))
		return false;
	if (config_find(config, "eksgate.log.level") == NULL)
		*(enum log_level *)config_field(row, base) = level;
	return true;
}

static bool read_ignored(
    struct config *config, const struct config_row *row, const struct yaml_node *node, void *base)
{
	(void)config;
	(void)row;
	(void)node;
	(void)base;
	return true;
}

static bool is_no(const struct yaml_node *node)
{
	const char *text = config_scalar(node);
	return text != NULL && (strcasecmp(text, "no") == 0 || strcasecmp(text, "false") == 0 ||
				   strcasecmp(text, "off") == 0);
}

/* Whatever else stands in a disabled service has no effect in Teleport either. */
static bool read_foreign(
    struct config *config, const struct config_row *row, const struct yaml_node *node, void *base)
{
	(void)base;
	if (node->kind != YAML_NODE_MAP)
		return false;
	const struct yaml_node *enabled = yaml_get(node, "enabled");
	if (enabled != NULL && is_no(enabled))
		return true;
	config_complain(config, enabled != NULL ? enabled : node,
	    "%s: this system does not offer %s: write \"enabled: false\" or remove the section",
	    row->key, row->help);
	return true;
}

static bool is_empty(const struct yaml_node *node)
{
	if (node->kind != YAML_NODE_SCALAR)
		return node->count == 0;
	return node->text[0] == '\0' || is_no(node);
}

static bool read_unsupported(
    struct config *config, const struct config_row *row, const struct yaml_node *node, void *base)
{
	(void)base;
	if (!is_empty(node))
		config_complain(config, node, "%s is not supported: %s", row->key, row->help);
	return true;
}

static bool read_listen(
    struct config *config, const struct config_row *row, const struct yaml_node *node, void *base)
{
	const char *text = config_scalar(node);
	char *address = text != NULL ? config_parse_address(text, KUBE_PORT) : NULL;
	(void)config;
	if (address == NULL)
		return false;
	config_set_text(row, base, address);
	free(address);
	return true;
}

/* Teleport allows a list; one name is what a kubeconfig can hold. */
static bool read_public_addr(
    struct config *config, const struct config_row *row, const struct yaml_node *node, void *base)
{
	if (node->kind == YAML_NODE_LIST && node->count == 1)
		node = node->items[0];
	const char *text = config_scalar(node);
	if (text == NULL || text[0] == ':')
		return false;
	if (strncmp(text, "0.0.0.0", 7) != 0 && strncmp(text, "[::]", 4) != 0)
		return read_listen(config, row, node, base);
	config_complain(config, node,
	    "%s: %s is where to listen, not what users can reach: write a host name", row->key,
	    text);
	return true;
}

const struct config_type settings_version = {
    .name = "word", .expected = "v3", .read = read_version};
const struct config_type settings_severity = {
    .name = "word", .expected = "DEBUG, INFO, WARN or ERROR", .read = read_severity};
const struct config_type settings_ignored = {
    .name = "ignored", .expected = "anything", .read = read_ignored};
const struct config_type settings_foreign = {
    .name = "disabled", .expected = "a map with \"enabled: false\"", .read = read_foreign};
const struct config_type settings_unsupported = {
    .name = "refused", .expected = "nothing", .read = read_unsupported};
const struct config_type settings_listen = {.name = "address",
    .expected = "host:port, such as 0.0.0.0:3026",
    .read = read_listen,
    .clear = config_clear_text,
    .equal = config_equal_text};
const struct config_type settings_public_addr = {.name = "address",
    .expected = "one host:port, such as kube.example.com:3026",
    .read = read_public_addr,
    .clear = config_clear_text,
    .equal = config_equal_text};
