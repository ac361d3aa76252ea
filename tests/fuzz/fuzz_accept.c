/* What clients take, as text: whatever it is, what is left of an Accept asks for formats that
 * filters read and for forms that hold objects where they look, and is left as it is when it is
 * read again; an Accept-Encoding that does not name gzip takes none. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/buf.h"
#include "common/xmem.h"
#include "kubeproxyd/filter/accept.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int holds)
{
	if (!holds)
		abort();
}

/* The length of what stands before a separator that is not within quotes. */
static size_t part_len(const char *text, char separator)
{
	bool is_quoted = false;
	size_t i = 0;
	for (; text[i] != '\0' && (is_quoted || text[i] != separator); i++) {
		if (text[i] == '"')
			is_quoted = !is_quoted;
		else if (is_quoted && text[i] == '\\' && text[i + 1] != '\0')
			i++;
	}
	return i;
}

static bool is_one_of(const char *text, const char *const *ones)
{
	for (; *ones != NULL; ones++) {
		if (strcasecmp(text, *ones) == 0)
			return true;
	}
	return false;
}

/* The next part of *at without its blanks; the caller frees it. NULL at the end. */
static char *next_part(const char **at, char separator)
{
	if (**at == '\0')
		return NULL;
	size_t len = part_len(*at, separator), begin = strspn(*at, " \t");
	const char *text = *at;
	*at += len + (text[len] != '\0');
	if (begin > len)
		begin = len;
	while (len > begin && strchr(" \t", text[len - 1]) != NULL)
		len--;
	return xstrndup(text + begin, len - begin);
}

static void check_range(const char *range)
{
	static const char *const types[] = {
	    "application/json", "application/vnd.kubernetes.protobuf", NULL};
	static const char *const forms[] = {
	    "as=Table", "as=PartialObjectMetadata", "as=PartialObjectMetadataList", NULL};
	char *type = next_part(&range, ';'), *parameter;
	require(type != NULL);
	type[strcspn(type, " \t")] = '\0'; /* nothing that a server knows begins so */
	require(is_one_of(type, types));
	free(type);
	while ((parameter = next_part(&range, ';')) != NULL) {
		require(strncasecmp(parameter, "as", 2) != 0 || is_one_of(parameter, forms));
		free(parameter);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf left = {0}, again = {0};
	char *text = xstrndup((const char *)data, size), *range;
	require(accept_reduce(text, &left) == (left.len > 0));
	if (left.len > 0) {
		for (const char *at = buf_text(&left); (range = next_part(&at, ',')) != NULL;) {
			check_range(range);
			free(range);
		}
		require(accept_reduce(buf_text(&left), &again));
		require(strcmp(buf_text(&left), buf_text(&again)) == 0);
	}
	require(!accept_has_gzip(text) || strcasestr(text, "gzip") != NULL);
	free(text);
	buf_free(&left);
	buf_free(&again);
	return 0;
}
