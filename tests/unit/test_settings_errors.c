/* Configurations that are refused: where each finding is, and what it says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/settings.h"
#include "common/xmem.h"

struct row {
	const char *text; /* behind "version: v3\n" unless it has a version itself */
	const char *error; /* all findings, without "f:" */
};

#define HEAD "version: v3\n"

static char *refuse(const char *text)
{
	char *error = NULL;
	struct settings *settings = settings_parse("f", text, strlen(text), &error);
	if (settings != NULL)
		fail_msg("accepted: %s", text);
	return error;
}

static void check_rows(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		bool is_whole = strstr(rows[i].text, "version") != NULL;
		char *text = xasprintf("%s%s", is_whole ? "" : HEAD, rows[i].text);
		char *error = refuse(text);
		char *expected = xasprintf("f:%s", rows[i].error);
		if (strcmp(error, expected) != 0)
			fail_msg("%s\nsays:   %s\nwanted: %s", text, error, expected);
		free(expected);
		free(error);
		free(text);
	}
}

#define CHECK_ROWS(rows) check_rows(rows, sizeof(rows) / sizeof((rows)[0]))

static const struct row bad_documents[] = {
    {"# version", "1:1: nothing stands in it"},
    {"- version: v3\n", "1:1: this file: expected a map of keys and values, found a list\n"
			"f:1:1: version is missing: write \"version: v3\" as the first line"},
    {"version", "1:1: this file: expected a map of keys and values, found \"version\"\n"
		"f:1:1: version is missing: write \"version: v3\" as the first line"},
    {"eksgate: {} # no version\n",
	"1:1: version is missing: write \"version: v3\" as the first line"},
    {"version:\n", "1:1: version is missing: write \"version: v3\" as the first line"},
    {"version: v1\n", "1:10: version: v1 is an older format: write \"version: v3\", where "
		      "teleport.proxy_server takes the place of teleport.auth_servers"},
    {"version: v2\n", "1:10: version: v2 is an older format: write \"version: v3\", where "
		      "teleport.proxy_server takes the place of teleport.auth_servers"},
    {"version: 3\n", "1:10: version: expected v3, found \"3\""},
    {"version: v4\n", "1:10: version: expected v3, found \"v4\""},
    {"version: [v3]\n", "1:10: version: expected v3, found a list"},
    {"version: v3\n"
     "version: v3\n",
	"2:1: the key \"version\" stands in line 1 already: remove one"},
    {"eksgate: {log: {level: *x}}\n",
	"2:24: an alias: write the value out; text that starts with '*' needs quotes"},
    {"version: v3\n"
     "---\n"
     "version: v3\n",
	"3:1: a second document: put everything into one, without \"---\""},
};

static void test_documents(void **state)
{
	(void)state;
	CHECK_ROWS(bad_documents);
}

static const struct row bad_keys[] = {
    {"eksgat: {}\n", "2:1: \"eksgat\" is not a key of this file: did you mean \"eksgate\"?"},
    {"discovery_servcie: {}\n", "2:1: \"discovery_servcie\" is not a key of this file: did "
				"you mean \"discovery_service\"?"},
    {"poll_interval: 5m\n", "2:1: \"poll_interval\" is not a key of this file: it belongs "
			    "under discovery_service"},
    {"discovery_service:\n"
     "  pol_interval: 5m\n",
	"3:3: \"pol_interval\" is not a key of discovery_service: did you mean "
	"\"poll_interval\"?"},
    {"discovery_service: {aws: [{types: [eks], region: [eu-west-1], regions: ['*']}]}\n",
	"2:42: \"region\" is not a key of discovery_service.aws[]: did you mean "
	"\"regions\"?"},
    {"kubernetes_service: {resources: [{labels: {a: b}, aws: {role: x}}]}\n",
	"2:57: \"role\" is not a key of kubernetes_service.resources[].aws; known are "
	"assume_role_arn, external_id"},
    {"eksgate:\n"
     "  bus: {hartbeat: 1s}\n",
	"3:9: \"hartbeat\" is not a key of eksgate.bus: did you mean \"heartbeat\"?"},
    {"eksgate:\n"
     "  zzz: 1\n",
	"3:3: \"zzz\" is not a key of eksgate; known are log, state_dir, metrics_listen, "
	"bus, discovery, removal, access, proxy, test"},
    {"eksgate: {bus.socket: /a}\n",
	"2:11: \"bus.socket\" is not a key of eksgate; known are log, state_dir, "
	"metrics_listen, bus, discovery, removal, access, proxy, test"},
    {"'eksgate.state_dir': /a\n",
	"2:1: \"eksgate.state_dir\" is not a key of this file; known are version, "
	"teleport, auth_service, proxy_service, ssh_service, app_service, db_service, "
	"windows_desktop_service, debug_service, discovery_service, kubernetes_service, "
	"eksgate"},
    {"teleport: {storage: {type: dir}}\n",
	"2:12: \"storage\" is not a key of teleport; known are nodename, data_dir, "
	"pid_file, join_params, proxy_server, auth_server, auth_servers, auth_token, "
	"ca_pin, diag_addr, log"},
    {"eksgate: {proxy: {limits: {conections: 1}}}\n",
	"2:28: \"conections\" is not a key of eksgate.proxy.limits: did you mean "
	"\"connections\"?"},
    {"discovery_service: {'aws[]': {}}\n",
	"2:21: \"aws[]\" is not a key of discovery_service: did you mean \"aws\"?"},
};

static void test_unknown_keys(void **state)
{
	(void)state;
	CHECK_ROWS(bad_keys);
}

static const struct row bad_types[] = {
    {"eksgate: yes\n", "2:10: eksgate: expected a map of keys and values, found \"yes\""},
    {"eksgate: {log: debug}\n",
	"2:16: eksgate.log: expected a map of keys and values, found \"debug\""},
    {"eksgate: {log: {level: trace}}\n",
	"2:24: eksgate.log.level: expected debug, info, warn or error, found \"trace\""},
    {"eksgate: {log: {level: [info]}}\n",
	"2:24: eksgate.log.level: expected debug, info, warn or error, found a list"},
    {"teleport: {log: {severity: loud}}\n",
	"2:28: teleport.log.severity: expected DEBUG, INFO, WARN or ERROR, found \"loud\""},
    {"discovery_service: {enabled: maybe}\n",
	"2:30: discovery_service.enabled: expected yes or no, found \"maybe\""},
    {"discovery_service: {enabled: 1}\n",
	"2:30: discovery_service.enabled: expected yes or no, found \"1\""},
    {"discovery_service: {enabled: {}}\n",
	"2:30: discovery_service.enabled: expected yes or no, found a map"},
    {"discovery_service: {poll_interval: 5}\n",
	"2:36: discovery_service.poll_interval: expected a duration such as 5m, 90s, 250ms "
	"or 1h30m, found \"5\""},
    {"discovery_service: {poll_interval: 5 m}\n",
	"2:36: discovery_service.poll_interval: expected a duration such as 5m, 90s, 250ms "
	"or 1h30m, found \"5 m\""},
    {"discovery_service: {poll_interval: -5m}\n",
	"2:36: discovery_service.poll_interval: expected a duration such as 5m, 90s, 250ms "
	"or 1h30m, found \"-5m\""},
    {"discovery_service: {poll_interval: 5mm}\n",
	"2:36: discovery_service.poll_interval: expected a duration such as 5m, 90s, 250ms "
	"or 1h30m, found \"5mm\""},
    {"discovery_service: {poll_interval: 99999999999999999999h}\n",
	"2:36: discovery_service.poll_interval: expected a duration such as 5m, 90s, 250ms "
	"or 1h30m, found \"99999999999999999999h\""},
    {"discovery_service: {poll_interval: 500ms}\n",
	"2:36: discovery_service.poll_interval: 500ms is out of range: 1s to 24h"},
    {"discovery_service: {poll_interval: 0}\n",
	"2:36: discovery_service.poll_interval: 0 is out of range: 1s to 24h"},
    {"discovery_service: {discovery_group: ''}\n",
	"2:38: discovery_service.discovery_group: expected text of at most 1024 bytes, "
	"found \"\""},
    {"discovery_service: {discovery_group: \"a\\nb\"}\n",
	"2:38: discovery_service.discovery_group: expected text of at most 1024 bytes, "
	"found \"a?b\""},
    {"eksgate: {state_dir: relative/path}\n",
	"2:22: eksgate.state_dir: expected an absolute path without \"..\", found "
	"\"relative/path\""},
    {"eksgate: {state_dir: /a/../b}\n", "2:22: eksgate.state_dir: expected an absolute "
					"path without \"..\", found \"/a/../b\""},
    {"eksgate: {state_dir: /..}\n",
	"2:22: eksgate.state_dir: expected an absolute path without \"..\", found \"/..\""},
    {"eksgate: {state_dir: [/a]}\n",
	"2:22: eksgate.state_dir: expected an absolute path without \"..\", found a list"},
    {"eksgate: {bus: {socket: "
     "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}}\n",
	"2:25: eksgate.bus.socket: expected an absolute path of at most 107 bytes without "
	"\"..\", found \"/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\""},
    {"eksgate: {bus: {proxy_users: eksgate-proxy}}\n",
	"2:30: eksgate.bus.proxy_users: expected a list of names, found \"eksgate-proxy\""},
    {"eksgate: {bus: {proxy_users: [a, [b], '']}}\n",
	"2:34: eksgate.bus.proxy_users: expected a name\n"
	"f:2:39: eksgate.bus.proxy_users: expected a name"},
    {"eksgate: {bus: {heartbeat: 49ms}}\n",
	"2:28: eksgate.bus.heartbeat: 49ms is out of range: 50ms to 10s"},
    {"eksgate: {discovery: {describe_parallel: 0}}\n",
	"2:42: eksgate.discovery.describe_parallel: 0 is out of range: 1 to 100"},
    {"eksgate: {discovery: {describe_parallel: five}}\n",
	"2:42: eksgate.discovery.describe_parallel: expected a whole number, found "
	"\"five\""},
    {"eksgate: {discovery: {describe_parallel: 5.5}}\n",
	"2:42: eksgate.discovery.describe_parallel: expected a whole number, found "
	"\"5.5\""},
    {"eksgate: {removal: {guard: 101}}\n",
	"2:28: eksgate.removal.guard: 101 is out of range: 1 to 100"},
    {"eksgate: {removal: {guard: half}}\n",
	"2:28: eksgate.removal.guard: expected a percentage such as 50, found \"half\""},
    {"eksgate: {proxy: {limits: {header_bytes: 64XB}}}\n",
	"2:42: eksgate.proxy.limits.header_bytes: expected a size such as 65536, 64KiB, 1MiB or "
	"1GiB, found \"64XB\""},
    {"eksgate: {proxy: {limits: {header_bytes: 1KiB}}}\n",
	"2:42: eksgate.proxy.limits.header_bytes: 1KiB is out of range: 4096 to 1048576"},
    {"eksgate: {proxy: {limits: {header_bytes: 9999999999999MiB}}}\n",
	"2:42: eksgate.proxy.limits.header_bytes: expected a size such as 65536, 64KiB, 1MiB or "
	"1GiB, found \"9999999999999MiB\""},
    {"eksgate: {proxy: {token_lifetime: 15m}}\n",
	"2:35: eksgate.proxy.token_lifetime: 15m is out of range: 1s to 10m"},
    {"eksgate: {proxy: {sni_suffix: .example.com}}\n",
	"2:31: eksgate.proxy.sni_suffix: expected a domain in lower case, such as "
	"kube.example.com, found \".example.com\""},
    {"eksgate: {access: {mode: admin}}\n",
	"2:26: eksgate.access.mode: \"admin\" is not one of rbac|cluster-admin|manual"},
    {"eksgate: {access: {group: 'system:masters'}}\n",
	"2:27: eksgate.access.group: system:masters: EKS reserves groups that start with "
	"system:, eks:, aws:, amazon: or iam:"},
    {"eksgate: {access: {group: 'a b'}}\n", "2:27: eksgate.access.group: expected the name "
					    "of a Kubernetes group, found \"a b\""},
    {"eksgate: {access: {cluster_role: a/b}}\n",
	"2:34: eksgate.access.cluster_role: expected the name of a ClusterRole, found "
	"\"a/b\""},
    {"eksgate: {access: {bootstrap_role_arn: 'arn:aws:iam::123456789012:user/x'}}\n",
	"2:40: eksgate.access.bootstrap_role_arn: expected the ARN of a role, "
	"arn:aws:iam::ACCOUNT:role/NAME, found \"arn:aws:iam::123456789012:user/x\""},
};

static void test_wrong_types(void **state)
{
	(void)state;
	CHECK_ROWS(bad_types);
}

#define LISTEN                                                                                     \
	"2:35: kubernetes_service.listen_addr: expected host:port, such as 0.0.0.0:3026, found "
#define METRICS                                                                                    \
	"2:27: eksgate.metrics_listen: expected a loopback address with a port, such as "          \
	"127.0.0.1:9090, found "

static const struct row bad_addresses[] = {
    {"kubernetes_service: {listen_addr: 'https://a:1'}\n", LISTEN "\"https://a:1\""},
    {"kubernetes_service: {listen_addr: 'a:65536'}\n", LISTEN "\"a:65536\""},
    {"kubernetes_service: {listen_addr: 'a:'}\n", LISTEN "\"a:\""},
    {"kubernetes_service: {listen_addr: 'a b:1'}\n", LISTEN "\"a b:1\""},
    {"kubernetes_service: {listen_addr: '::1'}\n", LISTEN "\"::1\""},
    {"kubernetes_service: {listen_addr: '[::1'}\n", LISTEN "\"[::1\""},
    {"kubernetes_service: {listen_addr: '[a]:1'}\n", LISTEN "\"[a]:1\""},
    {"kubernetes_service: {listen_addr: '1.2.3:1'}\n", LISTEN "\"1.2.3:1\""},
    {"kubernetes_service: {listen_addr: '1.2.3.400'}\n", LISTEN "\"1.2.3.400\""},
    {"kubernetes_service: {public_addr: '0.0.0.0:3026'}\n",
	"2:35: kubernetes_service.public_addr: 0.0.0.0:3026 is where to listen, not what "
	"users can reach: write a host name"},
    {"kubernetes_service: {public_addr: [a, b]}\n",
	"2:35: kubernetes_service.public_addr: expected one host:port, such as "
	"kube.example.com:3026, found a list"},
    {"eksgate: {metrics_listen: '0.0.0.0:9090'}\n", METRICS "\"0.0.0.0:9090\""},
    {"eksgate: {metrics_listen: '127.0.0.1'}\n", METRICS "\"127.0.0.1\""},
    {"eksgate: {metrics_listen: '127.0.0.1.example.com:1'}\n",
	METRICS "\"127.0.0.1.example.com:1\""},
    {"eksgate: {test: {token_sts_host: 'sts.example.com:443'}}\n",
	"2:34: eksgate.test.token_sts_host: expected a loopback address with a port, such "
	"as 127.0.0.1:9090, found \"sts.example.com:443\""},
    {"eksgate: {test: {endpoint_suffix: example.com}}\n",
	"2:35: eksgate.test.endpoint_suffix: expected a loopback address, such as "
	"127.0.0.1, found \"example.com\""},
    {"eksgate: {test: {endpoint_suffix: 128.0.0.1}}\n",
	"2:35: eksgate.test.endpoint_suffix: expected a loopback address, such as "
	"127.0.0.1, found \"128.0.0.1\""},
};

static void test_addresses(void **state)
{
	(void)state;
	CHECK_ROWS(bad_addresses);
}

static const struct row bad_services[] = {
    {"ssh_service: {enabled: true}\n",
	"2:24: ssh_service: this system does not offer access by SSH: write \"enabled: "
	"false\" or remove the section"},
    {"proxy_service: {enabled: yes, x: 1}\n",
	"2:26: proxy_service: this system does not offer a Teleport proxy: write "
	"\"enabled: false\" or remove the section"},
    {"auth_service: {}\n", "2:15: auth_service: this system does not offer an auth server: "
			   "write \"enabled: false\" or remove the section"},
    {"db_service: no\n", "2:13: db_service: expected a map with \"enabled: false\", found \"no\""},
    {"discovery_service: {enabled: yes}\n",
	"2:30: discovery_service: enabled, but aws has no entries: say where to look and "
	"which clusters to take, or write \"enabled: no\""},
    {"discovery_service: {enabled: yes, aws: []}\n",
	"2:30: discovery_service: enabled, but aws has no entries: say where to look and "
	"which clusters to take, or write \"enabled: no\""},
    {"kubernetes_service: {enabled: yes}\n",
	"2:31: kubernetes_service: enabled, but resources has no entries and nothing would "
	"be served: add one with labels, \"*\": \"*\" for every cluster"},
    {"kubernetes_service: {kubeconfig_file: /root/.kube/config}\n",
	"2:39: kubernetes_service.kubeconfig_file is not supported: clusters come from "
	"discovery, not from a kubeconfig: use resources"},
    {"kubernetes_service: {kube_cluster_name: own}\n",
	"2:41: kubernetes_service.kube_cluster_name is not supported: kubeproxyd does not "
	"serve the cluster that it runs in: use resources"},
    {"kubernetes_service: {labels: {a: b}}\n",
	"2:30: kubernetes_service.labels is not supported: labels come from AWS tags"},
    {"discovery_service: {azure: [{types: [aks]}]}\n",
	"2:28: discovery_service.azure is not supported: only AWS is searched"},
    {"discovery_service: {kubernetes: [{types: [app]}]}\n",
	"2:33: discovery_service.kubernetes is not supported: applications inside clusters "
	"are not discovered"},
    {"eksgate: {bus: {socket: /a}, discovery: {admin_socket: /a}}\n",
	"2:25: eksgate.bus.socket and eksgate.discovery.admin_socket are one path: they "
	"need one each"},
    {"eksgate: {proxy: {run_dir: "
     "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}}\n",
	"2:28: eksgate.proxy.run_dir: at most 70 bytes, so that a socket's address fits"},
};

static void test_services(void **state)
{
	(void)state;
	CHECK_ROWS(bad_services);
}

/* Each is in the first entry of discovery_service.aws. */
#define AWS  "discovery_service:\n  aws: ["
#define EKS  "types: [eks], "
#define EU   "regions: [eu-west-1]"
#define PATH "discovery_service.aws[]"

static const struct row bad_matchers[] = {
    {AWS "x]\n", "3:9: " PATH ": expected a map of keys and values, found \"x\""},
    {"discovery_service:\n"
     "  aws: {types: [eks]}\n",
	"3:8: discovery_service.aws: expected a list of at most 1000 entries with types, "
	"regions and tags, found a map"},
    {AWS "{" EU "}]\n", "3:9: " PATH ".types is missing: write [eks]"},
    {AWS "{" EKS "}]\n", "3:9: " PATH ".regions is missing: write [\"*\"] or names of regions"},
    {AWS "{types: eks, " EU "}]\n", "3:17: " PATH ".types: expected a list, [eks], found \"eks\""},
    {AWS "{types: [], " EU "}]\n", "3:17: " PATH ".types is empty: write [eks]"},
    {AWS "{types: [ec2, eks, rds, {}], " EU "}]\n",
	"3:18: " PATH
	".types: \"ec2\" is not supported: this system discovers EKS clusters, type eks\n"
	"f:3:28: " PATH
	".types: \"rds\" is not supported: this system discovers EKS clusters, type eks\n"
	"f:3:33: " PATH ".types: expected the word eks"},
    {AWS "{" EKS "regions: eu-west-1}]\n",
	"3:33: " PATH ".regions: expected a list of regions, or [\"*\"], found \"eu-west-1\""},
    {AWS "{" EKS "regions: []}]\n",
	"3:33: " PATH
	".regions is empty: name regions, or [\"*\"] for all (needs account:ListRegions)"},
    {AWS "{" EKS "regions: ['*', eu-west-1]}]\n",
	"3:34: " PATH ".regions: \"*\" means every region: no other can stand beside it"},
    {AWS "{" EKS "regions: [eu-west]}]\n",
	"3:34: " PATH ".regions: \"eu-west\" is not the name of a region such as eu-west-1"},
    {AWS "{" EKS "regions: [use-east-1]}]\n",
	"3:34: " PATH ".regions: \"use-east-1\" is a region of no AWS partition: names start "
	"with us-, eu-, ap-, cn-, us-gov- and the like"},
    {AWS "{" EKS "regions: [EU-WEST-1]}]\n",
	"3:34: " PATH ".regions: \"EU-WEST-1\" is not the name of a region such as eu-west-1"},
    {AWS "{" EKS "regions: [eu-west-1, eu-west-1]}]\n",
	"3:45: " PATH ".regions: \"eu-west-1\" stands there already"},
    {AWS "{" EKS EU ", tags: env}]\n",
	"3:52: " PATH
	".tags: expected a map of keys to a value or a list of values, found \"env\""},
    {AWS "{" EKS EU ", tags: {env: '^(a$'}}]\n",
	"3:58: " PATH ".tags: ^(a$: a group is not closed (at character 5 of the expression)"},
    {AWS "{" EKS EU ", tags: {env: '^(?i)a$'}}]\n",
	"3:58: " PATH ".tags: ^(?i)a$: of the groups with '?' only (?:...) is supported, "
	"no flags and no look-around (at character 3 of the expression)"},
    {AWS "{" EKS EU ", tags: {env: []}}]\n",
	"3:58: " PATH ".tags: \"env\" has no values and would match nothing: write \"*\" for any"},
    {AWS "{" EKS EU ", tags: {env: {a: b}}}]\n",
	"3:58: " PATH
	".tags: the value of \"env\" is text or a list of texts, quoted when it is \"*\""},
    {AWS "{" EKS EU ", tags: {env: [a, ~]}}]\n",
	"3:62: " PATH
	".tags: the value of \"env\" is text or a list of texts, quoted when it is \"*\""},
    {AWS "{" EKS EU ", tags: {cost center: a}}]\n",
	"3:66: " PATH ".tags: \"cost center\" can never match: keys of labels are letters, "
	"digits and /._:*-"},
    {AWS "{" EKS EU ", tags: {env: *prod}}]\n",
	"3:58: an alias: write the value out; text that starts with '*' needs quotes"},
    {AWS "{" EKS EU ", assume_role_arn: admin}]\n",
	"3:63: " PATH ".assume_role_arn: expected the ARN of a role, "
	"arn:aws:iam::ACCOUNT:role/NAME, found \"admin\""},
    {AWS "{" EKS EU ", external_id: abc}]\n",
	"3:59: " PATH ".external_id: only has a meaning together with assume_role_arn"},
    {AWS "{" EKS EU
	 ", assume_role_arn: 'arn:aws:iam::123456789012:role/a', external_id: 's ecret'}]\n",
	"3:112: " PATH ".external_id: expected 2 to 1224 letters, digits and _+=,.@:/-"},
    {AWS "{" EKS EU ", setup_access_for_arn: 'arn:aws:sts::123456789012:assumed-role/a/b'}]\n",
	"3:68: " PATH ".setup_access_for_arn: expected the ARN of a role, "
	"arn:aws:iam::ACCOUNT:role/NAME, found "
	"\"arn:aws:sts::123456789012:assumed-role/a/b\""},
    {AWS "{" EKS "regions: [eu-west-1, cn-north-1], assume_role_arn: "
	 "'arn:aws:iam::123456789012:role/a'}]\n",
	"3:75: " PATH
	".assume_role_arn: a role of another partition than region cn-north-1 (aws-cn)"},
    {AWS "{" EKS EU ", kube_app_discovery: yes}]\n",
	"3:66: " PATH ".kube_app_discovery: yes is not supported: applications inside "
	"clusters are not discovered"},
    {AWS "{" EKS EU ", eksgate: {name_tags: 2}}]\n",
	"3:67: " PATH ".eksgate.name_tags: expected yes or no, found \"2\""},
    {AWS "{" EKS EU ", eksgate: {labels: [a]}}]\n",
	"3:64: " PATH
	".eksgate.labels: expected a map of at most 50 labels to texts, found a list"},
    {AWS "{" EKS EU ", eksgate: {labels: {a b: c}}}]\n",
	"3:70: " PATH ".eksgate.labels: \"a b\" is no label: keys are letters, digits and /._:*-"},
    {AWS "{" EKS EU ", eksgate: {labels: {region: x, teleport.dev/origin: y}}}]\n",
	"3:73: " PATH ".eksgate.labels: \"region\" is a label that discoveryd sets: choose "
	"another key\n"
	"f:3:97: " PATH ".eksgate.labels: \"teleport.dev/origin\" is a label that discoveryd "
	"sets: choose another key"},
    {AWS "{" EKS EU ", eksgate: {labels: {a: [b]}}}]\n",
	"3:68: " PATH ".eksgate.labels: the value of \"a\" is a text of at most 1024 bytes"},
    {AWS "{" EKS EU ", integration: prod}]\n",
	"3:59: " PATH ".integration is not supported: there are no integrations: use "
	"assume_role_arn, or the credentials of the host"},
    {AWS "{" EKS EU ", install: {join_params: {}}}]\n",
	"3:55: " PATH ".install is not supported: only EKS clusters are discovered"},
};

#define ORGANIZATION "organization: {organization_id: o-abcdefghij"
#define UNITS	     ", organizational_units: {include: ['*']}}"
#define ROLE	     ", assume_role_name: discover"

/* Under Teleport's rules (validation of matchers with an organization), and ours for accounts. */
static const struct row bad_accounts[] = {
    {AWS "{" EKS EU ROLE ", organization: {organizational_units: {include: ['*']}}}]\n",
	"3:88: " PATH ".organization.organization_id is missing: write the id of the "
	"organization, o-..."},
    {AWS "{" EKS EU ROLE ", organization: {organization_id: o-1" UNITS "}]\n",
	"3:106: " PATH ".organization.organization_id: expected the id of an organization, o- and "
	"10 to 32 letters and digits, found \"o-1\""},
    {AWS "{" EKS EU ROLE ", " ORGANIZATION "}}]\n",
	"3:88: " PATH ".organization.organizational_units.include is missing: name units, or "
	"[\"*\"] for the whole organization"},
    {AWS "{" EKS EU ROLE ", " ORGANIZATION ", organizational_units: {include: []}}}]\n",
	"3:142: " PATH ".organization.organizational_units.include is missing: name units, or "
	"[\"*\"] for the whole organization"},
    {AWS "{" EKS EU ", " ORGANIZATION UNITS "}]\n",
	"3:60: " PATH ".assume_role_name is missing: write the name of the role to assume in each "
	"account of the organization"},
    {AWS "{" EKS EU ROLE
	 ", assume_role_arn: 'arn:aws:iam::123456789012:role/a', " ORGANIZATION UNITS "}]\n",
	"3:91: " PATH ".assume_role_arn: cannot stand beside organization: its accounts are "
	"entered by assume_role_name"},
    {AWS "{" EKS EU ROLE ", eksgate: {accounts: ['123456789012']}, " ORGANIZATION UNITS "}]\n",
	"3:94: " PATH ".eksgate.accounts: cannot stand beside organization: accounts are left out "
	"by organizational_units.exclude"},
    {AWS "{" EKS EU ROLE "}]\n",
	"3:64: " PATH ".assume_role_name: only has a meaning together with organization: write "
	"assume_role_arn"},
    {AWS "{" EKS EU ", assume_role_name: a b, " ORGANIZATION UNITS "}]\n",
	"3:64: " PATH ".assume_role_name: expected the name of a role, 1 to 64 letters, digits and "
	"_+=,.@-, found \"a b\""},
    {AWS "{" EKS EU ROLE ", " ORGANIZATION
	 ", organizational_units: {include: ['*', ou-ab12-11111111]}}}]\n",
	"3:153: " PATH ".organization.organizational_units.include: \"*\" means everything: no "
	"other can stand beside it"},
    {AWS "{" EKS EU ROLE ", " ORGANIZATION ", organizational_units: {include: [ou-1, "
	 "'123456789012'], exclude: ['*', ou-ab12-11111111, r-ab12, '123456789012']}}}]\n",
	"3:153: " PATH ".organization.organizational_units.include: \"ou-1\" is no "
	"organizational unit: write ou-..., r-... or \"*\"\n"
	"f:3:159: " PATH ".organization.organizational_units.include: \"123456789012\" is no "
	"organizational unit: write ou-..., r-... or \"*\"\n"
	"f:3:186: " PATH ".organization.organizational_units.exclude: \"*\" is no organizational "
	"unit and no account: write ou-..., r-... or 12 digits"},
    {AWS "{" EKS EU ", assume_role_arn: 'arn:aws:iam::{account}:role/a'}]\n",
	"3:63: " PATH ".assume_role_arn: has {account}, and eksgate.accounts lists no accounts"},
    {AWS "{" EKS EU ", assume_role_arn: 'arn:aws:iam::123456789012:role/{account}'}]\n",
	"3:63: " PATH ".assume_role_arn: expected the ARN of a role, "
	"arn:aws:iam::ACCOUNT:role/NAME, found "
	"\"arn:aws:iam::123456789012:role/{account}\""},
    {AWS "{" EKS EU ", eksgate: {accounts: ['123456789012']}}]\n",
	"3:66: " PATH ".eksgate.accounts: only has a meaning together with an assume_role_arn such "
	"as arn:aws:iam::{account}:role/NAME"},
    {AWS "{" EKS EU ", assume_role_arn: 'arn:aws:iam::{account}:role/a', eksgate: {accounts: "
	 "[1234, '123456789012', '123456789012', {}]}}]\n",
	"3:117: " PATH ".eksgate.accounts: \"1234\" is no account: write its 12 digits\n"
	"f:3:139: " PATH ".eksgate.accounts: \"123456789012\" stands there already\n"
	"f:3:155: " PATH ".eksgate.accounts: expected a name"},
};

static void test_matchers(void **state)
{
	(void)state;
	CHECK_ROWS(bad_matchers);
	CHECK_ROWS(bad_accounts);
}

#define RESOURCES "kubernetes_service:\n  resources: ["
#define RESOURCE  "kubernetes_service.resources[]"

static const struct row bad_resources[] = {
    {"kubernetes_service: {resources: all}\n",
	"2:33: kubernetes_service.resources: expected a list of at most 1000 entries with "
	"labels, found \"all\""},
    {RESOURCES "{}]\n",
	"3:15: " RESOURCE
	".labels is missing and nothing would match: write \"*\": \"*\" for every cluster"},
    {RESOURCES "{labels: {}}]\n",
	"3:15: " RESOURCE
	".labels is missing and nothing would match: write \"*\": \"*\" for every cluster"},
    {RESOURCES "{labels: [a]}]\n",
	"3:24: " RESOURCE
	".labels: expected a map of keys to a value or a list of values, found a list"},
    {RESOURCES "{labels: {a: b}, aws: {external_id: abc}}]\n",
	"3:51: " RESOURCE ".aws.external_id: only has a meaning together with assume_role_arn"},
    {RESOURCES "{labels: {a: b}, aws: {assume_role_arn: x}}]\n",
	"3:55: " RESOURCE ".aws.assume_role_arn: expected the ARN of a role, "
	"arn:aws:iam::ACCOUNT:role/NAME, found \"x\""},
    {RESOURCES "{labels: {a: b}, aws: x}]\n",
	"3:37: " RESOURCE ".aws: expected a map of keys and values, found \"x\""},
};

static void test_resources(void **state)
{
	(void)state;
	CHECK_ROWS(bad_resources);
}

/* All findings at once, in the file's order, however the sections stand. */
static void test_many_findings(void **state)
{
	(void)state;
	char *error = refuse("eksgate: {state_dir: x, zzz: 1}\n"
			     "discovery_service: {enabled: yes}\n"
			     "version: v2\n");
	char *at = error;
	static const char *const places[] = {"f:1:22: ", "f:1:25: ", "f:2:30: ", "f:3:10: "};
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		assert_memory_equal(at, places[i], strlen(places[i]));
		at = strchrnul(at, '\n');
		at += *at == '\n' ? 1 : 0;
	}
	assert_string_equal(at, "");
	free(error);
}

static void test_findings_are_bounded(void **state)
{
	(void)state;
	struct buf text = {0};
	buf_append_text(&text, HEAD);
	for (int i = 0; i < 150; i++)
		buf_printf(&text, "unknown%d: 1\n", i);
	char *error = refuse(buf_text(&text));
	assert_non_null(strstr(error, "f:101:1: "));
	assert_null(strstr(error, "f:102:1: "));
	assert_non_null(strstr(error, "\nf: and 50 more"));
	free(error);
	buf_free(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_documents),
	    cmocka_unit_test(test_unknown_keys),
	    cmocka_unit_test(test_wrong_types),
	    cmocka_unit_test(test_addresses),
	    cmocka_unit_test(test_services),
	    cmocka_unit_test(test_matchers),
	    cmocka_unit_test(test_resources),
	    cmocka_unit_test(test_many_findings),
	    cmocka_unit_test(test_findings_are_bounded),
	};
	return cmocka_run_group_tests_name("settings_errors", tests, NULL, NULL);
}
