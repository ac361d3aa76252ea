/* Filters a list in protobuf: the envelope, in it the list, in it the items, as the bytes come. A
 * Status passes; one object alone passes when it may be seen. Owned by protobuf_filter.c. */
#ifndef EKSGATE_PROTOBUF_LIST_H
#define EKSGATE_PROTOBUF_LIST_H

#include "common/attr.h"
#include "kubeproxyd/filter/carry.h"
#include "kubeproxyd/filter/protobuf_out.h"
#include "kubeproxyd/policy/protobuf.h"

enum protobuf_place { PROTOBUF_AT_MAGIC, PROTOBUF_IN_ENVELOPE, PROTOBUF_IN_LIST };
/* What becomes of the content of the field that is being read. */
enum protobuf_fate { PROTOBUF_IS_HEAD, PROTOBUF_PASS, PROTOBUF_SKIP, PROTOBUF_GATHER };

/* {.limits, .out, .result} initialises. */
struct protobuf_list {
	const struct filter_limits *limits;
	struct protobuf_out *out;
	struct filter_result *result;
	enum protobuf_place place;
	enum { PROTOBUF_OF_LIST, PROTOBUF_OF_STATUS, PROTOBUF_OF_OBJECT } content;
	bool has_type, has_raw, has_encoding, has_content_type, has_metadata; /* each once */
	size_t magic_read;
	uint64_t list_left;
	/* The field: */
	enum protobuf_fate fate;
	struct protobuf_head head;
	uint8_t head_bytes[PROTOBUF_HEAD_MAX];
	size_t head_read;
	uint64_t left; /* of its content */
	struct carry gathered;
};

/* Until result->problem. */
void protobuf_list_feed(struct protobuf_list *list, const uint8_t *data, size_t len);
/* Whether it may end here. */
bool protobuf_list_is_whole(const struct protobuf_list *list) MUST_USE;
void protobuf_list_free(struct protobuf_list *list);

#endif
