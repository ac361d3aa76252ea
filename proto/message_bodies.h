/* The bodies of the messages, included by message.h. Strings are NUL-terminated; what a decode
 * fills is freed by message_body_free(), what an encode reads is borrowed. Integers are within
 * +-(2^53 - 1). */
#ifndef EKSGATE_PROTO_MESSAGE_BODIES_H
#define EKSGATE_PROTO_MESSAGE_BODIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MESSAGE_NAME_MAX      253
#define MESSAGE_PRINCIPAL_MAX 640 /* an ARN of a role with the longest path and name is shorter */
#define MESSAGE_DENIED_MAX    8

struct message_hello {
	int64_t session; /* told apart by the subscriber: grows with each HELLO of its process */
	char *role; /* "proxy" or "tap" */
	char *instance; /* "main" */
	char *node; /* host name */
	char *software; /* "0.1.0" */
	int64_t pid;
	int64_t credit; /* how many data messages may be under way */
};

struct message_welcome {
	int64_t session; /* of the HELLO that it answers */
	char *software;
	int64_t heartbeat_ms;
};

/* One item of a SNAPSHOT_CHUNK or a DELTA. */
struct message_item {
	char *name;
	int64_t revision;
	char *resource; /* canonical JSON as text; NULL: the item was removed (DELTA only) */
	size_t resource_len;
	char *renamed_to; /* of a removed item that lives on under this name; else NULL */
};

struct message_items {
	struct message_item *items;
	size_t count;
};

struct message_heartbeat {
	int64_t clock_offset_ms; /* AWS's clock minus the publisher's */
};

struct message_rejection {
	char *name;
	int64_t revision;
	char *text;
};

struct message_ack {
	int64_t session;
	int64_t received; /* data messages taken since WELCOME */
	struct message_rejection *rejected;
	size_t rejected_count;
	bool has_more; /* more were rejected than fit */
};

/* REJECT and BYE. Codes: PROTOCOL.md. */
struct message_reason {
	char *code;
	char *text;
};

struct message_refresh {
	char *name;
	char *reason;
};

struct message_task {
	char *nonce;
	char *kind;
	char *cluster;
	char *body; /* may hold secrets: never logged, never shown */
};

struct message_task_result {
	char *nonce;
	bool is_ok;
	char *text;
	char *code; /* for programs, task.h; NULL from a peer of 1.0 */
};

/* The order of the words in message_bodies.c. */
enum message_answer { ANSWER_UNKNOWN, ANSWER_YES, ANSWER_NO };

/* A right that the cluster denies, as SelfSubjectAccessReview names it. */
struct message_permission {
	char *verb; /* "impersonate" */
	char *resource; /* "groups" or "selfsubjectaccessreviews.authorization.k8s.io" */
	char *object; /* the name that was asked for; NULL: any */
};

/* A report's code: the proxy has not looked, and will only when a check asks it to. */
#define REPORT_UNASKED "unasked"

/* What one proxy finds about one cluster, with its own credentials. */
struct message_report {
	char *name;
	int64_t created_ms; /* spec.aws.created_at of the cluster it looked at */
	bool is_serving; /* false: it does not, or no longer; the rest says nothing */
	char *principal; /* whose access entry the cluster has to have; NULL: not known (yet) */
	bool is_exact; /* the ARN is configured, so with its path; else STS told it, without */
	enum message_answer reachable; /* TLS with the cluster's CA, and an HTTP answer */
	enum message_answer authenticated; /* not 401 */
	enum message_answer permitted; /* every right that its roles need */
	enum message_answer healthy; /* /readyz */
	struct message_permission *denied;
	size_t denied_count;
	char *code; /* for programs, PROTOCOL.md */
	char *text; /* for people: the reason, and the remedy if there is one */
	int64_t checked_ms; /* Unix time of the latest look; 0: none yet */
};

/* SNAPSHOT_BEGIN and SNAPSHOT_END have empty bodies: everything is in the header. */
union message_body {
	struct message_hello hello;
	struct message_welcome welcome;
	struct message_items items; /* SNAPSHOT_CHUNK, DELTA */
	struct message_heartbeat heartbeat;
	struct message_ack ack;
	struct message_reason reason; /* REJECT, BYE */
	struct message_refresh refresh;
	struct message_task task;
	struct message_task_result task_result;
	struct message_report report;
};

/* The body of a message of a known type as JSON text (free()); *len without its NUL. */
char *message_encode_body(enum message_type type, const union message_body *body, size_t *len)
    __attribute__((warn_unused_result));
/* Checks members, types, lengths, that items and header agree, and that nothing follows. False:
 * `error` says what is wrong where, and nothing is to be freed. `header` must be of a known type.
 */
bool message_decode_body(const struct message_header *header, const char *text, size_t len,
    union message_body *body, char error[MESSAGE_ERROR_TEXT]) __attribute__((warn_unused_result));
void message_body_free(unsigned type, union message_body *body);

#endif
