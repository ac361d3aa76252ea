/* What stands under `eksgate.proxy.login`: who may come in by token, and as whom. A part of the
 * settings; client certificates are always let in (eksgate.proxy.client_ca). */
#ifndef EKSGATE_SETTINGS_LOGIN_H
#define EKSGATE_SETTINGS_LOGIN_H

#include <stdbool.h>
#include <stddef.h>

/* eksgate.proxy.login.oidc[] */
struct oidc_login {
	char *issuer; /* https URL, exactly what tokens say; NULL never, once loaded */
	char **audiences; /* at least one; the first is the client id of kubeconfigs */
	size_t audience_count;
	char **algorithms;
	size_t algorithm_count;
	char *ca_file; /* NULL: the system's authorities */
	char *username_claim;
	char *username_prefix; /* may be NULL */
	char *groups_claim;
	char *groups_prefix; /* may be NULL */
	char *cluster_claim; /* may be NULL */
	char **required_claims; /* "name=value" */
	size_t required_claim_count;
	char **scopes; /* that kubeconfigs ask for */
	size_t scope_count;
	unsigned line;
};

/* eksgate.proxy.login.iam.mappings[] */
struct iam_mapping {
	char *arn; /* pattern over the canonical ARN */
	char *principal_id; /* "AROA…" the identity must have; NULL: any */
	char *user; /* template */
	char **groups; /* templates */
	size_t group_count;
	bool trust_session_name;
	unsigned line;
};

/* eksgate.proxy.login.iam. Off while both accounts and arns are empty. */
struct iam_login {
	char *id; /* the x-k8s-aws-id that tokens are signed for; NULL only when off */
	char *partition;
	char **accounts;
	size_t account_count;
	char **arns; /* patterns over the canonical ARN, each of one account */
	size_t arn_count;
	struct iam_mapping *mappings;
	size_t mapping_count;
	size_t calls_per_address; /* new tokens a minute */
};

struct login_settings {
	struct oidc_login *oidc;
	size_t oidc_count;
	struct iam_login iam;
};

/* An issuer before that at `index` whose people cannot be told from its own by their prefixes: one
 * prefix, of users or of groups, begins with the other, so that one of the two can name what the
 * other can. NULL: none. */
const struct oidc_login *settings_login_namesake(const struct login_settings *login, size_t index);
/* All of it as one text (free()): equal when nothing differs. */
char *settings_login_text(const struct login_settings *login);

#endif
