/* The DeleteOptions of a deletecollection, for each of its deletes: the same and, as a
 * precondition, the uid of the object that was listed. Pure. */
#ifndef EKSGATE_DELETE_OPTIONS_H
#define EKSGATE_DELETE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"
#include "common/buf.h"
#include "kubeproxyd/policy/object_name.h"

struct json_object;

/* {0} initialises; delete_options_free() releases. */
struct delete_options {
	struct json_object *document; /* NULL: protobuf */
	/* Of protobuf, without its envelope: the preconditions, and all the rest. */
	struct buf preconditions, rest;
	bool has_uid; /* the client's own precondition, which stays */
};

/* From the body, or without one from the query ("" when there is none), as the API server reads
 * them. False: *error (static) says why not. */
bool delete_options_read(enum body_format format, const void *body, size_t len, const char *query,
    struct delete_options *options, const char **error) MUST_USE;
/* Appends the body of one delete. */
void delete_options_write(struct delete_options *options, const char *uid, struct buf *out);
/* Of what is written. */
const char *delete_options_type(const struct delete_options *options);
void delete_options_free(struct delete_options *options);

#endif
