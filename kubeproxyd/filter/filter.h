/* Takes out of the answer to a list or a watch what its reader may not see, while it passes: bytes
 * in, bytes out, a question for each object. Objects that may be read pass as the very bytes that
 * came. What cannot be read is dropped and counted, never passed; when that would be a guess, all
 * of the answer ends. Pure: no sockets, no policy. */
#ifndef EKSGATE_FILTER_H
#define EKSGATE_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"

enum filter_body {
	FILTER_LIST, /* one document: a list, a Table, a Status, or one object */
	FILTER_WATCH, /* events, one behind the other */
};

/* For held_max: with its growth it stays within 64 KiB. */
#define FILTER_HELD_MAX ((size_t)64 * 1024 - 1)
/* Of what was put away, in one piece. */
#define FILTER_FETCH_MAX ((size_t)16 * 1024)

struct filter_limits {
	size_t item_max; /* bytes of one object: a larger one is dropped and counted */
	size_t held_max; /* bytes of a protobuf list in memory, not 0; more is put away */
	bool may_be_page; /* tokens of further pages pass: the reader is the proxy itself */
};

struct filter_events {
	/* Whether the reader may see this object; `namespace` "" when it stands in none. */
	bool (*may_read)(void *arg, const char *namespace, const char *name);
	/* What passes, in order. */
	void (*emit)(void *arg, const uint8_t *data, size_t len);
	/* What passes of a list in protobuf once its end was seen: is put away where there is room
	 * for it, and fetched from its begin on, all of it, FILTER_FETCH_MAX bytes at a time, the
	 * first ones in filter_end(). Both may pause the filter. False: cannot be. NULL: there is
	 * no such place. */
	bool (*put_away)(void *arg, const uint8_t *data, size_t len);
	bool (*fetch)(void *arg, uint8_t *data, size_t len);
};

/* What became of an answer so far. */
struct filter_result {
	uint64_t passed, dropped; /* objects that were read */
	uint64_t unreadable; /* dropped as well */
	const char *problem; /* a sentence; NULL while all is well */
	bool is_forbidden; /* the problem: the answer is one object, which may not be read */
	bool is_unheld; /* the problem: put_away() or fetch() said no */
};

/* What a watcher is told whose roles have changed. */
#define FILTER_EXPIRED "the roles of this user have changed: list anew"

/* What is wrong with a list that goes on: its token holds the name of an object that is on no page
 * that was filtered, and where a page ends counts what its reader may not see. */
#define FILTER_IS_PAGE "it is one page of a list, and the token of the next names an object"

/* The code of an error that an API server may explain by the key of an object in its store: such a
 * Status does not pass. */
#define FILTER_INTERNAL_ERROR 500

struct filter;

/* Whether a body of this type (with or without parameters: "application/json;as=Table") can be
 * filtered. */
bool filter_can_read(const char *media_type) MUST_USE;
/* `content_encoding` NULL: none. NULL: a type or an encoding that cannot be read. */
struct filter *filter_new(enum filter_body body, const char *content_type,
    const char *content_encoding, const struct filter_limits *limits,
    const struct filter_events *events, void *arg) MUST_USE;
void filter_free(struct filter **filter);
/* Emits inside this call whatever is known to pass by then. False: the answer cannot be read on, or
 * may not be; nothing more is emitted and what was is to be cut. */
bool filter_feed(struct filter *filter, const uint8_t *data, size_t len) MUST_USE;
/* The answer is complete. False: it was not, or see filter_feed(). What is left to emit then may be
 * more than a turn should bear: unless filter_is_done() it is paused, and is to be called again
 * after filter_resume(). */
bool filter_end(struct filter *filter) MUST_USE;
bool filter_is_done(const struct filter *filter) MUST_USE;
/* Compressed answers may grow a thousandfold: nothing more is unpacked while it is paused, and what
 * was fed is kept. It pauses by itself when one call has unpacked as much as a turn should bear.
 * filter_resume() goes on; it may be paused again afterwards. What is not compressed is paused only
 * behind its end. */
void filter_pause(struct filter *filter);
bool filter_resume(struct filter *filter) MUST_USE;
bool filter_is_paused(const struct filter *filter) MUST_USE;
/* A watch ends from here, between two events: emits what its body lacks to be complete. */
void filter_close(struct filter *filter);
/* Tells whoever watches that it must list anew (410 Expired), before filter_close(). */
void filter_expire(struct filter *filter);
/* Borrowed. */
const struct filter_result *filter_result(const struct filter *filter);
/* Bytes of memory that it holds. */
size_t filter_memory(const struct filter *filter) MUST_USE;

#endif
