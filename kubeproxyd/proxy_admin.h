/* What the running proxy tells and does on its admin socket. */
#ifndef EKSGATE_PROXY_ADMIN_H
#define EKSGATE_PROXY_ADMIN_H

#include "common/attr.h"

struct admin;
struct cluster;
struct clusters;
struct directory;
struct exchanges;
struct prober;
struct proxy_admin;
struct sessions;

/* Borrowed. */
struct proxy_admin_options {
	const char *instance;
	struct directory *directory;
	struct clusters *clusters;
	struct exchanges *exchanges;
	struct sessions *sessions;
	struct prober *prober;
};

/* Registers GET /v1/clusters, GET /v1/status, POST /v1/token/NAME, and what
 * proxy_admin_sessions.h says. Outlives `admin`. */
struct proxy_admin *proxy_admin_new(
    struct admin *admin, const struct proxy_admin_options *options) MUST_USE;
void proxy_admin_free(struct proxy_admin **proxy);
/* The cluster is gone (NULL: all are): who waits for its token is answered. */
void proxy_admin_forget(struct proxy_admin *proxy, const struct cluster *cluster);

#endif
