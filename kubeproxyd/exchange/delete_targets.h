/* Where a deletecollection goes when it is done object by object: the targets of its list and of
 * each delete, and what a page of the list holds. Pure. */
#ifndef EKSGATE_DELETE_TARGETS_H
#define EKSGATE_DELETE_TARGETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/buf.h"

/* Metadata alone, whatever the kind (clients of Kubernetes' garbage collector ask so, too). */
#define DELETE_LIST_ACCEPT                                                                         \
	"application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"

/* What of a collection the client asks for. The API server's pages are no measure for that: they
 * count what the client may not see, and their tokens name it. */
struct delete_part {
	size_t limit; /* objects; 0: all */
	char *after; /* behind the one of this name, as their order is; "": from the first */
};

/* {0} initialises. False: *error (static) says why it cannot be read, *status is what to answer. */
bool delete_part_read(
    const char *target, struct delete_part *part, unsigned *status, const char **error) MUST_USE;
void delete_part_free(struct delete_part *part);
/* The token with which a client goes on behind this object. */
void delete_part_token(struct buf *out, const char *name);

/* `target` is the client's, with its prefix and query. Pages of `page` objects; `next` is the token
 * of the page, NULL the first. */
void delete_list_target(struct buf *out, const char *target, unsigned page, const char *next);
void delete_object_target(struct buf *out, const char *target, const char *name);

struct delete_object {
	const char *namespace, *name, *uid; /* borrowed; "" where there is none */
};

/* Calls for each object of the page; `next` becomes the token of the page behind it, "" at the end.
 * False: it cannot be read. */
bool delete_page_read(const void *data, size_t len,
    void (*fn)(void *arg, const struct delete_object *object), void *arg,
    struct buf *next) MUST_USE;

#endif
