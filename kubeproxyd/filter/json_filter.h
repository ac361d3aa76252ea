/* The filter for answers in JSON, as filter.h describes it. */
#ifndef EKSGATE_JSON_FILTER_H
#define EKSGATE_JSON_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "kubeproxyd/filter/filter.h"

struct json_filter;

struct json_filter *json_filter_new(enum filter_body body, const struct filter_limits *limits,
    const struct filter_events *events, void *arg) MUST_USE;
void json_filter_free(struct json_filter **filter);
bool json_filter_feed(struct json_filter *filter, const uint8_t *data, size_t len) MUST_USE;
bool json_filter_end(struct json_filter *filter) MUST_USE;
const struct filter_result *json_filter_result(const struct json_filter *filter);
size_t json_filter_memory(const struct json_filter *filter) MUST_USE;

#endif
