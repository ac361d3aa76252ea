/* What stands under `eksgate.proxy`: a part of the settings. */
#ifndef EKSGATE_SETTINGS_PROXY_H
#define EKSGATE_SETTINGS_PROXY_H

#include <stddef.h>

#include "common/mono.h"
#include "common/settings_login.h"

/* eksgate.proxy.limits, of each instance */
struct proxy_limits {
	size_t connections;
	size_t handshakes; /* in flight */
	size_t header_bytes;
	size_t header_count;
	size_t body_in_hand; /* bytes buffered per direction */
	struct duration header_timeout;
	struct duration handshake_timeout;
	struct duration idle_timeout; /* between requests */
	struct duration connect_timeout; /* to an API server */
	struct duration response_timeout; /* to the answer's first byte */
	size_t requests_per_user; /* under way */
	size_t requests_per_cluster;
	size_t body_rate; /* bytes a second from a client; 0: any */
	struct duration body_grace;
	size_t upstream_idle; /* connections kept per cluster */
};

struct proxy_settings {
	char *certificate; /* tls.certificate */
	char *key; /* tls.key */
	char *client_ca;
	char *client_ca_key; /* only `kubeproxyd cert` and `init` read it */
	char *sni_suffix; /* may be NULL */
	char *roles_dir;
	char *cache_dir;
	char *run_dir; /* <instance>.sock in it */
	char *metrics_listen; /* may be NULL */
	struct duration max_stale;
	struct duration token_lifetime; /* at most 10 minutes */
	struct login_settings login;
	struct proxy_limits limits;
};

#endif
