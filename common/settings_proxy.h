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
	size_t strangers_per_address; /* connections that have shown no credential */
	size_t streams; /* of an HTTP/2 connection at a time */
	/* Of an HTTP/2 connection in ten seconds: */
	size_t resets, pings, settings_frames, empty_frames;
	size_t continuations; /* of one head */
	size_t header_bytes;
	size_t header_count;
	size_t body_in_hand; /* bytes buffered per direction */
	size_t bodies_in_hand; /* of all requests */
	size_t filtered_object; /* bytes of one in an answer that is filtered */
	size_t filtered_list; /* bytes of one in protobuf that are held on disk */
	size_t filtered_lists; /* of all of them */
	size_t answers_in_hand; /* bytes of all answers that wait for their readers */
	struct duration header_timeout;
	struct duration handshake_timeout;
	struct duration idle_timeout; /* between requests */
	struct duration connect_timeout; /* to an API server */
	struct duration response_timeout; /* to the answer's first byte */
	size_t requests_per_user; /* under way */
	size_t requests_per_cluster;
	size_t deletes_per_request; /* of a deletecollection done object by object */
	size_t body_rate; /* bytes a second from a client; 0: any */
	struct duration body_grace;
	size_t upstream_idle; /* connections kept per cluster */
	struct duration drain_timeout; /* after SIGTERM, for requests that end by themselves */
	struct duration tunnel_grace; /* for those that do not */
};

/* eksgate.proxy.audit */
struct audit_settings {
	char *destination; /* "file", "journal", "stdout", "off" */
	char *directory;
	char *policy; /* may be NULL */
	char *when_failing; /* "refuse", "buffer" */
	size_t buffer; /* bytes */
};

/* eksgate.proxy.recording */
struct recording_settings {
	char *directory;
	struct duration write_timeout; /* 0: for ever */
	size_t max_session_bytes; /* 0: no limit, as below */
	size_t max_total_bytes;
	struct duration max_age;
};

struct proxy_settings {
	char *certificate; /* tls.certificate */
	char *key; /* tls.key */
	char *more_certificates; /* tls.directory; may be NULL */
	char *client_ca;
	char *client_ca_key; /* only `kubeproxyd cert` and `init` read it */
	char **client_crls; /* files of revocation lists */
	size_t client_crl_count;
	char *sni_suffix; /* may be NULL */
	bool original_user; /* goes along as an extra when somebody acts as another */
	char *roles_dir;
	char *locks_file;
	char *cache_dir;
	char *run_dir; /* <instance>.sock in it */
	char *metrics_listen; /* may be NULL */
	struct duration max_stale;
	struct duration token_lifetime; /* at most 10 minutes */
	struct login_settings login;
	struct duration probe_interval; /* 0: clusters are not looked at */
	struct audit_settings audit;
	struct recording_settings recording;
	struct proxy_limits limits;
};

#endif
