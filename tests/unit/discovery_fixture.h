/* What the tests of discoveryd share: clusters as EKS describes them, passes, matchers, a registry
 * in a directory of its own. */
#ifndef EKSGATE_DISCOVERY_FIXTURE_H
#define EKSGATE_DISCOVERY_FIXTURE_H

#include "common/settings.h"
#include "discoveryd/aws_eks.h"
#include "discoveryd/registry.h"
#include "discoveryd/sweep.h"

#define ACCOUNT	  "111111111111"
#define REGION	  "eu-west-1"
#define ARN(name) "arn:aws:eks:" REGION ":" ACCOUNT ":cluster/" name

/* ACTIVE, in ACCOUNT and REGION; `tags` is "key=value,key=value" or "". */
struct eks_cluster *fixture_eks(const char *name, const char *tags);
void fixture_eks_free(struct eks_cluster **cluster);
void fixture_set_status(struct eks_cluster *cluster, const char *status);

/* A pass: sightings are added in order of name. */
struct sweep_result fixture_result(void);
/* The cluster becomes the result's. */
void fixture_found(struct sweep_result *result, struct eks_cluster *cluster);
/* DescribeCluster answered ResourceNotFound, or not at all. */
void fixture_gone(struct sweep_result *result, const char *name);
void fixture_failed(struct sweep_result *result, const char *name);
void fixture_result_free(struct sweep_result *result);

/* One matcher that wants `key`=`value` in REGION with the own identity. */
struct aws_matcher fixture_matcher(const char *key, const char *value);
void fixture_matcher_free(struct aws_matcher *matcher);

/* A new directory (free()); fixture_remove_dir() removes it with what is in it and frees the name.
 */
char *fixture_dir(void);
void fixture_remove_dir(char **dir);

#endif
