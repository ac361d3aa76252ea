/* The running proxy: wires the rooms together, reloads on SIGHUP, drains on SIGTERM. */
#ifndef EKSGATE_PROXY_H
#define EKSGATE_PROXY_H

#include "common/attr.h"

struct settings;

/* Runs until a signal ends it. `settings` becomes the callee's; `config` is read again on SIGHUP.
 * The exit status. */
int proxy_run(struct settings *settings, const char *config, const char *instance) MUST_USE;

#endif
