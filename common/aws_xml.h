/* The texts of elements out of an XML answer of AWS's query protocols (STS, EC2). Tolerant and
 * bounded: no DTD, no namespaces, no attributes are looked at; the first element of that name
 * counts. */
#ifndef EKSGATE_AWS_XML_H
#define EKSGATE_AWS_XML_H

#include <stddef.h>

#include "common/attr.h"

/* "AccessDenied" of "<Code>AccessDenied</Code>", entities decoded and trimmed; NULL when there is
 * no such element or when it holds other elements (free()). */
char *aws_xml_text(const char *xml, size_t len, const char *element) MUST_USE;
/* The same for one element of that name after the other: looks at *xml, *len on, and leaves there
 * what is behind the element. NULL when there is no further one, or it holds no text; *len is 0
 * then. */
char *aws_xml_next_text(const char **xml, size_t *len, const char *element) MUST_USE;

#endif
