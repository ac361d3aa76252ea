/* A publisher in a process of its own, whose changes are recorded in a file before they are
 * published, so that it can be killed at any moment and its successor goes on from there. Stands
 * for discoveryd and its registry. */
#ifndef EKSGATE_TESTS_BUS_CHAOS_H
#define EKSGATE_TESTS_BUS_CHAOS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "proto/message.h"

struct bus_world;

#define CHAOS_ARGUMENT "--publish"

/* Starts this same program as the publisher at world->socket with the record in world->dir; a quiet
 * one changes nothing. */
pid_t chaos_start(const struct bus_world *world, uint64_t epoch, bool is_quiet);
void chaos_kill(pid_t pid);
/* What main() does with CHAOS_ARGUMENT DIR EPOCH QUIET; does not return. */
_Noreturn void chaos_publish(char **arguments);
/* What is recorded: the state that every subscriber must reach. */
void chaos_expected(
    const struct bus_world *world, int64_t *sequence, struct message_digest *digest);

#endif
