/* Client certificates from the client CA's key: short-lived, recorded by serial number, never for
 * Kubernetes' own names. For `cert` and `kubeconfig`. */
#ifndef EKSGATE_CLIENT_CERTIFICATE_H
#define EKSGATE_CLIENT_CERTIFICATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/mono.h"

struct settings;

#define CLIENT_CERTIFICATE_DEFAULT_TTL INT64_C(28800) /* seconds: 8 hours */
#define CLIENT_CERTIFICATE_MAX_TTL     INT64_C(2592000) /* 30 days */
/* Beside the CA's key: one JSON line a certificate. */
#define CLIENT_CERTIFICATE_RECORD "issued-certificates.jsonl"

struct client_certificate_request {
	const char *user;
	const char *const *groups;
	size_t group_count;
	const char *cluster; /* the one it is for; NULL: every one */
	struct duration ttl;
};

struct client_certificate {
	char *certificate; /* PEM */
	char *key; /* PEM, a secret */
	char *serial;
	struct unix_time not_after;
};

/* Makes one and records it. False: *error (free()). */
bool client_certificate_issue(const struct settings *settings,
    const struct client_certificate_request *request, struct client_certificate *certificate,
    char **error) MUST_USE;
void client_certificate_free(struct client_certificate *certificate);
/* "90m", "8h", "7d", "3600s": from a minute to 30 days. */
bool client_certificate_parse_ttl(const char *text, struct duration *ttl) MUST_USE;

#endif
