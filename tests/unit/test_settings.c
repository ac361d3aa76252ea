/* The configuration: defaults, Teleport's file, every key, reloads, and what is told of keys that
 * are read without effect. What is refused stands in test_settings_errors.c. */
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

static struct settings *parse(const char *text)
{
	char *error = NULL;
	struct settings *settings = settings_parse("f", text, strlen(text), &error);
	if (settings == NULL)
		fail_msg("%s", error);
	return settings;
}

static void assert_selector(const struct selector *selector, const char *expected)
{
	char *text = selector_text(selector);
	assert_string_equal(text, expected);
	free(text);
}

static void assert_defaults(const struct settings *settings)
{
	assert_int_equal(settings->log_level, LOG_LEVEL_INFO);
	assert_string_equal(settings->state_dir, "/var/lib/eksgate-discovery");
	assert_null(settings->metrics_listen);
	assert_string_equal(settings->bus.socket, "/run/eksgate-discovery/bus.sock");
	assert_int_equal(settings->bus.proxy_user_count, 1);
	assert_string_equal(settings->bus.proxy_users[0], "eksgate-proxy");
	assert_int_equal(settings->bus.tap_user_count, 1);
	assert_string_equal(settings->bus.tap_users[0], "eksgate-tap");
	assert_int_equal(settings->bus.heartbeat.ms, 250);
	assert_int_equal(settings->discovery.poll_interval.ms, 300000);
	assert_string_equal(
	    settings->discovery.admin_socket, "/run/eksgate-discovery/admin/admin.sock");
	assert_int_equal(settings->discovery.describe_parallel, 5);
	assert_int_equal(settings->removal.grace.ms, 86400000);
	assert_int_equal(settings->removal.guard_percent, 50);
	assert_string_equal(settings->access.mode, "rbac");
	assert_string_equal(settings->access.group, "eksgate:proxy");
	assert_string_equal(settings->access.cluster_role, "eksgate");
	assert_null(settings->access.bootstrap_role_arn);
	assert_null(settings->test.token_sts_host);
	assert_null(settings->test.endpoint_suffix);
}

static void assert_proxy_defaults(const struct settings *settings)
{
	assert_string_equal(settings->kubernetes.listen_addr, "0.0.0.0:3026");
	assert_null(settings->kubernetes.public_addr);
	assert_string_equal(settings->proxy.certificate, "/etc/eksgate/tls/server.pem");
	assert_string_equal(settings->proxy.key, "/etc/eksgate/tls/server-key.pem");
	assert_string_equal(settings->proxy.client_ca, "/etc/eksgate/tls/client-ca.pem");
	assert_string_equal(settings->proxy.client_ca_key, "/etc/eksgate/tls/client-ca-key.pem");
	assert_null(settings->proxy.sni_suffix);
	assert_string_equal(settings->proxy.roles_dir, "/etc/eksgate/roles.d");
	assert_string_equal(settings->proxy.cache_dir, "/var/cache/eksgate-proxy");
	assert_string_equal(settings->proxy.run_dir, "/run/eksgate-proxy");
	assert_int_equal(settings->proxy.max_stale.ms, 86400000);
	assert_int_equal(settings->proxy.token_lifetime.ms, 600000);
	assert_int_equal(settings->proxy.limits.connections, 16000);
	assert_int_equal(settings->proxy.limits.handshakes, 512);
	assert_int_equal(settings->proxy.limits.header_bytes, 65536);
	assert_int_equal(settings->proxy.limits.header_count, 100);
	assert_int_equal(settings->proxy.limits.body_in_hand, 262144);
	assert_int_equal(settings->proxy.limits.header_timeout.ms, 10000);
	assert_int_equal(settings->proxy.limits.handshake_timeout.ms, 10000);
	assert_int_equal(settings->proxy.limits.idle_timeout.ms, 90000);
	assert_int_equal(settings->proxy.limits.connect_timeout.ms, 10000);
	assert_int_equal(settings->proxy.limits.response_timeout.ms, 65000);
	assert_int_equal(settings->proxy.limits.requests_per_user, 1000);
	assert_int_equal(settings->proxy.limits.requests_per_cluster, 4000);
	assert_int_equal(settings->proxy.limits.body_rate, 1024);
	assert_int_equal(settings->proxy.limits.body_grace.ms, 30000);
	assert_int_equal(settings->proxy.limits.upstream_idle, 32);
	assert_int_equal(settings->proxy.recording.max_session_bytes, 1073741824);
	assert_int_equal(settings->proxy.recording.max_age.ms, INT64_C(7776000000));
}

static void test_defaults(void **state)
{
	(void)state;
	struct settings *settings = parse("version: v3\n");
	assert_defaults(settings);
	assert_proxy_defaults(settings);
	assert_string_equal(settings->path, "f");
	assert_false(settings->discovery.enabled);
	assert_string_equal(settings->discovery.group, "default");
	assert_int_equal(settings->discovery.matcher_count, 0);
	assert_false(settings->kubernetes.enabled);
	assert_int_equal(settings->kubernetes.resource_count, 0);
	assert_int_equal(settings->note_count, 0);
	assert_int_equal(settings->warning_count, 1);
	assert_string_equal(settings->warnings[0],
	    "f: neither discovery_service nor kubernetes_service is enabled");
	settings_free(&settings);
	assert_null(settings);
}

/* A role that both daemons act as, however discoveryd comes by it. */
static void test_roles_of_both_daemons(void **state)
{
	(void)state;
	static const struct {
		const char *matcher, *own;
		bool is_shared;
	} rows[] = {
	    {"assume_role_arn: 'arn:aws:iam::123456789012:role/r', external_id: id", "", true},
	    {"assume_role_arn: 'arn:aws:iam::{account}:role/r', external_id: id,"
	     " eksgate: {accounts: ['111111111111', '123456789012']}",
		"", true},
	    {"assume_role_name: r, external_id: id, organization: {organization_id: o-a1b2c3d4e5,"
	     " organizational_units: {include: ['*']}}",
		"", true},
	    {"tags: {a: b}",
		"eksgate: {access: {bootstrap_role_arn: 'arn:aws:iam::123456789012:role/r'}}\n",
		true},
	    {"assume_role_arn: 'arn:aws:iam::123456789012:role/rr', external_id: id", "", false},
	    {"assume_role_arn: 'arn:aws:iam::{account}:role/r', external_id: id,"
	     " eksgate: {accounts: ['111111111111']}",
		"", false},
	    {"setup_access_for_arn: 'arn:aws:iam::123456789012:role/r'", "", false},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char *text = xasprintf(
		    "version: v3\n"
		    "discovery_service: {enabled: true, discovery_group: g, aws: [{types: [eks],"
		    " regions: [eu-west-1], %s}]}\n"
		    "kubernetes_service: {enabled: true, resources: [{labels: {'*': '*'}, aws:"
		    " {assume_role_arn: 'arn:aws:iam::123456789012:role/r', external_id: x1}}]}\n"
		    "%s",
		    rows[i].matcher, rows[i].own);
		char *error = NULL;
		struct settings *settings = settings_parse("f", text, strlen(text), &error);
		if (settings == NULL)
			fail_msg("%s", error);
		if (settings->warning_count != rows[i].is_shared)
			fail_msg("%zu: %zu warnings", i, settings->warning_count);
		if (rows[i].is_shared)
			assert_non_null(strstr(settings->warnings[0],
			    "f:3: kubernetes_service.resources[].aws.assume_role_arn is "
			    "arn:aws:iam::123456789012:role/r, which "));
		settings_free(&settings);
		free(text);
	}
}

/* The file of Teleport's guide, as it stands. */
static void test_teleport_file(void **state)
{
	(void)state;
	char *error = NULL;
	struct settings *settings = settings_load("tests/vectors/teleport.yaml", &error);
	if (settings == NULL)
		fail_msg("%s", error);
	assert_defaults(settings);
	assert_proxy_defaults(settings);
	assert_true(settings->discovery.enabled);
	assert_string_equal(settings->discovery.group, "aws-prod");
	assert_int_equal(settings->discovery.matcher_count, 1);
	const struct aws_matcher *matcher = &settings->discovery.matchers[0];
	assert_int_equal(matcher->region_count, 1);
	assert_string_equal(matcher->regions[0], "*");
	assert_selector(matcher->tags, "env=prod");
	assert_null(matcher->assume_role_arn);
	assert_null(matcher->external_id);
	assert_null(matcher->setup_access_for_arn);
	assert_int_equal(matcher->line, 17);
	assert_true(settings->kubernetes.enabled);
	assert_int_equal(settings->kubernetes.resource_count, 1);
	assert_selector(settings->kubernetes.resources[0].labels, "env=prod");
	assert_null(settings->kubernetes.resources[0].assume_role_arn);
	assert_int_equal(settings->kubernetes.resources[0].line, 24);
	assert_int_equal(settings->note_count, 1);
	assert_string_equal(settings->notes[0],
	    "tests/vectors/teleport.yaml: without effect here, the daemons meet on a local bus: "
	    "teleport.join_params, teleport.proxy_server");
	assert_int_equal(settings->warning_count, 0);
	settings_free(&settings);
}

static void test_discovery_keys(void **state)
{
	(void)state;
	struct settings *settings =
	    parse("version: v3\n"
		  "discovery_service:\n"
		  "  enabled: \"yes\"\n"
		  "  discovery_group: team a\n"
		  "  poll_interval: 1h30m\n"
		  "  azure: []\n"
		  "  aws:\n"
		  "  - types: [eks]\n"
		  "    regions: [eu-west-1, us-gov-west-1]\n"
		  "  - types: [eks]\n"
		  "    regions: ['*']\n"
		  "    tags: {env: [prod, '^st.*$'], team: '*', n: 1}\n"
		  "    assume_role_arn: arn:aws:iam::123456789012:role/a/b\n"
		  "    external_id: x-1\n"
		  "    setup_access_for_arn: arn:aws:iam::123456789012:role/serve\n"
		  "    kube_app_discovery: false\n"
		  "    eksgate: {name_tags: no, labels: {team: web, cost: 7}}\n"
		  "    integration: \"\"\n"
		  "  - {types: [eks], regions: [cn-north-1], tags: {}, assume_role_arn: "
		  "'arn:aws-cn:iam::1234567890"
		  "12:role/a'}\n");
	assert_true(settings->discovery.enabled);
	assert_string_equal(settings->discovery.group, "team a");
	assert_int_equal(settings->discovery.poll_interval.ms, 5400000);
	assert_int_equal(settings->discovery.matcher_count, 3);
	const struct aws_matcher *matchers = settings->discovery.matchers;
	assert_int_equal(matchers[0].region_count, 2);
	assert_string_equal(matchers[0].regions[1], "us-gov-west-1");
	assert_selector(matchers[0].tags, "*=*");
	assert_int_equal(matchers[0].line, 8);
	assert_selector(matchers[1].tags, "env=prod|^st.*$, team=*, n=1");
	assert_string_equal(matchers[1].assume_role_arn, "arn:aws:iam::123456789012:role/a/b");
	assert_string_equal(matchers[1].external_id, "x-1");
	assert_string_equal(
	    matchers[1].setup_access_for_arn, "arn:aws:iam::123456789012:role/serve");
	assert_true(matchers[0].has_name_tags);
	assert_int_equal(matchers[0].labels.count, 0);
	assert_false(matchers[1].has_name_tags);
	assert_string_equal(labels_get(&matchers[1].labels, "team"), "web");
	assert_string_equal(labels_get(&matchers[1].labels, "cost"), "7");
	assert_selector(matchers[2].tags, "*=*");
	assert_int_equal(matchers[2].line, 19);
	settings_free(&settings);
}

static void test_accounts(void **state)
{
	(void)state;
	struct settings *settings =
	    parse("version: v3\n"
		  "discovery_service:\n"
		  "  aws:\n"
		  "  - types: [eks]\n"
		  "    regions: ['*']\n"
		  "    assume_role_arn: arn:aws:iam::{account}:role/a/b\n"
		  "    eksgate: {accounts: [111111111111, '022222222222']}\n"
		  "  - types: [eks]\n"
		  "    regions: ['*']\n"
		  "    assume_role_name: discover\n"
		  "    external_id: x-1\n"
		  "    organization:\n"
		  "      organization_id: o-abcdefghij\n"
		  "      organizational_units:\n"
		  "        include: [r-ab12, ou-ab12-11111111]\n"
		  "        exclude: [ou-ab12-22222222, '333333333333']\n"
		  "  - {types: [eks], regions: ['*'], organization: {}}\n");
	const struct aws_matcher *matchers = settings->discovery.matchers;
	assert_int_equal(matchers[0].account_count, 2);
	assert_string_equal(matchers[0].accounts[1], "022222222222");
	assert_null(matchers[0].organization.id);
	assert_string_equal(matchers[1].organization.id, "o-abcdefghij");
	assert_string_equal(matchers[1].assume_role_name, "discover");
	assert_int_equal(matchers[1].organization.include_count, 2);
	assert_string_equal(matchers[1].organization.exclude[1], "333333333333");
	assert_null(matchers[2].organization.id);
	settings_free(&settings);
}

static void test_proxy_keys(void **state)
{
	(void)state;
	struct settings *settings = parse(
	    "version: v3\n"
	    "kubernetes_service:\n"
	    "  enabled: on\n"
	    "  listen_addr: '[::]'\n"
	    "  public_addr: [kube.example.com]\n"
	    "  resources:\n"
	    "  - labels: {'*': '*'}\n"
	    "    aws: {assume_role_arn: 'arn:aws:iam::123456789012:role/serve', external_id: ab}\n"
	    "  - labels: {env: [a, b]}\n"
	    "eksgate:\n"
	    "  proxy:\n"
	    "    tls: {certificate: /a, key: /b}\n"
	    "    client_ca: /c\n"
	    "    client_ca_key: /d\n"
	    "    sni_suffix: kube.example.com\n"
	    "    roles_dir: /e\n"
	    "    cache_dir: /f\n"
	    "    run_dir: /g\n"
	    "    max_stale: 1h\n"
	    "    token_lifetime: 2s\n"
	    "    limits: {connections: 1, handshakes: 2, header_bytes: 8K, header_count: 10,\n"
	    "      body_in_hand: 1MiB, header_timeout: 1s, handshake_timeout: 2s, idle_timeout: "
	    "3s,\n"
	    "      connect_timeout: 4s, response_timeout: 5s, upstream_idle: 0}\n");
	assert_true(settings->kubernetes.enabled);
	assert_string_equal(settings->kubernetes.listen_addr, "[::]:3026");
	assert_string_equal(settings->kubernetes.public_addr, "kube.example.com:3026");
	assert_int_equal(settings->kubernetes.resource_count, 2);
	const struct resource_selector *resources = settings->kubernetes.resources;
	assert_selector(resources[0].labels, "*=*");
	assert_string_equal(resources[0].assume_role_arn, "arn:aws:iam::123456789012:role/serve");
	assert_string_equal(resources[0].external_id, "ab");
	assert_selector(resources[1].labels, "env=a|b");
	assert_int_equal(resources[1].line, 9);
	assert_string_equal(settings->proxy.certificate, "/a");
	assert_string_equal(settings->proxy.key, "/b");
	assert_string_equal(settings->proxy.client_ca, "/c");
	assert_string_equal(settings->proxy.client_ca_key, "/d");
	assert_string_equal(settings->proxy.sni_suffix, "kube.example.com");
	assert_string_equal(settings->proxy.roles_dir, "/e");
	assert_string_equal(settings->proxy.cache_dir, "/f");
	assert_string_equal(settings->proxy.run_dir, "/g");
	assert_int_equal(settings->proxy.max_stale.ms, 3600000);
	assert_int_equal(settings->proxy.token_lifetime.ms, 2000);
	assert_int_equal(settings->proxy.limits.connections, 1);
	assert_int_equal(settings->proxy.limits.handshakes, 2);
	assert_int_equal(settings->proxy.limits.header_bytes, 8192);
	assert_int_equal(settings->proxy.limits.header_count, 10);
	assert_int_equal(settings->proxy.limits.body_in_hand, 1048576);
	assert_int_equal(settings->proxy.limits.header_timeout.ms, 1000);
	assert_int_equal(settings->proxy.limits.handshake_timeout.ms, 2000);
	assert_int_equal(settings->proxy.limits.idle_timeout.ms, 3000);
	assert_int_equal(settings->proxy.limits.connect_timeout.ms, 4000);
	assert_int_equal(settings->proxy.limits.response_timeout.ms, 5000);
	assert_int_equal(settings->proxy.limits.upstream_idle, 0);
	assert_int_equal(settings->warning_count, 0);
	settings_free(&settings);
}

static void test_own_keys(void **state)
{
	(void)state;
	struct settings *settings = parse(
	    "version: 'v3'\n"
	    "eksgate:\n"
	    "  log: {level: debug}\n"
	    "  state_dir: /s\n"
	    "  metrics_listen: localhost:9090\n"
	    "  bus: {socket: /b.sock, proxy_users: ['1001', alice], tap_users: [], heartbeat: 1s}\n"
	    "  discovery: {admin_socket: /a.sock, describe_parallel: 20}\n"
	    "  removal: {grace: 0, guard: 75%}\n"
	    "  access: {mode: rbac, group: team, cluster_role: role, bootstrap_role_arn: "
	    "'arn:aws:iam::123456789012:role/b'}\n"
	    "  test: {token_sts_host: '127.0.0.1:4000', endpoint_suffix: 127.0.0.1}\n");
	assert_int_equal(settings->log_level, LOG_LEVEL_DEBUG);
	assert_string_equal(settings->state_dir, "/s");
	assert_string_equal(settings->metrics_listen, "localhost:9090");
	assert_string_equal(settings->bus.socket, "/b.sock");
	assert_int_equal(settings->bus.proxy_user_count, 2);
	assert_string_equal(settings->bus.proxy_users[0], "1001");
	assert_int_equal(settings->bus.tap_user_count, 0);
	assert_int_equal(settings->bus.heartbeat.ms, 1000);
	assert_string_equal(settings->discovery.admin_socket, "/a.sock");
	assert_int_equal(settings->discovery.describe_parallel, 20);
	assert_int_equal(settings->removal.grace.ms, 0);
	assert_int_equal(settings->removal.guard_percent, 75);
	assert_string_equal(settings->access.group, "team");
	assert_string_equal(settings->access.cluster_role, "role");
	assert_string_equal(
	    settings->access.bootstrap_role_arn, "arn:aws:iam::123456789012:role/b");
	assert_string_equal(settings->test.token_sts_host, "127.0.0.1:4000");
	assert_string_equal(settings->test.endpoint_suffix, "127.0.0.1");
	assert_int_equal(settings->warning_count, 2);
	assert_string_equal(settings->warnings[0],
	    "f:10:9: eksgate.test is in force: for tests only, never with real credentials");
	settings_free(&settings);
}

/* Issuers whose prefixes do not keep their people apart. */
static void test_warns_of_namesakes(void **state)
{
	(void)state;
	static const struct {
		const char *first, *second;
		unsigned warnings;
	} rows[] = {
	    {"", "", 1},
	    {"", ", username_prefix: 'b:'", 1},
	    {", username_prefix: 'b'", ", username_prefix: 'b:'", 1},
	    {", username_prefix: 'a:'", ", username_prefix: 'b:'", 1},
	    {", username_prefix: 'a:', groups_prefix: 'a:'", ", username_prefix: 'b:'", 1},
	    {", username_prefix: 'a:', groups_prefix: 'a:'",
		", username_prefix: 'b:', groups_prefix: 'b:'", 0},
	    {", username_prefix: 'a:', groups_prefix: 'g:'", ", username_prefix: 'a:'", 1},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char *text = xasprintf("version: v3\nkubernetes_service: {enabled: true, "
				       "resources: [{labels: {'*': '*'}}]}\neksgate:\n  proxy:\n"
				       "    login:\n      oidc:\n"
				       "      - {issuer: https://a.example, audiences: [x]%s}\n"
				       "      - {issuer: https://b.example, audiences: [x]%s}\n",
		    rows[i].first, rows[i].second);
		struct settings *settings = parse(text);
		if (settings->warning_count != rows[i].warnings)
			fail_msg("%zu: %zu warnings", i, settings->warning_count);
		if (rows[i].warnings > 0)
			assert_non_null(strstr(settings->warnings[0],
			    "f:8: one of the issuers https://b.example and https://a.example"));
		settings_free(&settings);
		free(text);
	}
}

/* A mapping that believes the sessions of roles which others could make. */
static void test_warns_of_trusted_patterns(void **state)
{
	(void)state;
	static const struct {
		const char *mapping;
		unsigned warnings;
	} rows[] = {
	    {"arn: 'arn:aws:iam::123456789012:role/Dev_*', trust_session_name: yes", 1},
	    {"arn: '^arn:aws:iam::123456789012:role/Dev_.+$', trust_session_name: yes", 1},
	    {"arn: 'arn:aws:iam::123456789012:role/Dev_*'", 0},
	    {"arn: 'arn:aws:iam::123456789012:role/Dev_0', trust_session_name: yes", 0},
	    {"arn: 'arn:aws:iam::123456789012:role/Dev_*', trust_session_name: yes, "
	     "principal_id: AROA0",
		0},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char *text =
		    xasprintf("version: v3\nkubernetes_service: {enabled: true, "
			      "resources: [{labels: {'*': '*'}}]}\neksgate:\n  proxy:\n    login:\n"
			      "      iam: {id: a.b, accounts: ['123456789012'], mappings: [\n"
			      "        {%s, user: x}]}\n",
			rows[i].mapping);
		struct settings *settings = parse(text);
		if (settings->warning_count != rows[i].warnings)
			fail_msg("%zu: %zu warnings", i, settings->warning_count);
		if (rows[i].warnings > 0)
			assert_non_null(strstr(
			    settings->warnings[0], "f:7: trust_session_name with the pattern "));
		settings_free(&settings);
		free(text);
	}
}

/* Sections and keys without a value are as good as absent. */
static void test_empty_sections(void **state)
{
	(void)state;
	struct settings *settings = parse(
	    "version: v3\nteleport:\nssh_service:\ndiscovery_service:\n  poll_interval:\n  aws:\n"
	    "kubernetes_service: {listen_addr: ~}\neksgate:\n  log:\n  bus:\n    socket: null\n");
	assert_defaults(settings);
	assert_proxy_defaults(settings);
	settings_free(&settings);
}

static void test_other_teleport_keys(void **state)
{
	(void)state;
	struct settings *settings =
	    parse("version: v3\n"
		  "teleport:\n"
		  "  nodename: n\n"
		  "  data_dir: /var/lib/teleport\n"
		  "  auth_token: t\n"
		  "  ca_pin: 'sha256:0'\n"
		  "  auth_servers: ['a:1']\n"
		  "  auth_server: a:1\n"
		  "  diag_addr: 127.0.0.1:3000\n"
		  "  log: {output: stderr, severity: WARNING, format: {output: json}}\n"
		  "ssh_service: {enabled: no, commands: [{name: x}]}\n"
		  "proxy_service: {enabled: off, https_keypairs: []}\n"
		  "auth_service: {enabled: \"false\", cluster_name: x}\n");
	assert_int_equal(settings->log_level, LOG_LEVEL_WARN);
	assert_int_equal(settings->note_count, 1);
	assert_string_equal(settings->notes[0],
	    "f: without effect here, the daemons meet on a local bus: teleport.nodename, "
	    "teleport.data_dir, teleport.auth_server, teleport.auth_servers, teleport.auth_token, "
	    "teleport.ca_pin, teleport.diag_addr, teleport.log.output, teleport.log.format");
	settings_free(&settings);
	settings = parse(
	    "version: v3\nteleport: {log: {severity: DEBUG}}\neksgate: {log: {level: error}}\n");
	assert_int_equal(settings->log_level, LOG_LEVEL_ERROR);
	settings_free(&settings);
	settings = parse(
	    "version: v3\neksgate: {log: {level: error}}\nteleport: {log: {severity: DEBUG}}\n");
	assert_int_equal(settings->log_level, LOG_LEVEL_ERROR);
	settings_free(&settings);
}

static void test_frozen_changes(void **state)
{
	(void)state;
	struct settings *old = parse("version: v3\n");
	struct settings *same = parse(
	    "version: v3\ndiscovery_service: {poll_interval: 1m}\neksgate: {log: {level: debug}, "
	    "removal: {guard: 10}}\n");
	struct settings *other =
	    parse("version: v3\nkubernetes_service: {listen_addr: '127.0.0.1:1'}\neksgate: "
		  "{state_dir: /x, "
		  "bus: {proxy_users: [a], heartbeat: 1s}, metrics_listen: '127.0.0.1:1'}\n");
	static const char *const all[] = {"", NULL}, *const bus[] = {"eksgate.bus.", NULL};
	assert_null(settings_frozen_changes(old, same, all));
	char *keys = settings_frozen_changes(old, other, all);
	assert_string_equal(keys,
	    "kubernetes_service.listen_addr, eksgate.state_dir, eksgate.metrics_listen, "
	    "eksgate.bus.proxy_users, eksgate.bus.heartbeat");
	free(keys);
	keys = settings_frozen_changes(old, other, bus);
	assert_string_equal(keys, "eksgate.bus.proxy_users, eksgate.bus.heartbeat");
	free(keys);
	settings_free(&old);
	settings_free(&same);
	settings_free(&other);
}

static void test_rows(void **state)
{
	(void)state;
	struct buf rows = {0};
	settings_write_rows(&rows);
	assert_non_null(strstr(buf_text(&rows),
	    "eksgate.bus.heartbeat\tduration\t250ms\tno\tHow often discoveryd says that it is "
	    "there\n"));
	assert_non_null(strstr(buf_text(&rows), "\neksgate.metrics_listen\taddress\t-\tno\t"));
	assert_non_null(strstr(buf_text(&rows), "\ndiscovery_service.aws[].tags\tselector\t"));
	buf_free(&rows);
}

/* The sample shows every key with its default, so it is the defaults. */
static void test_sample(void **state)
{
	(void)state;
	char *error = NULL;
	struct settings *settings = settings_load("etc/eksgate.yaml", &error);
	if (settings == NULL)
		fail_msg("%s", error);
	assert_defaults(settings);
	assert_proxy_defaults(settings);
	assert_true(settings->discovery.enabled);
	assert_true(settings->kubernetes.enabled);
	assert_int_equal(settings->note_count, 0);
	assert_int_equal(settings->warning_count, 0);
	settings_free(&settings);
}

static void test_absent_file(void **state)
{
	(void)state;
	char *error = NULL;
	assert_null(settings_load("/nonexistent/eksgate.yaml", &error));
	assert_string_equal(error,
	    "/nonexistent/eksgate.yaml: does not exist: name the file with --config FILE, or copy "
	    "the sample /etc/eksgate/eksgate.yaml.sample");
	free(error);
	assert_null(settings_load("/", &error));
	assert_string_equal(error, "/: cannot be read: Is a directory");
	free(error);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_defaults),
	    cmocka_unit_test(test_roles_of_both_daemons),
	    cmocka_unit_test(test_teleport_file),
	    cmocka_unit_test(test_discovery_keys),
	    cmocka_unit_test(test_accounts),
	    cmocka_unit_test(test_proxy_keys),
	    cmocka_unit_test(test_own_keys),
	    cmocka_unit_test(test_warns_of_namesakes),
	    cmocka_unit_test(test_warns_of_trusted_patterns),
	    cmocka_unit_test(test_empty_sections),
	    cmocka_unit_test(test_other_teleport_keys),
	    cmocka_unit_test(test_frozen_changes),
	    cmocka_unit_test(test_rows),
	    cmocka_unit_test(test_sample),
	    cmocka_unit_test(test_absent_file),
	};
	return cmocka_run_group_tests_name("settings", tests, NULL, NULL);
}
