/* The resource: what is accepted has one canonical text, and that text reads back as the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/kube_cluster.h"
#include "common/xmem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check_round_trip(const struct kube_cluster *cluster)
{
	char *error = NULL, *text = kube_cluster_to_text(cluster);
	struct kube_cluster *again = kube_cluster_from_text(text, strlen(text), &error);
	if (again == NULL || !kube_cluster_equal(cluster, again) ||
	    again->revision != cluster->revision)
		abort();
	char *twice = kube_cluster_to_text(again);
	if (strcmp(text, twice) != 0)
		abort();
	free(twice);
	free(text);
	kube_cluster_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	/* Exactly as long as the input, so that reading behind its end is seen. */
	char *error = NULL, *text = xmemdup(data, len);
	struct eks_arn parts;
	struct kube_cluster *cluster = kube_cluster_from_text(text, len, &error);
	if ((cluster == NULL) != (error != NULL))
		abort();
	if (cluster != NULL) {
		struct kube_cluster *copy = kube_cluster_copy(cluster);
		if (!kube_cluster_equal(cluster, copy) || !kube_cluster_is_same(cluster, copy) ||
		    !kube_cluster_name_is_valid(cluster->name) ||
		    !eks_arn_parse(cluster->aws.arn, &parts))
			abort();
		check_round_trip(cluster);
		kube_cluster_free(&copy);
	}
	kube_cluster_free(&cluster);
	free(error);
	free(text);
	return 0;
}
