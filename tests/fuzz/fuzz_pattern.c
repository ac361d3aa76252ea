/* Patterns: up to the first newline a pattern, behind it a value. Compiling is bounded, matching
 * never fails, and a pattern without a star or anchors matches exactly itself. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/pattern.h"
#include "common/xmem.h"

#define VALUE_MAX 512

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *error = NULL, *text = xstrndup((const char *)data, len);
	char *value = strchrnul(text, '\n');
	if (*value == '\n')
		*value++ = '\0';
	if (strlen(value) > VALUE_MAX)
		value[VALUE_MAX] = '\0';
	struct pattern *pattern = pattern_new(text, &error);
	if ((pattern == NULL) != (error != NULL))
		abort();
	if (pattern != NULL) {
		bool matches = pattern_match(pattern, value);
		bool is_plain = strchr(text, '*') == NULL && text[0] != '^';
		if (is_plain && matches != (strcmp(text, value) == 0))
			abort();
	}
	pattern_free(&pattern);
	free(error);
	free(text);
	return 0;
}
