/* The settings as both daemons see them: read from one document along the rows, then checked for
 * what only shows between keys. A reload builds a new one beside the old. Called by main and by
 * every command that takes --config. */
#include "common/settings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/config.h"
#include "common/settings_rows.h"
#include "common/xmem.h"
#include "common/yaml.h"

#define RUN_DIR_MAX 70 /* leaves room for "/<instance>.sock" in a socket address */

static const struct config_rows *const groups[] = {&settings_rows_teleport, &settings_rows_own,
    &settings_rows_proxy, &settings_rows_login, &settings_rows_limits, &settings_rows_test};
const struct config_table settings_table = {
    .groups = groups, .group_count = sizeof groups / sizeof groups[0]};

/* --- between keys ----------------------------------------------------------------------------- */

static void check_version(struct config *config)
{
	if (config_find(config, "version") == NULL)
		config_complain(
		    config, NULL, "version is missing: write \"version: v3\" as the first line");
}

static void check_discovery(struct config *config, const struct settings *settings)
{
	if (settings->discovery.enabled && settings->discovery.matcher_count == 0)
		config_complain(config, config_find(config, "discovery_service.enabled"),
		    "discovery_service: enabled, but aws has no entries: say where to look and "
		    "which clusters to take, or write \"enabled: no\"");
}

static void check_kubernetes(struct config *config, const struct settings *settings)
{
	if (settings->kubernetes.enabled && settings->kubernetes.resource_count == 0)
		config_complain(config, config_find(config, "kubernetes_service.enabled"),
		    "kubernetes_service: enabled, but resources has no entries and nothing would "
		    "be served: add one with labels, \"*\": \"*\" for every cluster");
}

static void check_places(struct config *config, const struct settings *settings)
{
	if (strcmp(settings->bus.socket, settings->discovery.admin_socket) == 0)
		config_complain(config, config_find(config, "eksgate.bus.socket"),
		    "eksgate.bus.socket and eksgate.discovery.admin_socket are one path: they "
		    "need one each");
	if (strlen(settings->proxy.run_dir) > RUN_DIR_MAX)
		config_complain(config, config_find(config, "eksgate.proxy.run_dir"),
		    "eksgate.proxy.run_dir: at most %d bytes, so that a socket's address fits",
		    RUN_DIR_MAX);
}

/* --- notes and warnings ----------------------------------------------------------------------- */

/* Takes `text`. */
static void add_line(char ***lines, size_t *count, char *text)
{
	*lines = xreallocarray(*lines, *count + 1, sizeof(char *));
	(*lines)[(*count)++] = text;
}

/* One line for all keys that are read and have no effect. */
static void note_ignored(struct settings *settings, const struct config *config)
{
	struct buf keys = {0};
	for (size_t i = 0; i < settings_rows_teleport.count; i++) {
		const struct config_row *row = &settings_rows_teleport.rows[i];
		if (row->type == &settings_ignored && config_find(config, row->key) != NULL)
			buf_printf(&keys, "%s%s", keys.len > 0 ? ", " : "", row->key);
	}
	if (keys.len > 0)
		add_line(&settings->notes, &settings->note_count,
		    xasprintf("%s: without effect here, the daemons meet on a local bus: %s",
			settings->path, buf_text(&keys)));
	buf_free(&keys);
}

static void warn_of_state(struct settings *settings, const struct config *config)
{
	const struct yaml_node *test = config_find(config, "eksgate.test");
	if (settings->test.token_sts_host != NULL || settings->test.endpoint_suffix != NULL ||
	    settings->test.verifier_sts_host != NULL)
		add_line(&settings->warnings, &settings->warning_count,
		    xasprintf("%s:%u:%u: eksgate.test is in force: for tests only, never with real "
			      "credentials",
			settings->path, test->line, test->column));
	if (!settings->discovery.enabled && !settings->kubernetes.enabled)
		add_line(&settings->warnings, &settings->warning_count,
		    xasprintf("%s: neither discovery_service nor kubernetes_service is enabled",
			settings->path));
}

static void warn_of_shared_roles(struct settings *settings)
{
	for (size_t i = 0; i < settings->kubernetes.resource_count; i++) {
		char *text = settings_shared_role(settings, &settings->kubernetes.resources[i]);
		if (text != NULL)
			add_line(&settings->warnings, &settings->warning_count, text);
	}
}

static void warn_of_namesakes(struct settings *settings)
{
	const struct login_settings *login = &settings->proxy.login;
	for (size_t i = 0; i < login->oidc_count; i++) {
		const struct oidc_login *other = settings_login_namesake(login, i);
		if (other == NULL)
			continue;
		add_line(&settings->warnings, &settings->warning_count,
		    xasprintf(
			"%s:%u: one of the issuers %s and %s can name the other's people, or "
			"put its own into the other's groups: give each a username_prefix and "
			"a groups_prefix with which no other begins, unless they speak of the "
			"same people",
			settings->path, login->oidc[i].line, login->oidc[i].issuer, other->issuer));
	}
}

/* Roles are made by more people than may say who somebody is. */
static void warn_of_trusted_patterns(struct settings *settings)
{
	const struct iam_login *iam = &settings->proxy.login.iam;
	for (size_t i = 0; i < iam->mapping_count; i++) {
		const struct iam_mapping *mapping = &iam->mappings[i];
		bool is_pattern = mapping->arn != NULL &&
				  (mapping->arn[0] == '^' || strchr(mapping->arn, '*') != NULL);
		if (!mapping->trust_session_name || mapping->principal_id != NULL || !is_pattern)
			continue;
		add_line(&settings->warnings, &settings->warning_count,
		    xasprintf("%s:%u: trust_session_name with the pattern %s: whoever may create "
			      "roles there can make one that matches, and sessions of any name in "
			      "it; name the role whole, with its principal_id",
			settings->path, mapping->line, mapping->arn));
	}
}

/* --- public ----------------------------------------------------------------------------------- */

static struct settings *with_defaults(const char *path)
{
	struct settings *settings = xcalloc(1, sizeof(*settings));
	settings->path = xstrdup(path);
	config_set_defaults(settings_table, "", settings);
	return settings;
}

/* What could be read; *findings is NULL when that is all. */
static struct settings *read_document(const struct yaml_document *document, char **findings)
{
	struct settings *settings = with_defaults(document->file);
	struct config *config = config_new(document, settings_table);
	config_read(config, "", document->root, settings);
	check_version(config);
	check_discovery(config, settings);
	check_kubernetes(config, settings);
	check_places(config, settings);
	settings_check_login(config, &settings->proxy.login);
	note_ignored(settings, config);
	warn_of_state(settings, config);
	warn_of_shared_roles(settings);
	warn_of_namesakes(settings);
	warn_of_trusted_patterns(settings);
	*findings = config_take_findings(config);
	config_free(&config);
	return settings;
}

/* Takes the document. */
static struct settings *from_document(struct yaml_document *document, char **error)
{
	if (document == NULL)
		return NULL;
	char *findings = NULL;
	struct settings *settings = read_document(document, &findings);
	yaml_document_free(&document);
	if (findings == NULL)
		return settings;
	*error = findings;
	settings_free(&settings);
	return NULL;
}

static bool is_there(const char *path, char **error)
{
	if (access(path, F_OK) == 0 || errno != ENOENT)
		return true;
	*error = xasprintf("%s: does not exist: name the file with --config FILE, or copy the "
			   "sample " SETTINGS_DEFAULT_PATH ".sample",
	    path);
	return false;
}

struct settings *settings_load(const char *path, char **error)
{
	return is_there(path, error) ? from_document(yaml_load(path, error), error) : NULL;
}

struct settings *settings_load_readable(const char *path, char **findings)
{
	*findings = NULL;
	if (!is_there(path, findings))
		return NULL;
	struct yaml_document *document = yaml_load(path, findings);
	if (document == NULL)
		return with_defaults(path);
	struct settings *settings = read_document(document, findings);
	yaml_document_free(&document);
	return settings;
}

struct settings *settings_parse(const char *path, const char *text, size_t len, char **error)
{
	return from_document(yaml_parse(path, text, len, error), error);
}

static void free_lines(char **lines, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(lines[i]);
	free(lines);
}

void settings_free(struct settings **settings)
{
	if (*settings == NULL)
		return;
	config_clear(settings_table, "", *settings);
	free_lines((*settings)->notes, (*settings)->note_count);
	free_lines((*settings)->warnings, (*settings)->warning_count);
	free((*settings)->path);
	free(*settings);
	*settings = NULL;
}

char *settings_frozen_changes(
    const struct settings *old, const struct settings *now, const char *const *prefixes)
{
	return config_frozen_changes(settings_table, prefixes, old, now);
}

void settings_write_rows(struct buf *out)
{
	config_write_rows(settings_table, out);
}
