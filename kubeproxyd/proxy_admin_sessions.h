/* The admin routes about sessions: GET /v1/sessions, POST /v1/sessions/terminate/ID. */
#ifndef EKSGATE_PROXY_ADMIN_SESSIONS_H
#define EKSGATE_PROXY_ADMIN_SESSIONS_H

struct admin;
struct proxy_admin_options;

/* Longer reasons are refused. */
#define SESSION_REASON_MAX 512

/* `options` is borrowed and outlives `admin`. */
void proxy_admin_sessions(struct admin *admin, struct proxy_admin_options *options);

#endif
