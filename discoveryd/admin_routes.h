/* What discoveryd answers on its admin socket: clusters, status, explain, inventory,
 * confirm-removal, forget, access. */
#ifndef EKSGATE_ADMIN_ROUTES_H
#define EKSGATE_ADMIN_ROUTES_H

#include <json-c/json.h>

#include "common/attr.h"

struct admin;
struct daemon;

#define ADMIN_CLUSTERS	"/v1/clusters"
#define ADMIN_STATUS	"/v1/status"
#define ADMIN_EXPLAIN	"/v1/explain"
#define ADMIN_INVENTORY "/v1/inventory"
#define ADMIN_CONFIRM	"/v1/confirm-removal"
#define ADMIN_ACCESS	"/v1/access/"
#define ADMIN_FORGET	"/v1/forget/"

/* The daemon outlives the admin interface. */
void admin_routes_add(struct admin *admin, struct daemon *daemon);

#endif
