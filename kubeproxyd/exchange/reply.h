/* The proxy's own answers: a metav1.Status that says what to do next. */
#ifndef EKSGATE_REPLY_H
#define EKSGATE_REPLY_H

#include <stddef.h>

#include "kubeproxyd/http/peer.h"

struct buf;

struct reply {
	unsigned status;
	const char *message;
	const char *target; /* as received; NULL: none */
	const char *audit_id; /* NULL: none yet */
	unsigned retry_after; /* seconds; 0: no Retry-After */
	const struct buf *document; /* with its type, sent instead of a Status; NULL: none */
	const char *document_type;
};

/* Sends head, body and end; the caller releases the peer. Returns the bytes of the body. */
size_t reply_send(struct peer client, const struct reply *reply);
/* The same with a document of ours and status 200. */
size_t reply_send_document(
    struct peer client, const char *type, const char *body, size_t len, const char *audit_id);

#endif
