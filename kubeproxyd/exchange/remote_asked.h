/* What a request asks for as an exec or an attach, and whether roles want that recorded. */
#ifndef EKSGATE_REMOTE_ASKED_H
#define EKSGATE_REMOTE_ASKED_H

#include <stdbool.h>

#include "kubeproxyd/policy/options.h"

struct exchange;

enum remote_kind {
	REMOTE_NONE,
	REMOTE_HIDDEN, /* of a kubelet, behind nodes/proxy, where nothing is looked into */
	REMOTE_COMMAND,
};

/* A plain value; remote_asked_clear() releases. */
struct remote_asked {
	enum remote_kind kind;
	enum record_mode mode; /* RECORD_OFF: nobody asks for a recording */
	bool has_terminal, has_stderr;
	bool can_be_read; /* the server can choose, of what the client offers, something that can */
	char *container; /* NULL: the only one */
};

/* Of an exchange that is admitted, with what its roles say. */
void remote_asked_read(const struct exchange *exchange, struct remote_asked *asked);
void remote_asked_clear(struct remote_asked *asked);

#endif
