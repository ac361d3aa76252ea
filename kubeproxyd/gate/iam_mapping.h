/* Which AWS identities are let in, and who they are here. Pure once it is made. */
#ifndef EKSGATE_IAM_MAPPING_H
#define EKSGATE_IAM_MAPPING_H

#include "common/attr.h"

struct iam_caller;
struct iam_login;
struct iam_map;
struct identity;

/* `login` is borrowed. */
struct iam_map *iam_map_new(const struct iam_login *login) MUST_USE;
void iam_map_free(struct iam_map **map);
void iam_map_set(struct iam_map *map, const struct iam_login *login);
/* Without its times. NULL: *error says why not (free()). */
struct identity *iam_map_identity(const struct iam_map *map, const struct iam_caller *caller,
    const char *access_key_id, char **error) MUST_USE;

#endif
