/* Clusters by alias. */
#ifndef EKSGATE_ALIAS_INDEX_H
#define EKSGATE_ALIAS_INDEX_H

#include <stddef.h>

#include "common/attr.h"

struct alias_index;
struct kube_cluster;

/* The clusters are borrowed. */
struct alias_index *alias_index_new(
    const struct kube_cluster *const *clusters, size_t count) MUST_USE;
void alias_index_free(struct alias_index **index);
/* `alias` in lower case. NULL: none, or several, which would leave it to chance who is meant. */
const struct kube_cluster *alias_index_find(const struct alias_index *index, const char *alias);

#endif
