/* Reads the options of roles. Durations are written as Go writes them ("8h0m0s", "30m"), since
 * roles come from there. Called by role.c and grants.c. */
#include "kubeproxyd/policy/options.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define DURATION_MAX_MS INT64_C(31536000000) /* a year */
#define COUNT_MAX	1000000

/* "1h30m", "90s", "500ms"; "never" and "0" are none. */
static bool parse_duration(const char *text, struct duration *duration)
{
	static const struct {
		const char *name;
		int64_t ms;
	} units[] = {{"ms", 1}, {"h", 3600000}, {"m", 60000}, {"s", 1000}};
	*duration = duration_ms(0);
	if (strcmp(text, "never") == 0 || strcmp(text, "0") == 0)
		return true;
	while (*text != '\0') {
		size_t digits = strspn(text, "0123456789"), unit = 0;
		if (digits == 0 || digits > 9)
			return false;
		const char *name = text + digits;
		while (unit < 4 && strncmp(name, units[unit].name, strlen(units[unit].name)) != 0)
			unit++;
		if (unit == 4)
			return false;
		duration->ms += strtoll(text, NULL, 10) * units[unit].ms;
		if (duration->ms > DURATION_MAX_MS)
			return false;
		text = name + strlen(units[unit].name);
	}
	return true;
}

static void read_duration(struct reading *reading, const struct yaml_node *node, const char *key,
    struct duration *duration)
{
	const struct yaml_node *value = yaml_get(node, key);
	if (value == NULL || yaml_is_null(value))
		return;
	if (value->kind != YAML_NODE_SCALAR || *value->text == '\0' ||
	    !parse_duration(value->text, duration))
		reading_fail(reading, value,
		    "options.%s must be a duration such as 8h, 30m or 1h30m0s, or never", key);
}

static void read_count(
    struct reading *reading, const struct yaml_node *node, const char *key, size_t *count)
{
	const struct yaml_node *value = yaml_get(node, key);
	if (value == NULL || yaml_is_null(value))
		return;
	const char *text = value->kind == YAML_NODE_SCALAR ? value->text : "";
	size_t digits = strspn(text, "0123456789");
	unsigned long number = digits > 0 && digits < 8 ? strtoul(text, NULL, 10) : COUNT_MAX + 1;
	if (text[digits] != '\0' || number > COUNT_MAX)
		reading_fail(reading, value, "options.%s must be a number up to 1000000", key);
	else
		*count = number;
}

void role_options_read(
    struct reading *reading, const struct yaml_node *node, struct role_options *options)
{
	read_duration(reading, node, "client_idle_timeout", &options->client_idle_timeout);
	read_duration(reading, node, "max_session_ttl", &options->max_session_ttl);
	read_count(
	    reading, node, "max_kubernetes_connections", &options->max_kubernetes_connections);
}

static void tighten(struct duration *duration, struct duration by)
{
	if (by.ms > 0 && (duration->ms == 0 || by.ms < duration->ms))
		*duration = by;
}

void role_options_tighten(struct role_options *options, const struct role_options *by)
{
	size_t *count = &options->max_kubernetes_connections;
	tighten(&options->client_idle_timeout, by->client_idle_timeout);
	tighten(&options->max_session_ttl, by->max_session_ttl);
	if (by->max_kubernetes_connections > 0 &&
	    (*count == 0 || by->max_kubernetes_connections < *count))
		*count = by->max_kubernetes_connections;
}
