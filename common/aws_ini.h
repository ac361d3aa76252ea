/* The INI dialect of AWS's shared config and credentials files. Pure, and it never fails: what it
 * cannot read it skips and notes. Sections of the same name are one; of repeated keys the last one
 * counts. */
#ifndef EKSGATE_AWS_INI_H
#define EKSGATE_AWS_INI_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"
#include "common/buf.h"

/* In config files profiles stand in "[profile NAME]" and "[default]", beside "[sso-session NAME]"
 * and
 * "[services NAME]"; in credentials files in "[NAME]". Other sections are skipped. */
enum aws_ini_kind { AWS_INI_CONFIG, AWS_INI_CREDENTIALS };
enum aws_ini_section { AWS_INI_PROFILE, AWS_INI_SSO_SESSION, AWS_INI_SERVICES };

struct aws_ini_property {
	char *key; /* lower case */
	char
	    *value; /* with '\n' between continued lines; sub-properties are continued lines, too */
	unsigned line;
};

struct aws_ini_profile {
	enum aws_ini_section section;
	char *name;
	unsigned line;
	bool is_prefixed; /* "[profile default]", which hides "[default]" */
	struct aws_ini_property *properties;
	size_t count;
};

struct aws_ini {
	char *file; /* for messages */
	struct aws_ini_profile *profiles; /* and the other named sections */
	size_t count;
	struct buf notes; /* "FILE:LINE: what was skipped\n", a bounded number of them */
	size_t note_count;
};

struct aws_ini *aws_ini_parse(
    const char *file, enum aws_ini_kind kind, const char *text, size_t len) MUST_USE;
void aws_ini_free(struct aws_ini **ini);
/* NULL when there is no such profile (also for a NULL ini) or no such key. */
const struct aws_ini_profile *aws_ini_find(const struct aws_ini *ini, const char *profile);
const struct aws_ini_property *aws_ini_get(
    const struct aws_ini *ini, const char *profile, const char *key);
/* The same for a section of any kind. */
const struct aws_ini_property *aws_ini_get_in(
    const struct aws_ini *ini, enum aws_ini_section section, const char *name, const char *key);
bool aws_ini_has(
    const struct aws_ini *ini, enum aws_ini_section section, const char *name) MUST_USE;
/* "key = value" among the indented lines below a property (free()); NULL when it is not there. */
char *aws_ini_nested(const struct aws_ini_property *property, const char *key) MUST_USE;

#endif
