/* Value type of the labels that an entry of discovery_service.aws gives to its clusters: a map of
 * texts, checked so that none is lost or mistaken for one that discoveryd writes. Used by the rows
 * in settings_rows_teleport.c. */
#include <string.h>

#include "common/kube_cluster.h"
#include "common/labels.h"
#include "common/settings_rows.h"

#define LABELS_MAX	50
#define LABEL_VALUE_MAX 1024

/* Written by discoveryd itself, whatever is configured. */
static bool is_reserved(const char *key)
{
	static const char *const prefixes[] = {"teleport.dev/", "teleport.internal/"};
	for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
		if (strncmp(key, prefixes[i], strlen(prefixes[i])) == 0)
			return true;
	}
	return strcmp(key, LABEL_REGION) == 0 || strcmp(key, LABEL_ACCOUNT_ID) == 0;
}

static void add_label(struct config *config, const struct config_row *row, struct labels *labels,
    const struct yaml_key *key, const struct yaml_node *node)
{
	const char *value = config_scalar(node);
	if (!label_key_is_valid(key->text))
		config_complain(config, node,
		    "%s: \"%.60s\" is no label: keys are letters, digits and /._:*-", row->key,
		    key->text);
	else if (is_reserved(key->text))
		config_complain(config, node,
		    "%s: \"%s\" is a label that discoveryd sets: choose another key", row->key,
		    key->text);
	else if (value == NULL || strlen(value) > LABEL_VALUE_MAX)
		config_complain(config, node,
		    "%s: the value of \"%s\" is a text of at most %d bytes", row->key, key->text,
		    LABEL_VALUE_MAX);
	else
		labels_set(labels, key->text, value);
}

static void clear_labels(const struct config_row *row, void *base)
{
	labels_free(config_field(row, base));
}

static bool read_labels(
    struct config *config, const struct config_row *row, const struct yaml_node *node, void *base)
{
	if (node->kind != YAML_NODE_MAP || node->count > LABELS_MAX)
		return false;
	clear_labels(row, base);
	for (size_t i = 0; i < node->count; i++)
		add_label(config, row, config_field(row, base), &node->keys[i], node->items[i]);
	return true;
}

const struct config_type settings_labels = {.name = "labels",
    .expected = "a map of at most 50 labels to texts",
    .read = read_labels,
    .clear = clear_labels};
