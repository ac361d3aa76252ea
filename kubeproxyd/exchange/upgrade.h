/* The rules of protocol upgrades (reference kube.md 1.3): when a connection may become a tunnel,
 * and when not. Pure. */
#ifndef EKSGATE_UPGRADE_H
#define EKSGATE_UPGRADE_H

#include <stdbool.h>

#include "common/attr.h"
#include "kubeproxyd/http/head.h"

/* What may not be relayed of an answer to `request`, which went to the API server with or without
 * its upgrade: a 101 that nobody asked for, or to another protocol, or a redirect of an upgrade
 * (CVE-2020-8559). Any other answer is an answer. NULL: all is well; else why not (static). */
const char *upgrade_refuse(
    const struct http_head *request, bool was_sent, const struct http_head *answer);

#endif
