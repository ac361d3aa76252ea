/* A kubeconfig for the clusters that a proxy serves (client-go's clientcmd/api/v1 Config, as YAML).
 * Pure. */
#ifndef EKSGATE_KUBECONFIG_H
#define EKSGATE_KUBECONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"

struct iam_login;
struct oidc_login;

struct kubeconfig_input {
	const char *server; /* "https://host:port", without a path */
	const char *sni_suffix; /* clusters are addressed by server name below it; NULL: by path */
	const char *ca; /* PEM: what the proxy's certificate is checked against */
	const char *user;
	/* How the user logs in, one of these, or none: an entry without credentials. */
	const char *certificate, *key; /* PEM */
	bool has_own_files; /* names of files as `kubeproxyd cert` writes them */
	const struct oidc_login *oidc; /* by a plugin of kubectl */
	const struct iam_login *iam; /* by the AWS command line */
	const char *const *clusters; /* names; one context each, the first is current */
	size_t cluster_count;
};

/* A secret when it holds a key: xfree_secret(). */
char *kubeconfig_text(const struct kubeconfig_input *input) MUST_USE;

/* A user's name as the name of files (free()). */
char *kubeconfig_file_stem(const char *user) MUST_USE;

/* "https://host:port" of what --server or public_addr says: a scheme and a port may be missing,
 * then https and `port` are meant. NULL when it is no such thing: another scheme, a path, no host
 * (free()). */
char *kubeconfig_server(const char *address, unsigned port) MUST_USE;

#endif
