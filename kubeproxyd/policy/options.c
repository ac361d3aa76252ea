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

/* --- record_session -------------------------------------------------------------------------- */

static enum record_mode read_mode(
    struct reading *reading, const struct yaml_node *node, const char *key)
{
	static const char *const words[] = {
	    [RECORD_OFF] = "off", [RECORD_BEST_EFFORT] = "best_effort", [RECORD_STRICT] = "strict"};
	const struct yaml_node *value = yaml_get(node, key);
	if (value == NULL || yaml_is_null(value))
		return RECORD_UNSAID;
	for (enum record_mode mode = RECORD_OFF; mode <= RECORD_STRICT; mode++) {
		if (value->kind == YAML_NODE_SCALAR && strcmp(value->text, words[mode]) == 0)
			return mode;
	}
	reading_fail(
	    reading, value, "options.record_session.%s must be best_effort, strict or off", key);
	return RECORD_UNSAID;
}

static bool read_switch(struct reading *reading, const struct yaml_node *node, const char *key)
{
	static const char *const words[] = {"false", "true", "no", "yes", "off", "on"};
	const struct yaml_node *value = yaml_get(node, key);
	if (value == NULL || yaml_is_null(value))
		return false;
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		if (value->kind == YAML_NODE_SCALAR && strcmp(value->text, words[i]) == 0)
			return i % 2 == 1;
	}
	reading_fail(reading, value, "options.record_session.%s must be true or false", key);
	return false;
}

/* Teleport's, of which k8s says more than default, and ours about what it does not record. */
static void read_record_session(
    struct reading *reading, const struct yaml_node *options, struct role_options *to)
{
	static const char *const keys[] = {"default", "k8s", "non_interactive", "input", NULL};
	static const char *const foreign_keys[] = {"ssh", "desktop", NULL};
	const struct yaml_node *node = reading_map(reading, options, "record_session");
	if (node == NULL)
		return;
	reading_check_keys(reading, node, keys, foreign_keys);
	enum record_mode all = read_mode(reading, node, "default");
	to->record = read_mode(reading, node, "k8s");
	if (to->record == RECORD_UNSAID)
		to->record = all;
	to->records_non_interactive = read_switch(reading, node, "non_interactive");
	to->records_input = read_switch(reading, node, "input");
	if (to->record < RECORD_BEST_EFFORT && (to->records_non_interactive || to->records_input))
		reading_fail(reading, node,
		    "options.record_session: non_interactive and input record nothing without "
		    "k8s or default: best_effort or strict");
}

/* --- all ------------------------------------------------------------------------------------- */

void role_options_read(
    struct reading *reading, const struct yaml_node *node, struct role_options *options)
{
	read_duration(reading, node, "client_idle_timeout", &options->client_idle_timeout);
	read_duration(reading, node, "max_session_ttl", &options->max_session_ttl);
	read_count(
	    reading, node, "max_kubernetes_connections", &options->max_kubernetes_connections);
	read_record_session(reading, node, options);
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
	if (by->record > options->record)
		options->record = by->record;
	options->records_non_interactive |= by->records_non_interactive;
	options->records_input |= by->records_input;
	if (by->max_kubernetes_connections > 0 &&
	    (*count == 0 || by->max_kubernetes_connections < *count))
		*count = by->max_kubernetes_connections;
}
