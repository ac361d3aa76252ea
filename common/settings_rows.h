/* Between the parts of the settings: the table of rows, and the value types that only they have. */
#ifndef EKSGATE_SETTINGS_ROWS_H
#define EKSGATE_SETTINGS_ROWS_H

#include "common/config.h"

/* All rows: those of the groups below, in this order, which lists of known keys follow. */
extern const struct config_table settings_table;

extern const struct config_rows settings_rows_teleport; /* settings_rows_teleport.c */
extern const struct config_rows settings_rows_own; /* settings_rows_own.c */
extern const struct config_rows settings_rows_proxy; /* settings_rows_proxy.c */
extern const struct config_rows settings_rows_login; /* settings_rows_login.c */
extern const struct config_rows settings_rows_limits; /* settings_rows_limits.c */
extern const struct config_rows settings_rows_test; /* settings_rows_own.c */

/* settings_teleport.c: the keys of Teleport's file. */
extern const struct config_type settings_version; /* no field: "v3" */
extern const struct config_type settings_severity; /* enum log_level */
extern const struct config_type settings_ignored; /* no field: read, without effect */
extern const struct config_type settings_foreign; /* no field: a service that must be disabled */
extern const struct config_type settings_unsupported; /* no field: refused unless empty */
extern const struct config_type settings_listen; /* char *, host:port */
extern const struct config_type settings_public_addr; /* char *, host:port */

/* settings_matchers.c: what is discovered and what is served. */
extern const struct config_type settings_matchers; /* struct aws_matcher *, and the count */
extern const struct config_type settings_resources; /* struct resource_selector *, and the count */
extern const struct config_type settings_types; /* no field: eks alone */
extern const struct config_type settings_regions; /* char **, and the count */
extern const struct config_type settings_selector; /* struct selector * */
extern const struct config_type settings_role_arn; /* char * */
extern const struct config_type settings_external_id; /* char * */
extern const struct config_type settings_never; /* no field: a switch that must be off */
/* settings_accounts.c: in which accounts an entry acts. */
extern const struct config_type settings_role_template; /* char *, may have {account} */
extern const struct config_type settings_role_name; /* char * */
extern const struct config_type settings_organization_id; /* char * */
extern const struct config_type settings_accounts; /* char **, and the count */
extern const struct config_type settings_include; /* char **, and the count */
extern const struct config_type settings_exclude; /* char **, and the count */
struct aws_matcher;
void settings_check_accounts(
    struct config *config, const struct aws_matcher *matcher, const struct yaml_node *entry);
extern const struct config_type settings_labels; /* struct labels; settings_labels.c */

/* settings_principals.c: a warning when the role that a resource is served with is one that
 * discoveryd acts as (free()); NULL: it is not. */
struct settings;
struct resource_selector;
char *settings_shared_role(
    const struct settings *settings, const struct resource_selector *item) MUST_USE;

/* settings_own.c: what stands under `eksgate:`. */
extern const struct config_type settings_log_level; /* enum log_level */
extern const struct config_type settings_group; /* char *, a group of an access entry */
extern const struct config_type settings_rbac_name; /* char *, the name of a ClusterRole */
extern const struct config_type settings_domain; /* char *, a DNS name */
extern const struct config_type settings_loopback; /* char *, host:port */
extern const struct config_type settings_loopback_host; /* char * */

/* settings_login.c: what stands under `eksgate.proxy.login`. */
struct login_settings;
extern const struct config_type settings_oidc; /* struct oidc_login *, and the count */
extern const struct config_type settings_iam_mappings; /* struct iam_mapping *, and the count */
extern const struct config_type settings_issuer; /* char *, an https URL */
extern const struct config_type settings_iam_id; /* char * */
extern const struct config_type settings_partition; /* char * */
extern const struct config_type settings_pattern; /* char *, common/pattern.h takes it */
extern const struct config_type settings_template; /* char *, its variables are known */
extern const struct config_type settings_algorithms; /* char **, and the count */
extern const struct config_type settings_claims; /* char **, "claim=value" */
extern const struct config_type settings_account_ids; /* char **, 12 digits each */
extern const struct config_type settings_arns; /* char **, patterns of one account each */
extern const struct config_type settings_templates; /* char ** */
/* What only shows between keys. */
void settings_check_login(struct config *config, const struct login_settings *login);

#endif
