/* Builders for the tests of discoveryd. */
#include "tests/unit/discovery_fixture.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/kube_cluster.h"
#include "common/xmem.h"

/* base64 of a PEM frame: kube_cluster checks the frame, not what is in it. */
#define CA_BUNDLE                                                                                  \
	"LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSUJBQT09Ci0tLS0tRU5EIENFUlRJRklDQVRFLS0tLS0K"

struct eks_cluster *fixture_eks(const char *name, const char *tags)
{
	struct eks_cluster *cluster = xcalloc(1, sizeof *cluster);
	cluster->name = xstrdup(name);
	cluster->arn = xasprintf("arn:aws:eks:%s:%s:cluster/%s", REGION, ACCOUNT, name);
	cluster->status = xstrdup("ACTIVE");
	cluster->endpoint = xasprintf("https://%s.gr7.%s.eks.amazonaws.com", name, REGION);
	cluster->certificate_authority = xstrdup(CA_BUNDLE);
	cluster->authentication_mode = xstrdup("API");
	cluster->created_at.ms = 1767323045123;
	while (*tags != '\0') {
		size_t len = strcspn(tags, ","), key_len = strcspn(tags, "=");
		char *key = xstrndup(tags, key_len),
		     *value = xstrndup(tags + key_len + 1, len - key_len - 1);
		labels_set(&cluster->tags, key, value);
		free(key);
		free(value);
		tags += len + (tags[len] == ',');
	}
	return cluster;
}

void fixture_eks_free(struct eks_cluster **cluster)
{
	if (*cluster == NULL)
		return;
	free((*cluster)->name);
	free((*cluster)->arn);
	free((*cluster)->status);
	free((*cluster)->endpoint);
	free((*cluster)->certificate_authority);
	free((*cluster)->authentication_mode);
	labels_free(&(*cluster)->tags);
	xfree(cluster);
}

void fixture_set_status(struct eks_cluster *cluster, const char *status)
{
	free(cluster->status);
	cluster->status = xstrdup(status);
}

struct sweep_result fixture_result(void)
{
	return (struct sweep_result){.is_listed = true, .is_settled = true};
}

static struct sighting *add(struct sweep_result *result, const char *name, enum sighting_kind kind)
{
	result->sightings =
	    xreallocarray(result->sightings, result->count + 1, sizeof *result->sightings);
	struct sighting *sighting = &result->sightings[result->count++];
	*sighting = (struct sighting){.kind = kind, .name = xstrdup(name)};
	return sighting;
}

void fixture_found(struct sweep_result *result, struct eks_cluster *cluster)
{
	add(result, cluster->name, SIGHTING_FOUND)->cluster = cluster;
}

void fixture_gone(struct sweep_result *result, const char *name)
{
	add(result, name, SIGHTING_GONE);
}

void fixture_failed(struct sweep_result *result, const char *name)
{
	struct sighting *sighting = add(result, name, SIGHTING_FAILED);
	sighting->error = (struct aws_error){.outcome = AWS_DENIED,
	    .operation = xstrdup("eks:DescribeCluster"),
	    .message = xstrdup("not authorized")};
	result->is_settled = false;
	result->failures++;
}

void fixture_result_free(struct sweep_result *result)
{
	for (size_t i = 0; i < result->count; i++) {
		free(result->sightings[i].name);
		fixture_eks_free(&result->sightings[i].cluster);
		free(result->sightings[i].error.operation);
		free(result->sightings[i].error.message);
	}
	free(result->sightings);
}

struct aws_matcher fixture_matcher(const char *key, const char *value)
{
	struct aws_matcher matcher = {.regions = xcalloc(1, sizeof(char *)),
	    .region_count = 1,
	    .has_name_tags = true,
	    .line = 7};
	char *error = NULL;
	matcher.regions[0] = xstrdup(REGION);
	matcher.tags = selector_new();
	if (!selector_add(matcher.tags, key, value, &error))
		abort();
	return matcher;
}

void fixture_matcher_free(struct aws_matcher *matcher)
{
	free(matcher->regions[0]);
	free(matcher->regions);
	selector_free(&matcher->tags);
	free(matcher->assume_role_arn);
	free(matcher->external_id);
	labels_free(&matcher->labels);
	free(matcher->assume_role_name);
	free(matcher->organization.id);
}

char *fixture_dir(void)
{
	const char *base = getenv("TMPDIR");
	char *dir = xasprintf("%s/eksgate-test-XXXXXX", base != NULL ? base : P_tmpdir);
	if (mkdtemp(dir) == NULL)
		abort();
	return dir;
}

void fixture_remove_dir(char **dir)
{
	DIR *entries = opendir(*dir);
	for (struct dirent *entry; entries != NULL && (entry = readdir(entries)) != NULL;) {
		char *path = xasprintf("%s/%s", *dir, entry->d_name);
		unlink(path);
		free(path);
	}
	if (entries != NULL)
		closedir(entries);
	rmdir(*dir);
	xfree(dir);
}
