/* The text of one element out of an XML answer of AWS's query protocol (STS). Tolerant and bounded:
 * no DTD, no namespaces, no attributes are looked at; the first element of that name counts. */
#ifndef EKSGATE_AWS_XML_H
#define EKSGATE_AWS_XML_H

#include <stddef.h>

#include "common/attr.h"

/* "AccessDenied" of "<Code>AccessDenied</Code>", entities decoded and trimmed; NULL when there is
 * no such element or when it holds other elements (free()). */
char *aws_xml_text(const char *xml, size_t len, const char *element) MUST_USE;

#endif
