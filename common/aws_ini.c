/* See the header. Line by line; where the SDKs differ, the rules of those for Go and C hold (white
 * space before '#' or ';' starts a comment in a value, names of sections are trimmed, duplicates
 * merge). Called by aws_profile with the text of a file. */
#include "common/aws_ini.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/xmem.h"

#define MAX_NOTES 20

/* A piece of the text. */
struct span {
	const char *at;
	size_t len;
};

struct parser {
	struct aws_ini *ini;
	enum aws_ini_kind kind;
	unsigned line;
	struct aws_ini_profile *profile; /* NULL: properties have no profile to go to */
	bool is_skipping; /* inside a section that is none of ours: silently */
	struct aws_ini_property
	    *property; /* an indented line continues it; NULL at the start of a section */
};

static struct span trimmed(struct span text)
{
	while (text.len > 0 && isspace((unsigned char)text.at[text.len - 1]))
		text.len--;
	while (text.len > 0 && isspace((unsigned char)*text.at)) {
		text.at++;
		text.len--;
	}
	return text;
}

static bool is_text(struct span span, const char *text)
{
	return span.len == strlen(text) && memcmp(span.at, text, span.len) == 0;
}

static void note(struct parser *parser, const char *what)
{
	if (parser->ini->note_count >= MAX_NOTES)
		return;
	parser->ini->note_count++;
	buf_printf(&parser->ini->notes, "%s:%u: %s\n", parser->ini->file, parser->line, what);
}

/* --- sections -------------------------------------------------------------------------------- */

static struct aws_ini_profile *find_section(
    const struct aws_ini *ini, enum aws_ini_section section, struct span name)
{
	for (size_t i = 0; i < ini->count; i++) {
		if (ini->profiles[i].section == section && is_text(name, ini->profiles[i].name))
			return &ini->profiles[i];
	}
	return NULL;
}

static void clear_profile(struct aws_ini_profile *profile)
{
	for (size_t i = 0; i < profile->count; i++) {
		xfree(&profile->properties[i].key);
		xfree_secret(&profile->properties[i].value);
	}
	profile->count = 0;
}

/* The profile's section, made at first sight; NULL when "[profile default]" hides this "[default]".
 */
static struct aws_ini_profile *open_profile(
    struct parser *parser, enum aws_ini_section section, struct span name, bool is_prefixed)
{
	struct aws_ini *ini = parser->ini;
	struct aws_ini_profile *profile = find_section(ini, section, name);
	if (profile == NULL) {
		ini->profiles = xreallocarray(ini->profiles, ini->count + 1, sizeof *ini->profiles);
		profile = &ini->profiles[ini->count++];
		*profile = (struct aws_ini_profile){.section = section,
		    .name = xstrndup(name.at, name.len),
		    .line = parser->line,
		    .is_prefixed = is_prefixed};
	}
	if (profile->is_prefixed && !is_prefixed)
		return NULL;
	if (!profile->is_prefixed && is_prefixed)
		clear_profile(profile);
	profile->is_prefixed = is_prefixed;
	return profile;
}

/* Cuts "profile", or the word of another kind of section, and the white space behind it off `name`.
 */
static bool cut_prefix(struct span *name, enum aws_ini_section *section)
{
	static const char *const words[] = {[AWS_INI_PROFILE] = "profile",
	    [AWS_INI_SSO_SESSION] = "sso-session",
	    [AWS_INI_SERVICES] = "services"};
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		size_t len = strlen(words[i]);
		if (name->len <= len || memcmp(name->at, words[i], len) != 0 ||
		    !isspace((unsigned char)name->at[len]))
			continue;
		*name = trimmed((struct span){name->at + len, name->len - len});
		*section = (enum aws_ini_section)i;
		return true;
	}
	return false;
}

static void read_section(struct parser *parser, struct span line)
{
	parser->profile = NULL;
	parser->property = NULL;
	parser->is_skipping = true;
	const char *end = memchr(line.at, ']', line.len);
	if (end == NULL) {
		note(parser, "\"[\" without \"]\": the section is skipped");
		return;
	}
	struct span name = trimmed((struct span){line.at + 1, (size_t)(end - line.at) - 1});
	enum aws_ini_section section = AWS_INI_PROFILE;
	bool is_prefixed = parser->kind == AWS_INI_CONFIG && cut_prefix(&name, &section);
	if (name.len >= 2 && *name.at == '"' && name.at[name.len - 1] == '"')
		name = (struct span){name.at + 1, name.len - 2};
	if (name.len == 0) {
		note(parser, "a section without name is skipped");
		return;
	}
	if (parser->kind == AWS_INI_CONFIG && !is_prefixed && !is_text(name, "default"))
		return;
	parser->profile = open_profile(parser, section, name, is_prefixed);
	parser->is_skipping = parser->profile == NULL;
}

/* --- properties ------------------------------------------------------------------------------ */

static struct aws_ini_property *open_property(struct parser *parser, struct span key)
{
	struct aws_ini_profile *profile = parser->profile;
	char *lower = xstrndup(key.at, key.len);
	for (char *p = lower; *p != '\0'; p++)
		*p = (char)tolower((unsigned char)*p);
	for (size_t i = 0; i < profile->count; i++) {
		if (strcmp(profile->properties[i].key, lower) == 0) {
			xfree(&lower);
			xfree_secret(&profile->properties[i].value);
			return &profile->properties[i];
		}
	}
	profile->properties =
	    xreallocarray(profile->properties, profile->count + 1, sizeof *profile->properties);
	struct aws_ini_property *property = &profile->properties[profile->count++];
	*property = (struct aws_ini_property){.key = lower};
	return property;
}

/* White space and then '#' or ';' starts a comment. */
static struct span without_comment(struct span value)
{
	for (size_t i = 1; i < value.len; i++) {
		if ((value.at[i] == '#' || value.at[i] == ';') &&
		    isspace((unsigned char)value.at[i - 1]))
			return (struct span){value.at, i};
	}
	return value;
}

static void read_property(struct parser *parser, struct span line)
{
	const char *equals = memchr(line.at, '=', line.len);
	if (equals == NULL) {
		note(parser, "not KEY = VALUE: the line is skipped");
		return;
	}
	struct span key = trimmed((struct span){line.at, (size_t)(equals - line.at)});
	if (key.len == 0) {
		note(parser, "a value without key is skipped");
		return;
	}
	struct span value = {equals + 1, line.len - (size_t)(equals + 1 - line.at)};
	value = trimmed(without_comment(value));
	parser->property = open_property(parser, key);
	parser->property->value = xstrndup(value.at, value.len);
	parser->property->line = parser->line;
}

static void continue_property(struct parser *parser, struct span text)
{
	struct buf joined = {0};
	buf_printf(&joined, "%s\n", parser->property->value);
	buf_append(&joined, text.at, text.len);
	xfree_secret(&parser->property->value);
	parser->property->value = buf_take(&joined);
}

static void read_line(struct parser *parser, struct span line)
{
	struct span text = trimmed(line);
	if (text.len == 0 || *text.at == '#' || *text.at == ';')
		return;
	bool is_indented = isspace((unsigned char)*line.at);
	if (memchr(text.at, '\0', text.len) != NULL)
		note(parser, "a line with a NUL byte is skipped");
	else if (*text.at == '[' && !is_indented)
		read_section(parser, text);
	else if (is_indented && parser->property != NULL)
		continue_property(parser, text);
	else if (parser->profile != NULL)
		read_property(parser, text);
	else if (!parser->is_skipping)
		note(parser, "a line before any section is skipped");
}

struct aws_ini *aws_ini_parse(
    const char *file, enum aws_ini_kind kind, const char *text, size_t len)
{
	struct parser parser = {.ini = xcalloc(1, sizeof *parser.ini), .kind = kind};
	parser.ini->file = xstrdup(file);
	const char *end = text + len;
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		text += 3;
	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		const char *stop = newline != NULL ? newline : end;
		parser.line++;
		read_line(&parser, (struct span){text, (size_t)(stop - text)});
		text = newline != NULL ? newline + 1 : end;
	}
	return parser.ini;
}

void aws_ini_free(struct aws_ini **handle)
{
	struct aws_ini *ini = *handle;
	if (ini == NULL)
		return;
	for (size_t i = 0; i < ini->count; i++) {
		clear_profile(&ini->profiles[i]);
		xfree(&ini->profiles[i].properties);
		xfree(&ini->profiles[i].name);
	}
	xfree(&ini->profiles);
	xfree(&ini->file);
	buf_free(&ini->notes);
	xfree(handle);
}

static struct aws_ini_profile *section_named(
    const struct aws_ini *ini, enum aws_ini_section section, const char *name)
{
	return ini != NULL ? find_section(ini, section, (struct span){name, strlen(name)}) : NULL;
}

const struct aws_ini_profile *aws_ini_find(const struct aws_ini *ini, const char *profile)
{
	return section_named(ini, AWS_INI_PROFILE, profile);
}

const struct aws_ini_property *aws_ini_get(
    const struct aws_ini *ini, const char *profile, const char *key)
{
	return aws_ini_get_in(ini, AWS_INI_PROFILE, profile, key);
}

const struct aws_ini_property *aws_ini_get_in(
    const struct aws_ini *ini, enum aws_ini_section section, const char *name, const char *key)
{
	const struct aws_ini_profile *found = section_named(ini, section, name);
	for (size_t i = 0; found != NULL && i < found->count; i++) {
		if (strcmp(found->properties[i].key, key) == 0)
			return &found->properties[i];
	}
	return NULL;
}

bool aws_ini_has(const struct aws_ini *ini, enum aws_ini_section section, const char *name)
{
	return section_named(ini, section, name) != NULL;
}

char *aws_ini_nested(const struct aws_ini_property *property, const char *key)
{
	for (const char *line = strchr(property->value, '\n'); line != NULL;
	     line = strchr(line, '\n')) {
		line++;
		size_t len = strcspn(line, "\n");
		const char *equals = memchr(line, '=', len);
		if (equals == NULL)
			continue;
		struct span name = trimmed((struct span){line, (size_t)(equals - line)});
		if (name.len != strlen(key) || strncasecmp(name.at, key, name.len) != 0)
			continue;
		struct span value = {equals + 1, len - (size_t)(equals + 1 - line)};
		value = trimmed(without_comment(value));
		return xstrndup(value.at, value.len);
	}
	return NULL;
}
