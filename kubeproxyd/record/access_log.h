/* One line per request, written when it ends. */
#ifndef EKSGATE_ACCESS_LOG_H
#define EKSGATE_ACCESS_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "common/mono.h"

/* Texts are borrowed; NULL prints "-". */
struct access_entry {
	const char *audit_id;
	const char *client; /* address and port */
	const char *user;
	const char *cluster;
	const char *method;
	const char *path; /* decoded, behind the prefix, without the query: commands stand there */
	const char *verb, *api_group, *resource, *subresource, *namespace, *name;
	unsigned status; /* 0: the client left before an answer */
	uint64_t bytes_in, bytes_out;
	struct unix_time now;
	struct duration took;
	bool is_filtered; /* the answer was; objects of it that passed and that did not */
	uint64_t objects_passed, objects_left_out;
	const char *rule; /* which rule of which role decided */
	const char *reason; /* how it ended: "done", "client gone", … */
};

void access_log_write(const struct access_entry *entry);

#endif
