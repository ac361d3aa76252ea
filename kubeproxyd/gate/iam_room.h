/* How many calls to STS may be under way, for whom and where to: neither a few client addresses nor
 * an STS that does not answer can have them all. Pure. */
#ifndef EKSGATE_IAM_ROOM_H
#define EKSGATE_IAM_ROOM_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"

struct iam_place; /* of one call */
struct iam_room;
struct refusal;

struct iam_room *iam_room_new(void) MUST_USE;
/* Every place was left. */
void iam_room_free(struct iam_room **room);

/* A place for a call to the STS at `host` for the client at `address`, which has no port and may
 * bring `per_minute` tokens. NULL: *refusal says why not. */
struct iam_place *iam_room_enter(struct iam_room *room, const char *address, size_t per_minute,
    const char *host, struct refusal *refusal) MUST_USE;
/* Whether STS answered, whatever it said. */
void iam_place_note(struct iam_place *place, bool has_answered);
void iam_room_leave(struct iam_place **place);
/* Hosts that are remembered. */
size_t iam_room_hosts(const struct iam_room *room) MUST_USE;

#endif
