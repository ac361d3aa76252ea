/* One audit event in the form of Kubernetes' own (audit.k8s.io/v1 Event, kube-apiserver
 * audit.k8s.io/v1 types), as a line of JSON. What Kubernetes has no field for stands in annotations
 * under eksgate.io/. */
#ifndef EKSGATE_AUDIT_EVENT_H
#define EKSGATE_AUDIT_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/mono.h"

struct act_as;
struct request_info;

enum audit_level { AUDIT_NONE, AUDIT_METADATA, AUDIT_REQUEST, AUDIT_REQUEST_RESPONSE };

enum audit_stage {
	AUDIT_REQUEST_RECEIVED, /* before anything is sent: exec, attach, port-forward */
	AUDIT_RESPONSE_STARTED, /* the head of a long-running answer */
	AUDIT_RESPONSE_COMPLETE,
};

/* Texts are borrowed; NULL or empty is left out. */
struct audit_event {
	enum audit_level level;
	enum audit_stage stage;
	bool can_wait; /* for the next ones, a moment, before it is written */
	const char *audit_id;
	/* Who: the authenticated user, and whom the cluster was told to see. */
	const char *user, *source, *certificate_serial;
	char *const *groups;
	size_t group_count;
	const struct buf
	    *user_member; /* audit_event_write_user() of these; NULL: it is written anew */
	const char *sent_user;
	const char *const *sent_groups;
	size_t sent_group_count;
	const struct act_as *sent_as; /* whose uid and extras went along; NULL: none did */
	const char *original_user_key; /* of the extra that names `user`; NULL: none does */
	const char *client_host, *user_agent;
	/* What. `info` NULL: it was not parsed. `uri` is written as it stands. */
	const char *cluster, *cluster_arn, *uri, *method;
	const struct request_info *info;
	const char *upgrade; /* "websocket", "SPDY/3.1" */
	const char *ports; /* of a port-forward, a JSON array; NULL: those of the query, if any */
	const char *kubectl_command, *kubectl_session;
	/* Of an exec or attach under way: "yes", "no", "in part"; by which file, and why not. */
	const char *recorded, *recording, *recording_problem;
	/* Why. */
	bool is_decided, is_allowed;
	const char *rule;
	/* What became of it. `status` 0: the client left before an answer. */
	unsigned status;
	const char *ending; /* "done", "client gone", the message of a refusal */
	const char *terminated_by; /* the administrator who ended it */
	uint64_t bytes_in, bytes_out;
	bool is_filtered; /* the answer was; its objects: */
	uint64_t objects_passed, objects_left_out,
	    objects_unreadable; /* the last are left out, too */
	struct unix_time received, now;
	struct duration took;
	/* Bodies as canonical JSON, and why there is none. */
	const char *request_object, *response_object, *body_note;
};

/* Appends the line, '\n' included. Commands of exec and ports of port-forward are taken from the
 * query of `uri`. Pure. */
void audit_event_write(struct buf *out, const struct audit_event *event);
/* Appends what the line says of `user`, its groups and its credential: the same in all events of
 * one. */
void audit_event_write_user(struct buf *out, const struct audit_event *event);
/* `line` is one that was written without `recorded`: gets what became of the recording. */
void audit_event_add_recorded(struct buf *line, const char *recorded, const char *problem);

#endif
