/* The rows of Teleport's keys: what is read, what is read without effect, and what is refused. The
 * manual and the sample file are checked against them by tests/check-options.sh. */
#include "common/settings.h"
#include "common/settings_rows.h"
#include "common/settings_units.h"

#define AT(field)	offsetof(struct settings, field)
#define MATCHER(field)	offsetof(struct aws_matcher, field)
#define RESOURCE(field) offsetof(struct resource_selector, field)

#define IGNORED(name)                                                                              \
	{                                                                                          \
		.key = "teleport." name, .type = &settings_ignored, .is_reloadable = true,         \
		.help = "Read, without effect"                                                     \
	}
#define FOREIGN(name, what)                                                                        \
	{                                                                                          \
		.key = (name), .type = &settings_foreign, .is_reloadable = true, .help = (what)    \
	}
#define UNSUPPORTED(name, what)                                                                    \
	{                                                                                          \
		.key = (name), .type = &settings_unsupported, .is_reloadable = true,               \
		.help = (what)                                                                     \
	}

static const struct config_row rows[] = {
    {.key = "version", .type = &settings_version, .help = "The version of the format: v3"},

    /* What Teleport's agents have and this system has no use for. */
    IGNORED("nodename"),
    IGNORED("data_dir"),
    IGNORED("pid_file"),
    IGNORED("join_params"),
    IGNORED("proxy_server"),
    IGNORED("auth_server"),
    IGNORED("auth_servers"),
    IGNORED("auth_token"),
    IGNORED("ca_pin"),
    IGNORED("diag_addr"),
    {.key = "teleport.log.severity",
	.type = &settings_severity,
	.offset = AT(log_level),
	.is_reloadable = true,
	.help = "The log level, unless eksgate.log.level is set"},
    IGNORED("log.output"),
    IGNORED("log.format"),
    FOREIGN("auth_service", "an auth server"),
    FOREIGN("proxy_service", "a Teleport proxy"),
    FOREIGN("ssh_service", "access by SSH"),
    FOREIGN("app_service", "access to applications"),
    FOREIGN("db_service", "access to databases"),
    FOREIGN("windows_desktop_service", "access to desktops"),
    FOREIGN("debug_service", "a debug service"),

    {.key = "discovery_service.enabled",
	.type = &config_bool,
	.offset = AT(discovery.enabled),
	.fallback = "no",
	.help = "Whether discoveryd discovers clusters"},
    {.key = "discovery_service.discovery_group",
	.type = &config_text,
	.offset = AT(discovery.group),
	.fallback = "default",
	.help = "The owner of what is discovered; a label of every cluster"},
    {.key = "discovery_service.poll_interval",
	.type = &config_duration,
	.offset = AT(discovery.poll_interval),
	.fallback = "5m",
	.minimum = SECOND,
	.maximum = DAY,
	.is_reloadable = true,
	.help = "How often each account and region is listed"},
    {.key = "discovery_service.aws",
	.type = &settings_matchers,
	.offset = AT(discovery.matchers),
	.count_offset = AT(discovery.matcher_count),
	.is_reloadable = true,
	.help = "Where to look and which clusters to take"},
    {.key = "discovery_service.aws[].types",
	.type = &settings_types,
	.is_reloadable = true,
	.help = "What to discover: [eks]; required"},
    {.key = "discovery_service.aws[].regions",
	.type = &settings_regions,
	.offset = MATCHER(regions),
	.count_offset = MATCHER(region_count),
	.is_reloadable = true,
	.help = "Names of regions, or [\"*\"] for all that the account has enabled; required"},
    {.key = "discovery_service.aws[].tags",
	.type = &settings_selector,
	.offset = MATCHER(tags),
	.fallback = "{\"*\": \"*\"}",
	.is_reloadable = true,
	.help = "Which clusters: every key must be there with one of its values"},
    {.key = "discovery_service.aws[].assume_role_arn",
	.type = &settings_role_arn,
	.offset = MATCHER(assume_role_arn),
	.is_reloadable = true,
	.help = "The role that discoveryd assumes for this entry"},
    {.key = "discovery_service.aws[].external_id",
	.type = &settings_external_id,
	.offset = MATCHER(external_id),
	.is_reloadable = true,
	.help = "The external id that the role asks for"},
    {.key = "discovery_service.aws[].setup_access_for_arn",
	.type = &settings_role_arn,
	.offset = MATCHER(setup_access_for_arn),
	.is_reloadable = true,
	.help = "The role that is given access to the clusters"},
    {.key = "discovery_service.aws[].kube_app_discovery",
	.type = &settings_never,
	.fallback = "no",
	.is_reloadable = true,
	.help = "applications inside clusters are not discovered"},
    UNSUPPORTED("discovery_service.aws[].integration",
	"there are no integrations: use assume_role_arn, or the credentials of the host"),
    UNSUPPORTED("discovery_service.aws[].organization",
	"accounts are not taken from AWS Organizations: write an entry with assume_role_arn for "
	"each"),
    UNSUPPORTED("discovery_service.aws[].install", "only EKS clusters are discovered"),
    UNSUPPORTED("discovery_service.aws[].ssm", "only EKS clusters are discovered"),
    UNSUPPORTED("discovery_service.azure", "only AWS is searched"),
    UNSUPPORTED("discovery_service.gcp", "only AWS is searched"),
    UNSUPPORTED("discovery_service.kubernetes", "applications inside clusters are not discovered"),
    UNSUPPORTED("discovery_service.access_graph", "there is no access graph"),

    {.key = "kubernetes_service.enabled",
	.type = &config_bool,
	.offset = AT(kubernetes.enabled),
	.fallback = "no",
	.help = "Whether kubeproxyd serves clusters"},
    {.key = "kubernetes_service.listen_addr",
	.type = &settings_listen,
	.offset = AT(kubernetes.listen_addr),
	.fallback = "0.0.0.0:3026",
	.help = "Where kubeproxyd listens, host:port"},
    {.key = "kubernetes_service.public_addr",
	.type = &settings_public_addr,
	.offset = AT(kubernetes.public_addr),
	.is_reloadable = true,
	.help = "How users reach kubeproxyd, host:port; it goes into kubeconfigs"},
    {.key = "kubernetes_service.resources",
	.type = &settings_resources,
	.offset = AT(kubernetes.resources),
	.count_offset = AT(kubernetes.resource_count),
	.is_reloadable = true,
	.help = "Which discovered clusters are served"},
    {.key = "kubernetes_service.resources[].labels",
	.type = &settings_selector,
	.offset = RESOURCE(labels),
	.is_reloadable = true,
	.help = "Every key must be there with one of its values; required"},
    {.key = "kubernetes_service.resources[].aws.assume_role_arn",
	.type = &settings_role_arn,
	.offset = RESOURCE(assume_role_arn),
	.is_reloadable = true,
	.help = "The role that kubeproxyd assumes for these clusters"},
    {.key = "kubernetes_service.resources[].aws.external_id",
	.type = &settings_external_id,
	.offset = RESOURCE(external_id),
	.is_reloadable = true,
	.help = "The external id that the role asks for"},
    UNSUPPORTED("kubernetes_service.kubeconfig_file",
	"clusters come from discovery, not from a kubeconfig: use resources"),
    UNSUPPORTED("kubernetes_service.kube_cluster_name",
	"kubeproxyd does not serve the cluster that it runs in: use resources"),
    UNSUPPORTED("kubernetes_service.labels", "labels come from AWS tags"),
    UNSUPPORTED("kubernetes_service.commands", "labels come from AWS tags"),
};

const struct config_rows settings_rows_teleport = ROWS_OF(rows);
