/* A sorted array of aliases. Made anew by the directory when its clusters have changed. */
#include "kubeproxyd/directory/alias_index.h"

#include <stdlib.h>
#include <string.h>

#include "common/kube_cluster.h"
#include "common/xmem.h"
#include "kubeproxyd/directory/alias.h"

struct row {
	char alias[ALIAS_MAX + 1];
	const struct kube_cluster *cluster;
};

struct alias_index {
	size_t count;
	struct row rows[];
};

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct row *)a)->alias, ((const struct row *)b)->alias);
}

struct alias_index *alias_index_new(const struct kube_cluster *const *clusters, size_t count)
{
	struct alias_index *index = xcalloc(1, sizeof *index + count * sizeof index->rows[0]);
	index->count = count;
	for (size_t i = 0; i < count; i++) {
		alias_make(clusters[i]->name, index->rows[i].alias);
		index->rows[i].cluster = clusters[i];
	}
	qsort(index->rows, count, sizeof index->rows[0], compare);
	return index;
}

void alias_index_free(struct alias_index **index)
{
	xfree(index);
}

static int compare_alias(const void *alias, const void *row)
{
	return strcmp(alias, ((const struct row *)row)->alias);
}

const struct kube_cluster *alias_index_find(const struct alias_index *index, const char *alias)
{
	const struct row *end = index->rows + index->count;
	const struct row *row =
	    bsearch(alias, index->rows, index->count, sizeof *row, compare_alias);
	if (row == NULL)
		return NULL;
	bool is_shared = (row > index->rows && compare(row - 1, row) == 0) ||
			 (row + 1 < end && compare(row + 1, row) == 0);
	return is_shared ? NULL : row->cluster;
}
