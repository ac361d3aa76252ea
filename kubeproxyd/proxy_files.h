/* What the proxy reads from files besides the settings, as one set that is exchanged as a whole. */
#ifndef EKSGATE_PROXY_FILES_H
#define EKSGATE_PROXY_FILES_H

#include <stdbool.h>

#include "common/attr.h"

struct audit_policy;
struct policy;
struct settings;
struct tls_server;

struct proxy_files {
	struct tls_server *tls;
	char *authority; /* PEM: the last certificate of the server's chain */
	struct policy *policy;
	struct audit_policy *audit_policy;
};

/* False: *error has a line per finding of all of them (free()), and `files` holds nothing. */
bool proxy_files_load(
    const struct settings *settings, struct proxy_files *files, char **error) MUST_USE;
void proxy_files_free(struct proxy_files *files);

#endif
