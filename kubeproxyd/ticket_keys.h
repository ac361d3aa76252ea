/* The keys of session tickets, in a file that all instances on this host share. */
#ifndef EKSGATE_TICKET_KEYS_H
#define EKSGATE_TICKET_KEYS_H

#include "common/attr.h"

struct loop;
struct ticket_keys;
struct tls_seal;

/* Reads DIRECTORY/ticket-keys, or makes it, and keeps it in step with what others write. Without
 * the file tickets are of this process alone, which the log says. */
struct ticket_keys *ticket_keys_new(struct loop *loop, const char *directory) MUST_USE;
void ticket_keys_free(struct ticket_keys **keys);
/* What contexts seal with; lives as long as this. */
struct tls_seal *ticket_keys_seal(struct ticket_keys *keys) MUST_USE;

#endif
