/* Whether discoveryd and the proxies are different principals, as design.md 5 wants it: what
 * proxies report is compared with what discoveryd acts as. Who it is itself it asks STS once a
 * proxy has reported somebody, and again every hour; that needs no permission. Owned by main. */
#ifndef EKSGATE_SEPARATION_H
#define EKSGATE_SEPARATION_H

#include <json-c/json.h>

#include "common/attr.h"

struct aws_context;
struct aws_provider;
struct discovery;
struct separation;

/* `region`: whose STS is asked; copied. */
struct separation *separation_new(
    struct aws_context *aws, struct aws_provider *provider, const char *region) MUST_USE;
void separation_free(struct separation **separation);

/* Compares now; `inventory` is publisher_inventory()'s. Warns in the log when more proxies than
 * before share a principal. */
void separation_look(struct separation *separation, const struct discovery *discovery,
    struct json_object *inventory);
/* {own, shared: [{instance, principal}]}; `own` is absent while it is not known
 * (json_object_put). */
struct json_object *separation_to_json(const struct separation *separation) MUST_USE;

#endif
