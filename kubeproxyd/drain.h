/* The stop of a proxy in good order. */
#ifndef EKSGATE_DRAIN_H
#define EKSGATE_DRAIN_H

#include "common/attr.h"

struct drain;
struct exchanges;
struct loop;
struct sessions;
struct settings;

/* Everything is borrowed. */
struct drain_options {
	struct loop *loop;
	const struct settings *settings;
	struct exchanges *exchanges;
	struct sessions *sessions;
	void (*on_done)(void *arg);
	void *arg;
};

/* Nothing new is accepted any more. Never calls back inside this call. */
struct drain *drain_start(const struct drain_options *options) MUST_USE;
void drain_free(struct drain **drain);

#endif
