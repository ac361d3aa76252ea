/* The grammar of a head that came by HTTP/2 (RFC 9113, 8.1 to 8.3; RFC 9110, 5). Pure. */
#ifndef EKSGATE_H2_RULES_H
#define EKSGATE_H2_RULES_H

#include <stdbool.h>
#include <stdint.h>

#include "common/attr.h"
#include "kubeproxyd/http/hpack_decode.h"

enum h2_head_kind { H2_REQUEST_HEAD, H2_ANSWER_HEAD, H2_TRAILERS };

/* Of one head while its fields come. {.kind} begins. */
struct h2_rules {
	enum h2_head_kind kind;
	uint32_t traits; /* of the name of the last field: enum field_trait */
	unsigned seen; /* names that may come once */
	bool is_behind_pseudo;
	bool is_connect, is_asterisk, is_options;
	unsigned status; /* of an answer */
	bool has_length;
	int64_t length; /* of content-length */
};

/* The next field. NULL: it is allowed; otherwise why the message is malformed. */
const char *h2_rules_take(struct h2_rules *rules, const struct hpack_field *field) MUST_USE;
/* The head is complete: the same about what is missing. */
const char *h2_rules_end(const struct h2_rules *rules) MUST_USE;

#endif
