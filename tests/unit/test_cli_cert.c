/* The offline verbs' work: first files, client certificates and their record, kubeconfigs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <json-c/json.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "common/json.h"
#include "common/settings.h"
#include "common/xmem.h"
#include "kubeproxyd/cli.h"
#include "kubeproxyd/client_certificate.h"
#include "kubeproxyd/exchange/kubeconfig.h"
#include "kubeproxyd/first_files.h"
#include "kubeproxyd/gate/identity.h"
#include "kubeproxyd/gate/identity_certificate.h"
#include "kubeproxyd/new_file.h"
#include "kubeproxyd/pki.h"
#include "kubeproxyd/policy/policy.h"

/* A place of its own and settings that point into it. */
struct fixture {
	char directory[64];
	struct settings settings;
};

static char *under(const struct fixture *fixture, const char *name)
{
	return xasprintf("%s/%s", fixture->directory, name);
}

static int set_up(void **state)
{
	struct fixture *fixture = xcalloc(1, sizeof *fixture);
	strcpy(fixture->directory, "/tmp/eksgate-cert-XXXXXX");
	assert_non_null(mkdtemp(fixture->directory));
	struct settings *settings = &fixture->settings;
	settings->proxy.certificate = under(fixture, "tls/server.pem");
	settings->proxy.key = under(fixture, "tls/server-key.pem");
	settings->proxy.client_ca = under(fixture, "tls/client-ca.pem");
	settings->proxy.client_ca_key = under(fixture, "private/client-ca-key.pem");
	settings->proxy.roles_dir = under(fixture, "roles.d");
	settings->proxy.sni_suffix = xstrdup("kube.example.com");
	settings->kubernetes.public_addr = xstrdup("proxy.example.com:443");
	settings->kubernetes.listen_addr = xstrdup("192.0.2.7:3026");
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;
	static const char *const names[] = {"tls/server.pem", "tls/server-key.pem",
	    "tls/client-ca.pem", "private/client-ca-key.pem", "private/issued-certificates.jsonl",
	    "tls/.init.lock", "roles.d/example.yaml", "roles.d/mine.yaml", "file"};
	static const char *const directories[] = {"tls", "private", "roles.d", ""};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		char *path = under(fixture, names[i]);
		unlink(path);
		free(path);
	}
	for (size_t i = 0; i < sizeof directories / sizeof directories[0]; i++) {
		char *path = under(fixture, directories[i]);
		rmdir(path);
		free(path);
	}
	bool is_left = access(fixture->directory, F_OK) == 0;
	free(fixture->settings.proxy.certificate);
	free(fixture->settings.proxy.key);
	free(fixture->settings.proxy.client_ca);
	free(fixture->settings.proxy.client_ca_key);
	free(fixture->settings.proxy.roles_dir);
	free(fixture->settings.proxy.sni_suffix);
	free(fixture->settings.kubernetes.public_addr);
	free(fixture->settings.kubernetes.listen_addr);
	free(fixture);
	return is_left;
}

static void make_first_files(struct fixture *fixture)
{
	struct buf report = {0};
	char *error = NULL;
	if (!first_files_make(&fixture->settings, &report, &error))
		fail_msg("%s", error);
	buf_free(&report);
}

static mode_t mode_of(const char *path)
{
	struct stat status;
	assert_int_equal(stat(path, &status), 0);
	return status.st_mode & 07777;
}

static void expect_error(char *error, const char *part)
{
	assert_non_null(error);
	if (strstr(error, part) == NULL)
		fail_msg("\"%s\" says nothing of \"%s\"", error, part);
	free(error);
}

/* --- init ------------------------------------------------------------------------------------ */

static void test_init_makes_what_a_start_needs(void **state)
{
	struct fixture *fixture = *state;
	struct settings *settings = &fixture->settings;
	char *error = NULL;
	make_first_files(fixture);
	assert_int_equal(mode_of(settings->proxy.certificate), 0644);
	assert_int_equal(mode_of(settings->proxy.key) & 0007, 0);
	assert_int_equal(mode_of(settings->proxy.client_ca_key), 0600);
	X509 *server = pki_read_certificate(settings->proxy.certificate, &error);
	assert_non_null(server);
	static const char *const hosts[] = {
	    "localhost", "proxy.example.com", "abc.kube.example.com"};
	for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++)
		assert_int_equal(X509_check_host(server, hosts[i], 0, 0, NULL), 1);
	static const char *const addresses[] = {"127.0.0.1", "::1", "192.0.2.7"};
	for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++)
		assert_int_equal(X509_check_ip_asc(server, addresses[i], 0), 1);
	assert_int_equal(X509_check_host(server, "kube.example.org", 0, 0, NULL), 0);
	X509_free(server);
	struct policy *policy = policy_load(settings->proxy.roles_dir, NULL, &error);
	assert_non_null(policy);
	assert_int_equal(policy_role_count(policy), 1);
	assert_int_equal(policy_binding_count(policy), 0);
	policy_unref(&policy);
}

static void test_init_is_idempotent(void **state)
{
	struct fixture *fixture = *state;
	char *error = NULL;
	make_first_files(fixture);
	char *before = new_file_read(fixture->settings.proxy.certificate, 65536, &error);
	struct buf report = {0};
	assert_true(first_files_make(&fixture->settings, &report, &error));
	assert_null(strstr(buf_text(&report), "made"));
	assert_non_null(strstr(buf_text(&report), "kept"));
	char *after = new_file_read(fixture->settings.proxy.certificate, 65536, &error);
	assert_string_equal(before, after);
	free(before);
	free(after);
	buf_free(&report);
}

static void test_init_goes_on_and_refuses(void **state)
{
	struct fixture *fixture = *state;
	struct settings *settings = &fixture->settings;
	struct buf report = {0};
	char *error = NULL;
	make_first_files(fixture);
	/* A key without its certificate gets one; a certificate without its key is told. */
	assert_int_equal(unlink(settings->proxy.certificate), 0);
	make_first_files(fixture);
	assert_int_equal(unlink(settings->proxy.key), 0);
	assert_false(first_files_make(settings, &report, &error));
	expect_error(error, "server-key.pem is not");
	make_first_files((unlink(settings->proxy.certificate), fixture));
	/* A client CA of another place, and roles of one's own. */
	assert_int_equal(unlink(settings->proxy.client_ca_key), 0);
	char *sample = under(fixture, "roles.d/example.yaml"),
	     *mine = under(fixture, "roles.d/mine.yaml");
	assert_int_equal(rename(sample, mine), 0);
	buf_clear(&report);
	assert_true(first_files_make(settings, &report, &error));
	assert_non_null(strstr(buf_text(&report), "of another place"));
	assert_int_not_equal(access(settings->proxy.client_ca_key, F_OK), 0);
	assert_int_not_equal(access(sample, F_OK), 0);
	free(sample);
	free(mine);
	buf_free(&report);
}

/* --- cert ------------------------------------------------------------------------------------ */

static struct client_certificate_request request_for(const char *user)
{
	return (struct client_certificate_request){.user = user, .ttl = duration_seconds(3600)};
}

/* As OpenSSL judges it at a handshake. */
static int verify(const char *certificate, const char *ca_path)
{
	char *error = NULL;
	BIO *bio = BIO_new_mem_buf(certificate, -1);
	X509 *leaf = PEM_read_bio_X509(bio, NULL, NULL, NULL),
	     *ca = pki_read_certificate(ca_path, &error);
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *context = X509_STORE_CTX_new();
	X509_STORE_add_cert(store, ca);
	X509_STORE_CTX_init(context, store, leaf, NULL);
	X509_STORE_CTX_set_purpose(context, X509_PURPOSE_SSL_CLIENT);
	(void)X509_verify_cert(context);
	int result = X509_STORE_CTX_get_error(context);
	X509_STORE_CTX_free(context);
	X509_STORE_free(store);
	X509_free(ca);
	X509_free(leaf);
	BIO_free(bio);
	return result;
}

static void expect_record(const struct fixture *fixture, const struct client_certificate *made)
{
	char *error = NULL, text[JSON_ERROR_TEXT], until[UNIX_TIME_TEXT];
	char *path = under(fixture, "private/issued-certificates.jsonl");
	char *line = new_file_read(path, 65536, &error);
	assert_int_equal(mode_of(path), 0600);
	struct json_object *record = json_parse(line, strlen(line), text), *value;
	assert_non_null(record);
	assert_true(json_object_object_get_ex(record, "serial", &value));
	assert_string_equal(json_object_get_string(value), made->serial);
	assert_true(json_object_object_get_ex(record, "not_after", &value));
	assert_string_equal(json_object_get_string(value), unix_time_text(made->not_after, until));
	assert_true(json_object_object_get_ex(record, "groups", &value));
	assert_int_equal(json_object_array_length(value), 2);
	json_object_put(record);
	free(line);
	free(path);
}

static void test_cert_is_accepted_at_the_door(void **state)
{
	struct fixture *fixture = *state;
	static const char *const groups[] = {"engineering", "on call, \"night\""};
	struct client_certificate made;
	char *error = NULL;
	make_first_files(fixture);
	struct client_certificate_request request = request_for("alice@example.com");
	request.groups = groups;
	request.group_count = 2;
	request.cluster = "prod-eks-eu-west-1-1";
	if (!client_certificate_issue(&fixture->settings, &request, &made, &error))
		fail_msg("%s", error);
	assert_int_equal(verify(made.certificate, fixture->settings.proxy.client_ca), X509_V_OK);
	assert_int_not_equal(
	    verify(made.certificate, fixture->settings.proxy.certificate), X509_V_OK);
	char *path = under(fixture, "file");
	assert_true(new_file_write(path, made.certificate, 0644, &error));
	X509 *certificate = pki_read_certificate(path, &error);
	const char *reason;
	struct identity *identity = identity_from_certificate(certificate, &reason);
	assert_string_equal(identity->user, "alice@example.com");
	assert_string_equal(identity->groups[1], groups[1]);
	assert_string_equal(identity->cluster, "prod-eks-eu-west-1-1");
	assert_string_equal(identity->certificate_serial, made.serial);
	assert_true(identity->expires.ms <= unix_now().ms + 3600 * 1000);
	assert_true(identity->expires.ms > unix_now().ms + 3500 * 1000);
	expect_record(fixture, &made);
	identity_unref(&identity);
	X509_free(certificate);
	free(path);
	client_certificate_free(&made);
}

static void refuse(
    struct fixture *fixture, const struct client_certificate_request *request, const char *part)
{
	struct client_certificate made;
	char *error = NULL;
	assert_false(client_certificate_issue(&fixture->settings, request, &made, &error));
	assert_null(made.certificate);
	expect_error(error, part);
}

static void refuse_user(struct fixture *fixture, const char *user, const char *part)
{
	struct client_certificate_request request = request_for(user);
	refuse(fixture, &request, part);
}

static void refuse_group(struct fixture *fixture, const char *group, const char *part)
{
	struct client_certificate_request request = request_for("alice");
	request.groups = &group;
	request.group_count = 1;
	refuse(fixture, &request, part);
}

static void test_cert_refuses_names(void **state)
{
	struct fixture *fixture = *state;
	make_first_files(fixture);
	refuse_user(fixture, "system:admin", "system:");
	refuse_user(fixture, "arn:aws:iam::123456789012:user/a",
	    "the user \"arn:aws:iam::123456789012:user/a\" begins with arn:");
	refuse_user(fixture, "", "the user is empty");
	refuse_user(fixture, "a\nb", "control character");
	refuse_user(fixture, "a\xff", "UTF-8");
	refuse_user(fixture, " a", "space");
	refuse_user(fixture, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	    "at most 64 characters");
	refuse_group(fixture, "system:masters", "the group \"system:masters\"");
	refuse_group(fixture, "", "the group is empty");
	struct client_certificate_request request = request_for("alice");
	request.cluster = "a/b";
	refuse(fixture, &request, "\"a/b\" is no name of a cluster");
	char *record = under(fixture, "private/issued-certificates.jsonl");
	assert_int_not_equal(access(record, F_OK), 0);
	free(record);
}

static void test_cert_needs_its_ca(void **state)
{
	struct fixture *fixture = *state;
	struct settings *settings = &fixture->settings;
	char *error = NULL;
	refuse_user(fixture, "alice", "client-ca.pem: No such file");
	make_first_files(fixture);
	char *ca = settings->proxy.client_ca, *key = settings->proxy.client_ca_key;
	settings->proxy.client_ca = settings->proxy.certificate;
	refuse_user(fixture, "alice", "is not the key of");
	settings->proxy.client_ca_key = settings->proxy.key;
	refuse_user(fixture, "alice", "is no CA certificate");
	settings->proxy.client_ca_key = settings->proxy.certificate;
	refuse_user(fixture, "alice", "holds no private key");
	settings->proxy.client_ca = settings->proxy.key;
	refuse_user(fixture, "alice", "holds no certificate");
	settings->proxy.client_ca_key = NULL;
	refuse_user(fixture, "alice", "are not set");
	settings->proxy.client_ca = ca;
	settings->proxy.client_ca_key = key;
	char *file = under(fixture, "file");
	assert_true(new_file_write(
	    file, "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n", 0600, &error));
	settings->proxy.client_ca = file;
	refuse_user(fixture, "alice", "holds no certificate");
	settings->proxy.client_ca = ca;
	free(file);
}

static void test_ttl(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t seconds; /* 0: refused */
	} rows[] = {{"8h", 28800}, {"60s", 60}, {"1m", 60}, {"30d", 2592000}, {"720h", 2592000},
	    {"59s", 0}, {"31d", 0}, {"0h", 0}, {"8", 0}, {"h", 0}, {"", 0}, {"-1h", 0}, {"8hh", 0},
	    {"1.5h", 0}, {"8w", 0}, {"99999999s", 0}, {" 8h", 0}, {"1h30m", 0}};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct duration ttl = {0};
		if (client_certificate_parse_ttl(rows[i].text, &ttl) != (rows[i].seconds != 0))
			fail_msg("%s", rows[i].text);
		if (rows[i].seconds != 0)
			assert_int_equal(ttl.ms, rows[i].seconds * 1000);
	}
}

/* --- files ----------------------------------------------------------------------------------- */

static void test_files_are_never_overwritten(void **state)
{
	struct fixture *fixture = *state;
	char *error = NULL, *path = under(fixture, "file");
	assert_true(new_file_write(path, "one", 0600, &error));
	assert_false(new_file_write(path, "two", 0600, &error));
	expect_error(error, "File exists");
	char *text = new_file_read(path, 3, &error);
	assert_string_equal(text, "one");
	free(text);
	assert_null(new_file_read(path, 2, &error));
	expect_error(error, "at most 2 bytes");
	assert_true(new_file_replace(path, "three", 0644, &error));
	assert_int_equal(mode_of(path), 0644);
	assert_true(new_file_append(path, " four", 0600, &error));
	text = new_file_read(path, 64, &error);
	assert_string_equal(text, "three four");
	free(text);
	free(path);
}

/* --- kubeconfig ------------------------------------------------------------------------------ */

static void test_kubeconfig(void **state)
{
	(void)state;
	static const char *const clusters[] = {"alpha", "beta-1"};
	struct kubeconfig_input input = {.server = "https://h:3026",
	    .ca = "CA",
	    .user = "alice@example.com",
	    .certificate = "CERT",
	    .key = "KEYS",
	    .clusters = clusters,
	    .cluster_count = 2};
	char *text = kubeconfig_text(&input);
	assert_string_equal(text, "apiVersion: v1\n"
				  "kind: Config\n"
				  "clusters:\n"
				  "  - name: alpha\n"
				  "    cluster:\n"
				  "      server: \"https://h:3026/clusters/alpha\"\n"
				  "      certificate-authority-data: \"Q0E=\"\n"
				  "  - name: beta-1\n"
				  "    cluster:\n"
				  "      server: \"https://h:3026/clusters/beta-1\"\n"
				  "      certificate-authority-data: \"Q0E=\"\n"
				  "contexts:\n"
				  "  - name: alpha\n"
				  "    context:\n"
				  "      cluster: alpha\n"
				  "      user: \"alice@example.com\"\n"
				  "  - name: beta-1\n"
				  "    context:\n"
				  "      cluster: beta-1\n"
				  "      user: \"alice@example.com\"\n"
				  "users:\n"
				  "  - name: \"alice@example.com\"\n"
				  "    user:\n"
				  "      client-certificate-data: \"Q0VSVA==\"\n"
				  "      client-key-data: \"S0VZUw==\"\n"
				  "current-context: alpha\n");
	xfree_secret(&text);
	input.key = NULL;
	text = kubeconfig_text(&input);
	assert_non_null(strstr(text, "    user: { }\n"));
	assert_null(strstr(text, "client-"));
	free(text);
}

static void test_kubeconfig_server(void **state)
{
	(void)state;
	static const char *const rows[][2] = {
	    {"proxy.example.com", "https://proxy.example.com:3026"},
	    {"proxy.example.com:443", "https://proxy.example.com:443"},
	    {"https://proxy.example.com:443", "https://proxy.example.com:443"},
	    {"HTTPS://proxy.example.com/", "https://proxy.example.com:3026"},
	    {"[::1]", "https://[::1]:3026"},
	    {"[::1]:9", "https://[::1]:9"},
	    {"http://proxy", NULL},
	    {"https://", NULL},
	    {"", NULL},
	    {":3026", NULL},
	    {"proxy:", NULL},
	    {"proxy:x", NULL},
	    {"proxy:1/x", NULL},
	    {"proxy/x", NULL},
	    {"a@b", NULL},
	    {"[::1", NULL},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char *server = kubeconfig_server(rows[i][0], 3026);
		if (rows[i][1] == NULL && server != NULL)
			fail_msg("%s became %s", rows[i][0], server);
		if (rows[i][1] != NULL)
			assert_string_equal(server, rows[i][1]);
		free(server);
	}
}

/* --- the verbs ------------------------------------------------------------------------------- */

static int run(int (*verb)(int, char **), const char *const *words)
{
	char *argv[12] = {NULL};
	int argc = 0;
	for (; words[argc] != NULL; argc++)
		argv[argc] = xstrdup(words[argc]);
	int status = verb(argc, argv);
	for (int i = 0; i < argc; i++)
		free(argv[i]);
	return status;
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void test_wrong_use(void **state)
{
	(void)state;
	assert_int_equal(run(cli_init, WORDS("init", "x")), CLI_USAGE);
	assert_int_equal(run(cli_init, WORDS("init", "--dir", "x")), CLI_USAGE);
	assert_int_equal(run(cli_init, WORDS("init", "--config", "/nonexistent")), CLI_NO);
	assert_int_equal(run(cli_cert, WORDS("cert")), CLI_USAGE);
	assert_int_equal(run(cli_cert, WORDS("cert", "a", "b")), CLI_USAGE);
	assert_int_equal(run(cli_cert, WORDS("cert", "a", "--ttl", "31d")), CLI_USAGE);
	assert_int_equal(run(cli_cert, WORDS("cert", "a", "--grop", "x")), CLI_USAGE);
	assert_int_equal(run(cli_cert, WORDS("cert", "--help")), CLI_DONE);
	assert_int_equal(run(cli_kubeconfig, WORDS("kubeconfig", "x")), CLI_USAGE);
	assert_int_equal(run(cli_kubeconfig, WORDS("kubeconfig", "--user-cert", "x")), CLI_USAGE);
	assert_int_equal(run(cli_kubeconfig, WORDS("kubeconfig", "--group", "x")), CLI_USAGE);
	assert_int_equal(run(cli_kubeconfig, WORDS("kubeconfig", "--instance", "../x")), CLI_USAGE);
	assert_int_equal(run(cli_kubeconfig, WORDS("kubeconfig", "--cert-for", "a", "--user-cert",
						 "x", "--user-key", "y")),
	    CLI_USAGE);
	assert_int_equal(run(cli_request_info, WORDS("request-info", "GET")), CLI_USAGE);
	assert_int_equal(
	    run(cli_request_info, WORDS("request-info", "GET", "/api/v1/pods")), CLI_DONE);
	assert_int_equal(run(cli_request_info, WORDS("request-info", "GET", "//")), CLI_NO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_init_makes_what_a_start_needs, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_init_is_idempotent, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_init_goes_on_and_refuses, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_cert_is_accepted_at_the_door, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_cert_refuses_names, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_cert_needs_its_ca, set_up, tear_down),
	    cmocka_unit_test(test_ttl),
	    cmocka_unit_test_setup_teardown(test_files_are_never_overwritten, set_up, tear_down),
	    cmocka_unit_test(test_kubeconfig),
	    cmocka_unit_test(test_kubeconfig_server),
	    cmocka_unit_test(test_wrong_use),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
