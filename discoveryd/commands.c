/* The verbs that ask: each fetches one document from the daemon's admin socket and prints it. */
#include "discoveryd/commands.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/admin.h"
#include "common/buf.h"
#include "common/settings.h"
#include "common/xmem.h"
#include "discoveryd/admin_routes.h"
#include "discoveryd/explain.h"
#include "discoveryd/status_text.h"

static struct json_object *member(struct json_object *object, const char *key)
{
	struct json_object *value = NULL;
	json_object_object_get_ex(object, key, &value);
	return value;
}

static void print(struct buf *out)
{
	fputs(buf_text(out), stdout);
	buf_free(out);
}

static void print_document(struct json_object *document, enum render_format format)
{
	struct buf out = {0};
	render_document(&out, document, format);
	print(&out);
}

/* --- asking the daemon ----------------------------------------------------------------------- */

/* Where the daemon listens (free()), which a mistake elsewhere in the file does not hide; NULL
 * after telling why it is not known. */
static char *find_daemon(const struct cli *cli)
{
	char *findings = NULL;
	struct settings *settings = settings_load_readable(cli->config, &findings);
	if (settings == NULL) {
		fprintf(
		    stderr, "discoveryd: where the daemon listens is not known: %s\n", findings);
		free(findings);
		return NULL;
	}
	char *path = xstrdup(settings->discovery.admin_socket);
	if (findings != NULL)
		fprintf(stderr,
		    "%s\ndiscoveryd: the configuration has mistakes, and the daemon is asked all "
		    "the "
		    "same, at %s\n",
		    findings, path);
	free(findings);
	settings_free(&settings);
	return path;
}

/* The document the daemon answers with (json_object_put), or NULL after telling why on stderr. */
static struct json_object *ask(const struct cli *cli, const char *method, const char *target)
{
	char *error = NULL, *path = find_daemon(cli);
	if (path == NULL)
		return NULL;
	int status = 0;
	struct json_object *document = NULL;
	bool is_answered = admin_call(path, method, target, &status, &document, &error);
	free(path);
	if (!is_answered) {
		fprintf(stderr, "discoveryd: %s\n", error);
		free(error);
		return NULL;
	}
	if (status == 200)
		return document;
	const char *why = json_object_get_string(member(document, "error"));
	fprintf(
	    stderr, "discoveryd: %s\n", why != NULL ? why : "the daemon refused without a reason");
	json_object_put(document);
	return NULL;
}

static void append_encoded(struct buf *out, const char *text)
{
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;
		if (isalnum(c) || strchr("-._~", c) != NULL)
			buf_append_char(out, (char)c);
		else
			buf_printf(out, "%%%02X", c);
	}
}

struct json_object *command_ask(
    const struct cli *cli, const char *method, const char *prefix, const char *text)
{
	struct buf target = {0};
	buf_append_text(&target, prefix);
	append_encoded(&target, text);
	struct json_object *document = ask(cli, method, buf_text(&target));
	buf_free(&target);
	return document;
}

static void print_clusters(struct json_object *document)
{
	static const struct render_column columns[] = {{"NAME", "metadata.name"},
	    {"EKS NAME", "spec.aws.name"}, {"REGION", "spec.aws.region"},
	    {"ACCOUNT", "spec.aws.account_id"}, {"PHASE", "status.phase"},
	    {"AUTHENTICATION", "spec.authentication_mode"}, {"REASON", "status.reason"},
	    {"REACHED", "state.reached"}, {"PROXIES", "state.served_by"},
	    {"BECAUSE", "state.text"}};
	struct json_object *items = document;
	if (!json_object_is_type(document, json_type_array)) {
		items = json_object_new_array();
		json_object_array_add(items, json_object_get(document));
	}
	struct buf out = {0};
	render_table(&out, items, columns, sizeof columns / sizeof columns[0]);
	print(&out);
	if (items != document)
		json_object_put(items);
}

int command_get(const struct cli *cli)
{
	static const char kind[] = "kube_cluster";
	const char *name = cli->operand + strlen(kind);
	if (strncmp(cli->operand, kind, strlen(kind)) != 0 || (*name != '\0' && *name != '/')) {
		fprintf(stderr,
		    "discoveryd: get knows kube_cluster and kube_cluster/NAME, not %s\n",
		    cli->operand);
		return EXIT_USAGE;
	}
	bool is_one = name[0] == '/' && name[1] != '\0';
	struct json_object *document = is_one
					   ? command_ask(cli, "GET", ADMIN_CLUSTERS "/", name + 1)
					   : ask(cli, "GET", ADMIN_CLUSTERS);
	if (document == NULL)
		return EXIT_NO;
	if (cli->format == RENDER_TABLE)
		print_clusters(document);
	else
		print_document(document, cli->format);
	json_object_put(document);
	return EXIT_DONE;
}

int command_explain(const struct cli *cli)
{
	struct json_object *document = command_ask(cli, "GET", ADMIN_EXPLAIN "?q=", cli->operand);
	if (document == NULL)
		return EXIT_NO;
	bool is_served = json_object_get_boolean(member(document, "served"));
	if (cli->format == RENDER_TABLE) {
		struct buf out = {0};
		explain_write(&out, document);
		print(&out);
	} else {
		print_document(document, cli->format);
	}
	json_object_put(document);
	return is_served ? EXIT_DONE : EXIT_NO;
}

/* --- status and inventory -------------------------------------------------------------------- */

static const char *text_of(struct json_object *object, const char *key)
{
	const char *text = json_object_get_string(member(object, key));
	return text != NULL ? text : "-";
}

int command_status(const struct cli *cli)
{
	struct json_object *document = ask(cli, "GET", ADMIN_STATUS);
	if (document == NULL)
		return EXIT_NO;
	struct buf out = {0};
	if (cli->format == RENDER_TABLE)
		status_write(&out, document);
	else
		render_document(&out, document, cli->format);
	print(&out);
	json_object_put(document);
	return EXIT_DONE;
}

int command_inventory(const struct cli *cli)
{
	static const struct render_column columns[] = {{"INSTANCE", "instance"}, {"ROLE", "role"},
	    {"UID", "uid"}, {"PID", "pid"}, {"VERSION", "version"}, {"STATE", "state"},
	    {"APPLIED", "applied"}, {"LAG", "lag"}, {"SINCE", "since"},
	    {"PRINCIPALS", "principals"}};
	struct json_object *document = ask(cli, "GET", ADMIN_INVENTORY);
	if (document == NULL)
		return EXIT_NO;
	struct json_object *subscribers = member(document, "subscribers"),
			   *clusters = member(document, "clusters");
	struct buf out = {0};
	if (cli->format != RENDER_TABLE) {
		render_document(&out, cli->is_connected ? subscribers : document, cli->format);
	} else {
		if (!cli->is_connected)
			buf_printf(&out, "sequence %s, %s clusters (%s ready)\n",
			    text_of(document, "sequence"), text_of(clusters, "total"),
			    text_of(clusters, "ready"));
		render_table(&out, subscribers, columns, sizeof columns / sizeof columns[0]);
	}
	print(&out);
	json_object_put(document);
	return EXIT_DONE;
}

int command_confirm_removal(const struct cli *cli)
{
	struct json_object *document = ask(cli, "POST", ADMIN_CONFIRM);
	if (document == NULL)
		return EXIT_NO;
	int removed = json_object_get_int(member(document, "removed"));
	if (cli->format == RENDER_TABLE)
		printf(removed > 0 ? "%d clusters removed\n" : "nothing is held back\n", removed);
	else
		print_document(document, cli->format);
	json_object_put(document);
	return removed > 0 ? EXIT_DONE : EXIT_NO;
}

int command_forget(const struct cli *cli)
{
	struct json_object *document = command_ask(cli, "POST", ADMIN_FORGET, cli->operand);
	if (document == NULL)
		return EXIT_NO;
	if (cli->format == RENDER_TABLE)
		printf("%s is forgotten\n", cli->operand);
	else
		print_document(document, cli->format);
	json_object_put(document);
	return EXIT_DONE;
}
