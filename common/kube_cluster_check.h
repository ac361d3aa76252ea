/* What the members of a kube_cluster may be: the grammars behind kube_cluster.c. Each predicate
 * takes one member; together they keep whatever reaches a path, a header or a signature harmless.
 */
#ifndef EKSGATE_KUBE_CLUSTER_CHECK_H
#define EKSGATE_KUBE_CLUSTER_CHECK_H

#include <stdbool.h>

#include "common/attr.h"

/* Twelve digits. */
bool check_account_id(const char *text) MUST_USE;
/* Lower-case letters, digits and inner dashes, at most 31 bytes. */
bool check_region(const char *text) MUST_USE;
/* EKS's rule: a letter or digit, then letters, digits, '-' and '_'; at most 127 bytes. */
bool check_eks_name(const char *text) MUST_USE;
bool check_eks_arn(const char *text) MUST_USE;
bool check_role_arn(const char *text) MUST_USE;
/* Letters, digits, '-' and '_', at most 128 bytes. */
bool check_cluster_id(const char *text) MUST_USE;
/* "https://host" or "https://host:port", nothing else. */
bool check_endpoint(const char *text) MUST_USE;
/* Base64 of text in which at least one certificate stands in PEM form, and nothing else in that
 * form. The certificates themselves are read where they are used. */
bool check_certificate_authority(const char *text) MUST_USE;
/* A word of letters, digits, '-' and '_', at most 64 bytes. */
bool check_word(const char *text) MUST_USE;
/* At most 4,096 bytes without control characters. */
bool check_text(const char *text) MUST_USE;

#endif
