/* Value types of what stands under `eksgate:`, beyond those that any configuration has. Used by the
 * rows in settings_rows_own.c and its neighbours. */
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/settings_rows.h"
#include "common/xmem.h"

#define LOWER  "abcdefghijklmnopqrstuvwxyz"
#define UPPER  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

static bool is_made_of(const char *text, const char *set, size_t max)
{
	size_t len = strspn(text, set);
	return len > 0 && len <= max && text[len] == '\0';
}

static bool read_log_level(
    struct config *config, const struct config_row *row, const struct yaml_node *node, void *base)
{
	const char *text = config_scalar(node);
	(void)config;
	return text != NULL && log_level_parse(text, config_field(row, base));
}

/* EKS refuses groups with these prefixes in access entries. */
static bool has_reserved_prefix(const char *group)
{
	static const char *const prefixes[] = {"system:", "eks:", "aws:", "amazon:", "iam:"};
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (strncmp(group, prefixes[i], strlen(prefixes[i])) == 0)
			return true;
	return false;
}

static bool read_group(
    struct config *config, const struct config_row *row, const struct yaml_node *node, void *base)
{
	const char *text = config_scalar(node);
	if (text == NULL || !is_made_of(text, LOWER UPPER DIGITS "_:./@-", 253))
		return false;
	if (has_reserved_prefix(text))
		config_complain(config, node,
		    "%s: %s: EKS reserves groups that start with system:, eks:, aws:, amazon: or "
		    "iam:",
		    row->key, text);
	else
		config_set_text(row, base, text);
	return true;
}

static bool read_rbac_name(
    struct config *config, const struct config_row *row, const struct yaml_node *node, void *base)
{
	const char *text = config_scalar(node);
	(void)config;
	if (text == NULL || !is_made_of(text, LOWER UPPER DIGITS ".:_-", 253))
		return false;
	config_set_text(row, base, text);
	return true;
}

static bool read_domain(
    struct config *config, const struct config_row *row, const struct yaml_node *node, void *base)
{
	const char *text = config_scalar(node);
	(void)config;
	if (text == NULL || !is_made_of(text, LOWER DIGITS ".-", 189) || text[0] == '.' ||
	    text[0] == '-' || text[strlen(text) - 1] == '.' || strstr(text, "..") != NULL)
		return false;
	config_set_text(row, base, text);
	return true;
}

/* The host of a normal address, without brackets (free()). */
static char *host_of(const char *address)
{
	size_t len = (size_t)(strrchr(address, ':') - address);
	if (address[0] == '[')
		return xstrndup(address + 1, len - 2);
	return xstrndup(address, len);
}

static bool read_loopback(
    struct config *config, const struct config_row *row, const struct yaml_node *node, void *base)
{
	const char *text = config_scalar(node);
	char *address = text != NULL ? config_parse_address(text, 0) : NULL;
	(void)config;
	if (address == NULL)
		return false;
	char *host = host_of(address);
	bool ok = config_is_loopback(host);
	if (ok)
		config_set_text(row, base, address);
	free(host);
	free(address);
	return ok;
}

static bool read_loopback_host(
    struct config *config, const struct config_row *row, const struct yaml_node *node, void *base)
{
	const char *text = config_scalar(node);
	(void)config;
	if (text == NULL || !config_is_loopback(text))
		return false;
	config_set_text(row, base, text);
	return true;
}

const struct config_type settings_log_level = {
    .name = "word", .expected = "debug, info, warn or error", .read = read_log_level};
const struct config_type settings_group = {.name = "group",
    .expected = "the name of a Kubernetes group",
    .read = read_group,
    .clear = config_clear_text,
    .equal = config_equal_text};
const struct config_type settings_rbac_name = {.name = "text",
    .expected = "the name of a ClusterRole",
    .read = read_rbac_name,
    .clear = config_clear_text,
    .equal = config_equal_text};
const struct config_type settings_domain = {.name = "domain",
    .expected = "a domain in lower case, such as kube.example.com",
    .read = read_domain,
    .clear = config_clear_text,
    .equal = config_equal_text};
const struct config_type settings_loopback = {.name = "address",
    .expected = "a loopback address with a port, such as 127.0.0.1:9090",
    .read = read_loopback,
    .clear = config_clear_text,
    .equal = config_equal_text};
const struct config_type settings_loopback_host = {.name = "host",
    .expected = "a loopback address, such as 127.0.0.1",
    .read = read_loopback_host,
    .clear = config_clear_text,
    .equal = config_equal_text};
