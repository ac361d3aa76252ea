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

/* `target` is the client's, with its prefix and query. Pages of `page` objects where the client
 * asks for no limit of its own; `next` is the token of the page, NULL the first. */
void delete_list_target(struct buf *out, const char *target, unsigned page, const char *next);
/* Whether the client asks for one page of its own choice. */
bool delete_list_is_one_page(const char *target) MUST_USE;
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
