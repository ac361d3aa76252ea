/* YAML, and the settings on top of it: the input is read as a stream of documents and as a
 * configuration. A refusal always says why, and settings that are accepted are complete. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/settings.h"
#include "common/xmem.h"
#include "common/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void read_documents(const char *text, size_t len)
{
	size_t count = 0;
	char *error = NULL;
	struct yaml_document **documents = yaml_parse_all("input", text, len, &count, &error);
	if ((documents == NULL) != (error != NULL))
		abort();
	for (size_t i = 0; documents != NULL && i < count; i++) {
		if (documents[i]->root->line == 0 || documents[i]->root->column == 0)
			abort();
		yaml_document_free(&documents[i]);
	}
	free(documents);
	free(error);
}

static void read_settings(const char *text, size_t len)
{
	char *error = NULL;
	struct settings *settings = settings_parse("input", text, len, &error);
	if ((settings == NULL) != (error != NULL))
		abort();
	if (settings != NULL && (settings->state_dir == NULL || settings->bus.socket == NULL ||
				    settings->kubernetes.listen_addr == NULL))
		abort();
	for (size_t i = 0; settings != NULL && i < settings->discovery.matcher_count; i++)
		if (settings->discovery.matchers[i].region_count == 0 ||
		    selector_is_empty(settings->discovery.matchers[i].tags))
			abort();
	settings_free(&settings);
	free(error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	/* Exactly as long as the input, so that reading behind its end is seen. */
	char *text = xmemdup(data, len);
	read_documents(text, len);
	read_settings(text, len);
	free(text);
	return 0;
}
