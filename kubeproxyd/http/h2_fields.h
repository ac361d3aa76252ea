/* A head as nghttp2 takes it: pseudo fields first, names in lower case (RFC 9113, 8.2), what is
 * private to a user marked so that it never enters the compression table that all streams of a
 * connection share. Pure. */
#ifndef EKSGATE_H2_FIELDS_H
#define EKSGATE_H2_FIELDS_H

#include <nghttp2/nghttp2.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"
#include "common/buf.h"
#include "common/decimal.h"
#include "kubeproxyd/http/head.h"

#define H2_FIELDS_FEW 64

/* h2_fields_init() before, h2_fields_free() after; valid as long as the head it was filled from. */
struct h2_fields {
	nghttp2_nv few[H2_FIELDS_FEW];
	nghttp2_nv *items; /* `few`, or memory of its own when they are more */
	size_t count, cap;
	size_t size; /* at most this much when encoded */
	char length[DECIMAL_TEXT], status[DECIMAL_TEXT];
	struct buf names;
};

void h2_fields_init(struct h2_fields *list);

/* `name` and `value` stay the caller's. */
void h2_fields_add(struct h2_fields *list, const char *name, const char *value, size_t value_len);
/* The fields of a head but the one named `except` (lower case, or NULL), and content-length: of the
 * body, or what an answer to HEAD and a 304 declare. Once per list. */
void h2_fields_add_head(struct h2_fields *list, const struct http_head *head, const char *except);
/* ":status"; first of an answer. */
void h2_fields_add_status(struct h2_fields *list, unsigned status);
void h2_fields_free(struct h2_fields *list);

/* A field of a request that nghttp2 has checked, NUL-terminated. False: it is neither a pseudo
 * field nor one that heads keep as a member. */
bool h2_head_take(struct http_head *head, const char *name, size_t name_len, const char *value,
    size_t value_len) MUST_USE;

/* Whether content-length is written: of the body, or what an answer to HEAD and a 304 declare. */
bool h2_head_says_length(const struct http_head *head) MUST_USE;

#endif
