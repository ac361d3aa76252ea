/* The grammar of user and group names: UTF-8, bounded, nothing that a header field, a terminal or a
 * reader would take for something else. Called by identity.c, role.c and the `cert` command. */
#include "kubeproxyd/policy/principal.h"

#include <stdint.h>
#include <string.h>

/* Reads one code point; its length, or 0 when the bytes are not UTF-8 (overlong forms and
 * surrogates included). */
static size_t read_code_point(const unsigned char *text, size_t len, uint32_t *code)
{
	static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t count = text[0] < 0x80 ? 1 : text[0] >= 0xf0 ? 4 : text[0] >= 0xe0 ? 3 : 2;
	if (text[0] >= 0x80 && (text[0] < 0xc0 || text[0] >= 0xf8 || count > len))
		return 0;
	*code = count == 1 ? text[0] : text[0] & (0xffu >> (count + 1));
	for (size_t i = 1; i < count; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		*code = *code << 6 | (text[i] & 0x3f);
	}
	if (*code < smallest[count] || *code > 0x10ffff || (*code >= 0xd800 && *code <= 0xdfff))
		return 0;
	return count;
}

/* Control characters, spaces other than ' ', and what is invisible or turns the direction of text:
 * two names that look alike must be alike. */
static bool is_hidden(uint32_t code)
{
	static const struct {
		uint32_t from, to;
	} hidden[] = {{0, 0x1f}, {0x7f, 0xa0}, {0xad, 0xad}, {0x34f, 0x34f}, {0x61c, 0x61c},
	    {0x115f, 0x1160}, {0x1680, 0x1680}, {0x17b4, 0x17b5}, {0x180b, 0x180f},
	    {0x2000, 0x200f}, {0x2028, 0x202f}, {0x205f, 0x206f}, {0x2800, 0x2800},
	    {0x3000, 0x3000}, {0x3164, 0x3164}, {0xfe00, 0xfe0f}, {0xfeff, 0xfeff},
	    {0xffa0, 0xffa0}, {0xfff0, 0xfffb}, {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a},
	    {0xe0000, 0xe0fff}};
	for (size_t i = 0; i < sizeof hidden / sizeof hidden[0]; i++) {
		if (code >= hidden[i].from && code <= hidden[i].to)
			return true;
	}
	return false;
}

const char *principal_refuse(const char *name, size_t len)
{
	if (len == 0)
		return "is empty";
	if (len > PRINCIPAL_MAX_BYTES)
		return "is longer than 256 bytes";
	if (name[0] == ' ' || name[len - 1] == ' ')
		return "begins or ends with a space";
	for (size_t at = 0; at < len;) {
		uint32_t code;
		size_t count = read_code_point((const unsigned char *)name + at, len - at, &code);
		if (count == 0)
			return "is not UTF-8";
		if (is_hidden(code))
			return "holds a control character or an invisible one";
		at += count;
	}
	return NULL;
}

bool principal_is_reserved(const char *name)
{
	static const char *const prefixes[] = {"system:", "eks:", "aws:", "amazon:", "iam:"};
	for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
		if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
			return true;
	}
	return strcmp(name, PRINCIPAL_OWN_GROUP) == 0;
}

bool principal_is_arn(const char *name)
{
	return strncmp(name, "arn:", strlen("arn:")) == 0;
}
