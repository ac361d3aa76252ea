/* What the offline verbs have in common: how they complain, and how they read the configuration. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/settings.h"
#include "kubeproxyd/cli.h"

int cli_wrong_use(const char *usage, const char *format, ...)
{
	char *text = NULL;
	va_list values;
	va_start(values, format);
	if (vasprintf(&text, format, values) < 0)
		abort();
	va_end(values);
	fprintf(stderr, "kubeproxyd: %s\nusage: %s\n", text, usage);
	free(text);
	return CLI_USAGE;
}

int cli_fail(char *error)
{
	fprintf(stderr, "kubeproxyd: %s\n", error);
	free(error);
	return CLI_NO;
}

struct settings *cli_load_settings(const char *path)
{
	char *error = NULL;
	struct settings *settings = settings_load(path, &error);
	if (settings == NULL)
		(void)cli_fail(error);
	return settings;
}
