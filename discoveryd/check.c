/* `discoveryd check`: reads the configuration as the daemon would, and says what it found. Asks
 * nobody, changes nothing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/settings.h"
#include "common/xmem.h"
#include "discoveryd/commands.h"

/* Findings are separated by newlines. */
static struct json_object *lines_of(const char *text)
{
	struct json_object *array = json_object_new_array();
	while (text != NULL && *text != '\0') {
		size_t len = strcspn(text, "\n");
		if (len > 0)
			json_object_array_add(array, json_object_new_string_len(text, (int)len));
		text += len + (text[len] == '\n');
	}
	return array;
}

static struct json_object *list_of(char *const *texts, size_t count)
{
	struct json_object *array = json_object_new_array();
	for (size_t i = 0; i < count; i++)
		json_object_array_add(array, json_object_new_string(texts[i]));
	return array;
}

/* {file, valid, findings} and, of a valid one, {group, matchers, notes, warnings}. */
static struct json_object *to_json(
    const char *file, const struct settings *settings, const char *findings)
{
	struct json_object *object = json_object_new_object();
	json_add_string(object, "file", file);
	json_object_object_add(object, "valid", json_object_new_boolean(settings != NULL));
	json_object_object_add(object, "findings", lines_of(findings));
	if (settings == NULL)
		return object;
	json_add_string(object, "group", settings->discovery.group);
	json_object_object_add(
	    object, "matchers", json_object_new_int64((int64_t)settings->discovery.matcher_count));
	json_object_object_add(object, "notes", list_of(settings->notes, settings->note_count));
	json_object_object_add(
	    object, "warnings", list_of(settings->warnings, settings->warning_count));
	return object;
}

static void print_document(struct json_object *document, enum render_format format)
{
	struct buf out = {0};
	render_document(&out, document, format);
	fputs(buf_text(&out), stdout);
	buf_free(&out);
	json_object_put(document);
}

static void print_text(const char *file, const struct settings *settings, const char *findings)
{
	if (settings == NULL) {
		fprintf(
		    stderr, "%s%s", findings, findings[strlen(findings) - 1] == '\n' ? "" : "\n");
		return;
	}
	for (size_t i = 0; i < settings->note_count; i++)
		printf("note: %s\n", settings->notes[i]);
	for (size_t i = 0; i < settings->warning_count; i++)
		printf("warning: %s\n", settings->warnings[i]);
	printf("%s: valid: %zu matcher%s, discovery group \"%s\"\n", file,
	    settings->discovery.matcher_count, settings->discovery.matcher_count == 1 ? "" : "s",
	    settings->discovery.group);
}

int command_check(const struct cli *cli)
{
	if (cli->is_options) {
		struct buf out = {0};
		settings_write_rows(&out);
		fputs(buf_text(&out), stdout);
		buf_free(&out);
		return EXIT_DONE;
	}
	char *findings = NULL;
	struct settings *settings = settings_load(cli->config, &findings);
	bool is_valid = settings != NULL;
	if (cli->format == RENDER_TABLE)
		print_text(cli->config, settings, findings);
	else
		print_document(to_json(cli->config, settings, findings), cli->format);
	free(findings);
	settings_free(&settings);
	return is_valid ? EXIT_DONE : EXIT_NO;
}
