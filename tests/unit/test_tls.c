/* TLS on both sides: what clients' certificates lead to, which servers are believed, which files
 * are refused and why. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "common/xmem.h"
#include "tests/unit/stream_ends.h"

/* --- a client that we do not control: plain OpenSSL ----------------------------------------------
 */

struct raw {
	SSL_CTX *context;
	SSL *ssl;
	SSL_SESSION *session;
	int fd;
	bool is_done, has_failed;
};

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
	struct raw *raw = SSL_get_app_data(ssl);
	SSL_SESSION_free(raw->session);
	raw->session = session;
	return 1;
}

static struct raw raw_new(const struct identity *identity)
{
	struct raw raw = {.context = SSL_CTX_new(TLS_client_method()), .fd = -1};
	SSL_CTX_set_session_cache_mode(
	    raw.context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(raw.context, keep_session);
	if (identity != NULL) {
		assert_int_equal(SSL_CTX_use_certificate(raw.context, identity->certificate), 1);
		assert_int_equal(SSL_CTX_use_PrivateKey(raw.context, identity->key), 1);
	}
	return raw;
}

static void raw_disconnect(struct raw *raw)
{
	/* Without this OpenSSL takes the session for broken and does not resume it. */
	if (raw->ssl != NULL)
		SSL_set_shutdown(raw->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(raw->ssl);
	raw->ssl = NULL;
	if (raw->fd >= 0)
		close(raw->fd);
	raw->fd = -1;
	raw->is_done = raw->has_failed = false;
}

static void raw_free(struct raw *raw)
{
	raw_disconnect(raw);
	SSL_SESSION_free(raw->session);
	SSL_CTX_free(raw->context);
}

static void raw_connect(struct raw *raw, struct world *world)
{
	raw->fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(
	    connect(raw->fd, (struct sockaddr *)&world->address, sizeof world->address), 0);
	assert_int_equal(fcntl(raw->fd, F_SETFL, O_NONBLOCK), 0);
	raw->ssl = SSL_new(raw->context);
	SSL_set_app_data(raw->ssl, raw);
	SSL_set_fd(raw->ssl, raw->fd);
	SSL_set_connect_state(raw->ssl);
	if (raw->session != NULL)
		assert_int_equal(SSL_set_session(raw->ssl, raw->session), 1);
	world->accepted.stream = stream_accept(
	    world->loop, world_accept(world), world->tls, NULL, &end_events, &world->accepted);
}

/* One step; true when the handshake is over, one way or the other. Reading takes tickets in. */
static bool raw_step(void *arg)
{
	struct raw *raw = arg;
	char byte;
	ERR_clear_error();
	int result = raw->is_done ? SSL_read(raw->ssl, &byte, 1) : SSL_do_handshake(raw->ssl);
	int error = SSL_get_error(raw->ssl, result);
	if (result == 1)
		raw->is_done = true;
	else if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
		raw->has_failed = true;
	return raw->is_done || raw->has_failed;
}

static bool has_ticket(void *arg)
{
	struct raw *raw = arg;
	return raw_step(raw) && raw->session != NULL && SSL_SESSION_has_ticket(raw->session);
}

static void drop_accepted(struct world *world)
{
	stream_close(&world->accepted.stream);
	free(world->accepted.error);
	buf_free(&world->accepted.received);
	world->accepted = (struct end){0};
}

static void raw_open(struct raw *raw, struct world *world)
{
	raw_connect(raw, world);
	world_run(world, raw_step, raw);
	world_run(world, is_open, &world->accepted);
}

/* --- clients' certificates ------------------------------------------------------------------- */

static void takes_a_good_client_certificate(void **state)
{
	static const char *const groups[] = {"developers", "on-call", NULL};
	struct world *world = *state;
	struct identity alice = make_leaf(&world->authority,
	    &(struct leaf_options){
		.common_name = "alice", .organizations = groups, .usage = "clientAuth"});
	struct raw raw = raw_new(&alice);
	raw_open(&raw, world);
	X509 *seen = stream_peer_certificate(world->accepted.stream);
	assert_non_null(seen);
	assert_int_equal(X509_cmp(seen, alice.certificate), 0);
	assert_null(stream_peer_error(world->accepted.stream));
	raw_free(&raw);
	free_identity(&alice);
}

static void goes_on_with_a_bad_client_certificate(void **state)
{
	struct world *world = *state;
	struct identity stranger = make_authority("a stranger"),
			twin = make_authority("the authority");
	const struct {
		const struct identity *issuer;
		struct leaf_options options;
		const char *wanted;
	} rows[] = {
	    {&world->authority,
		{.common_name = "a", .usage = "clientAuth", .begins = -100, .ends = -1},
		"certificate has expired"},
	    {&world->authority,
		{.common_name = "a", .usage = "clientAuth", .begins = 100, .ends = 200},
		"certificate is not yet valid"},
	    {&world->authority, {.common_name = "a", .usage = "serverAuth"},
		"unsuitable certificate purpose"},
	    {&stranger, {.common_name = "a", .usage = "clientAuth"},
		"unable to get local issuer certificate"},
	    {&twin, {.common_name = "a", .usage = "clientAuth"},
		"unable to get local issuer certificate"},
	    /* The first thing that is wrong is told. */
	    {&stranger, {.common_name = "a", .usage = "clientAuth", .begins = -100, .ends = -1},
		"unable to get local issuer certificate"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct identity leaf = make_leaf(rows[i].issuer, &rows[i].options);
		struct raw raw = raw_new(&leaf);
		raw_open(&raw, world);
		assert_null(stream_peer_certificate(world->accepted.stream));
		assert_string_equal(stream_peer_error(world->accepted.stream), rows[i].wanted);
		raw_free(&raw);
		free_identity(&leaf);
		drop_accepted(world);
	}
	free_identity(&stranger);
	free_identity(&twin);
}

static void goes_on_without_a_client_certificate(void **state)
{
	struct world *world = *state;
	struct raw raw = raw_new(NULL);
	raw_open(&raw, world);
	assert_null(stream_peer_certificate(world->accepted.stream));
	assert_null(stream_peer_error(world->accepted.stream));
	raw_free(&raw);
}

/* A resumed session has the certificate of the first one; who was refused is verified anew. */
static void resumes_what_was_accepted(void **state)
{
	struct world *world = *state;
	for (unsigned i = 0; i < 4; i++) {
		bool is_expired = i % 2 == 1;
		struct identity leaf = make_leaf(&world->authority,
		    &(struct leaf_options){
			.common_name = "a", .begins = -100, .ends = is_expired ? -1 : 1000});
		struct raw raw = raw_new(&leaf);
		if (i >= 2)
			SSL_CTX_set_max_proto_version(raw.context, TLS1_2_VERSION);
		raw_open(&raw, world);
		world_run(world, has_ticket, &raw);
		raw_disconnect(&raw);
		drop_accepted(world);
		raw_open(&raw, world);
		assert_int_equal(SSL_session_reused(raw.ssl), !is_expired);
		assert_int_equal(
		    stream_peer_certificate(world->accepted.stream) == NULL, is_expired);
		assert_int_equal(stream_peer_error(world->accepted.stream) != NULL, is_expired);
		raw_free(&raw);
		free_identity(&leaf);
		drop_accepted(world);
	}
}

static void another_context_takes_no_ticket_of_this_one(void **state)
{
	struct world *world = *state;
	struct raw raw = raw_new(NULL);
	raw_open(&raw, world);
	world_run(world, has_ticket, &raw);
	raw_disconnect(&raw);
	drop_accepted(world);
	static const char *const protocols[] = {"http/1.1", NULL};
	char *certificate = world_path(world, "server.pem"), *key = world_path(world, "server.key"),
	     *ca = world_path(world, "ca.pem"), *error = NULL;
	struct tls_server *renewed = tls_server_new(certificate, key, ca, protocols, &error);
	assert_non_null(renewed);
	tls_server_free(&world->tls);
	world->tls = renewed;
	raw_open(&raw, world);
	assert_false(SSL_session_reused(raw.ssl));
	raw_free(&raw);
	free(certificate);
	free(key);
	free(ca);
}

/* A reload in the middle of a handshake: the stream keeps the context it began with. */
static void outlives_its_server(void **state)
{
	static const uint8_t protocols[] = "\x08http/1.1";
	struct world *world = *state;
	struct raw raw = raw_new(NULL);
	SSL_CTX_set_alpn_protos(raw.context, protocols, sizeof protocols - 1);
	raw_connect(&raw, world);
	tls_server_free(&world->tls);
	world_run(world, raw_step, &raw);
	world_run(world, is_open, &world->accepted);
	assert_string_equal(stream_alpn(world->accepted.stream), "http/1.1");
	raw_free(&raw);
}

/* --- versions, suites, protocols ------------------------------------------------------------- */

static void speaks_modern_tls_alone(void **state)
{
	static const struct {
		int version;
		const char *suites;
		const char *wanted; /* NULL: no handshake */
	} rows[] = {
	    {TLS1_3_VERSION, NULL, "TLS_AES_128_GCM_SHA256"},
	    {TLS1_2_VERSION, "DEFAULT", "ECDHE-ECDSA-AES128-GCM-SHA256"},
	    {TLS1_2_VERSION, "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-ECDSA-CHACHA20-POLY1305"},
	    {TLS1_2_VERSION, "ECDHE-ECDSA-AES128-SHA256", NULL},
	    {TLS1_2_VERSION, "ECDHE-ECDSA-AES256-SHA", NULL},
	    {TLS1_1_VERSION, "DEFAULT@SECLEVEL=0", NULL},
	};
	struct world *world = *state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct raw raw = raw_new(NULL);
		SSL_CTX_set_min_proto_version(raw.context, rows[i].version);
		SSL_CTX_set_max_proto_version(raw.context, rows[i].version);
		if (rows[i].suites != NULL)
			assert_int_equal(SSL_CTX_set_cipher_list(raw.context, rows[i].suites), 1);
		raw_connect(&raw, world);
		world_run(world, raw_step, &raw);
		world_run(world, rows[i].wanted != NULL ? is_open : has_error, &world->accepted);
		assert_int_equal(raw.is_done, rows[i].wanted != NULL);
		if (rows[i].wanted != NULL)
			assert_string_equal(SSL_get_cipher_name(raw.ssl), rows[i].wanted);
		raw_free(&raw);
		drop_accepted(world);
	}
}

static void chooses_the_protocol(void **state)
{
	static const struct {
		const char *offered;
		const char *wanted; /* NULL: no handshake */
	} rows[] = {
	    {"\x08http/1.1\x02h2", "h2"},
	    {"\x08http/1.1", "http/1.1"},
	    {"\x06spdy/3\x08http/1.1", "http/1.1"},
	    {"", "http/1.1"},
	    {"\x02h3", NULL},
	};
	struct world *world = *state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct raw raw = raw_new(NULL);
		const unsigned char *offered = (const unsigned char *)rows[i].offered;
		unsigned len = (unsigned)strlen(rows[i].offered);
		assert_int_equal(SSL_CTX_set_alpn_protos(raw.context, offered, len), 0);
		raw_connect(&raw, world);
		world_run(world, raw_step, &raw);
		world_run(world, rows[i].wanted != NULL ? is_open : has_error, &world->accepted);
		if (rows[i].wanted != NULL)
			assert_string_equal(stream_alpn(world->accepted.stream), rows[i].wanted);
		raw_free(&raw);
		drop_accepted(world);
	}
}

static void hears_the_server_name_in_lower_case(void **state)
{
	struct world *world = *state;
	struct raw raw = raw_new(NULL);
	raw_connect(&raw, world);
	SSL_set_tlsext_host_name(raw.ssl, "Prod.Example.COM");
	world_run(world, raw_step, &raw);
	world_run(world, is_open, &world->accepted);
	assert_string_equal(stream_server_name(world->accepted.stream), "prod.example.com");
	raw_free(&raw);
}

/* --- files ----------------------------------------------------------------------------------- */

static void write_sealed_key(const char *path, EVP_PKEY *key)
{
	FILE *file = fopen(path, "w");
	char passphrase[] = "secret";
	assert_int_equal(
	    PEM_write_PKCS8PrivateKey(file, key, EVP_aes_256_cbc(), passphrase, 6, NULL, NULL), 1);
	fclose(file);
}

static void refuses_bad_files(void **state)
{
	static const struct {
		const char *certificate, *key, *ca, *wanted;
	} rows[] = {
	    {"absent.pem", "server.key", "ca.pem", "absent.pem: No such file or directory"},
	    {"garbage.pem", "server.key", "ca.pem", "garbage.pem: no PEM certificate in it"},
	    {"empty.pem", "server.key", "ca.pem", "empty.pem: no PEM certificate in it"},
	    {"server.key", "server.key", "ca.pem", "server.key: no PEM certificate in it"},
	    {"server.pem", "absent.key", "ca.pem", "absent.key: "},
	    {"server.pem", "garbage.pem", "ca.pem", "garbage.pem: no PEM private key"},
	    {"server.pem", "server.pem", "ca.pem", "server.pem: no PEM private key"},
	    {"server.pem", "sealed.key", "ca.pem",
		"sealed.key: no PEM private key without passphrase"},
	    {"server.pem", "other.key", "ca.pem",
		"other.key: the key does not belong to the certificate in"},
	    {"server.pem", "rsa.key", "ca.pem",
		"rsa.key: the key does not belong to the certificate in"},
	    {"server.pem", "server.key", "absent.pem", "absent.pem: No such file or directory"},
	    {"server.pem", "server.key", "garbage.pem", "garbage.pem: no PEM certificate in it"},
	    {"server.pem", "server.key", "broken.pem", "broken.pem: certificate 2: "},
	};
	static const char *const protocols[] = {"http/1.1", NULL};
	struct world *world = *state;
	char *paths[6];
	static const char *const names[] = {
	    "garbage.pem", "empty.pem", "broken.pem", "other.key", "rsa.key", "sealed.key"};
	for (size_t i = 0; i < 6; i++)
		paths[i] = world_path(world, names[i]);
	struct identity other = make_authority("other");
	EVP_PKEY *rsa = EVP_RSA_gen(2048);
	char *good = certificate_pem(world->authority.certificate);
	char *broken =
	    xasprintf("%s-----BEGIN CERTIFICATE-----\nMIIB!!!!\n-----END CERTIFICATE-----\n", good);
	write_text_file(paths[0], "this is not a certificate\n");
	write_text_file(paths[1], "");
	write_text_file(paths[2], broken);
	write_key_file(paths[3], other.key);
	write_key_file(paths[4], rsa);
	write_sealed_key(paths[5], other.key);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char *certificate = world_path(world, rows[i].certificate),
		     *key = world_path(world, rows[i].key), *ca = world_path(world, rows[i].ca),
		     *error = NULL;
		struct tls_server *server = tls_server_new(certificate, key, ca, protocols, &error);
		assert_null(server);
		if (strstr(error, rows[i].wanted) == NULL)
			fail_msg("%s: expected \"%s\"", error, rows[i].wanted);
		assert_int_equal(ERR_peek_error(), 0);
		free(error);
		free(certificate);
		free(key);
		free(ca);
	}
	for (size_t i = 0; i < 6; i++)
		free(paths[i]);
	free(good);
	free(broken);
	EVP_PKEY_free(rsa);
	free_identity(&other);
}

static void reads_bundles(void **state)
{
	struct world *world = *state;
	char *one = certificate_pem(world->authority.certificate),
	     *two = certificate_pem(world->server.certificate);
	char *cut = xstrndup(one, strlen(one) / 2);
	const struct {
		char *pem;
		const char *wanted; /* NULL: good */
	} rows[] = {
	    {xasprintf("%s%s", one, two), NULL},
	    {xasprintf("# the cluster's\n\n%s\n# and another\n%s\n", one, one), NULL},
	    {xstrdup(""), "no PEM certificate in it"},
	    {xstrdup("garbage"), "no PEM certificate in it"},
	    {xstrdup(cut), "certificate 1: "},
	    {xasprintf("%s%s", one, cut), "certificate 2: "},
	    {xstrdup("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"),
		"certificate 1: "},
	    {xstrdup("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"),
		"certificate 1: "},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char *error = NULL;
		struct tls_store *store = tls_store_new(rows[i].pem, strlen(rows[i].pem), &error);
		assert_int_equal(store != NULL, rows[i].wanted == NULL);
		if (rows[i].wanted != NULL && strstr(error, rows[i].wanted) == NULL)
			fail_msg("%s: expected \"%s\"", error, rows[i].wanted);
		if (store != NULL) {
			struct tls_store *again = tls_store_ref(store);
			tls_store_unref(&store);
			assert_null(store);
			tls_store_unref(&again);
		}
		free(error);
		free(rows[i].pem);
	}
	free(one);
	free(two);
	free(cut);
}

/* --- servers' certificates ------------------------------------------------------------------- */

/* A server with a certificate of its own in place of the world's. */
static void use_server(
    struct world *world, const struct identity *issuer, const struct leaf_options *options)
{
	static const char *const protocols[] = {"http/1.1", NULL};
	struct identity leaf = make_leaf(issuer, options);
	char *certificate = world_path(world, "own.pem"), *key = world_path(world, "own.key"),
	     *ca = world_path(world, "ca.pem"), *error = NULL;
	write_certificate_file(certificate, leaf.certificate);
	write_key_file(key, leaf.key);
	tls_server_free(&world->tls);
	world->tls = tls_server_new(certificate, key, ca, protocols, &error);
	assert_non_null(world->tls);
	free(certificate);
	free(key);
	free(ca);
	free_identity(&leaf);
}

static bool is_decided(void *end)
{
	return is_open(end) || has_error(end);
}

static void expect_verdict(struct world *world, const char *host, const char *wanted)
{
	struct tls_client *client = world_client(world, host);
	world_connect(world, client, NULL);
	world_run(world, is_decided, &world->client);
	tls_client_free(&client);
	if (wanted == NULL && world->client.error != NULL)
		fail_msg("%s: %s", host, world->client.error);
	if (wanted != NULL && world->client.error == NULL)
		fail_msg("%s: believed, expected \"%s\"", host, wanted);
	if (wanted != NULL && strncmp(world->client.error, wanted, strlen(wanted)) != 0)
		fail_msg("%s: %s: expected \"%s\"", host, world->client.error, wanted);
	stream_close(&world->client.stream);
	free(world->client.error);
	world->client = (struct end){0};
	drop_accepted(world);
}

static void believes_the_right_server_alone(void **state)
{
	static const struct {
		const char *names, *host, *wanted; /* NULL: believed */
	} rows[] = {
	    {"DNS:api.example", "api.example", NULL},
	    {"DNS:api.example", "API.Example", NULL},
	    {"DNS:*.eks.example", "api.eks.example", NULL},
	    {"IP:127.0.0.1", "127.0.0.1", NULL},
	    {"IP:::1", "::1", NULL},
	    {"IP:::1", "[::1]", NULL},
	    {"DNS:a.example,DNS:b.example", "api.example",
		"tls: certificate of api.example: hostname mismatch; it is for a.example, "
		"b.example"},
	    {"DNS:a.example,IP:10.0.0.1", "127.0.0.1",
		"tls: certificate of 127.0.0.1: IP address mismatch; it is for a.example, "
		"10.0.0.1"},
	    {"DNS:127.0.0.1", "127.0.0.1", "tls: certificate of 127.0.0.1: IP address mismatch"},
	    {"DNS:*.eks.example", "a.b.eks.example",
		"tls: certificate of a.b.eks.example: hostname mismatch"},
	    {"DNS:a*.eks.example", "api.eks.example",
		"tls: certificate of api.eks.example: hostname mismatch"},
	    {"DNS:example", "api.example", "tls: certificate of api.example: hostname mismatch"},
	    {"email:a@api.example", "api.example",
		"tls: certificate of api.example: hostname mismatch; it names no host"},
	    {NULL, "api.example",
		"tls: certificate of api.example: hostname mismatch; it names no host"},
	    {"DNS:api.example", "",
		"tls: certificate of malformed-host.invalid: hostname mismatch"},
	};
	struct world *world = *state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		use_server(world, &world->authority,
		    &(struct leaf_options){.common_name = "api.example",
			.names = rows[i].names,
			.usage = "serverAuth"});
		expect_verdict(world, rows[i].host, rows[i].wanted);
	}
}

static void believes_the_cluster_s_authority_alone(void **state)
{
	struct world *world = *state;
	struct identity stranger = make_authority("a stranger"),
			twin = make_authority("the authority");
	struct leaf_options leaf = {
	    .common_name = "a", .names = "DNS:api.example", .usage = "serverAuth"};
	const char *foreign =
	    "tls: certificate of api.example: unable to get local issuer certificate; it was "
	    "not issued by the certificate authority of the cluster";
	use_server(world, &stranger, &leaf);
	expect_verdict(world, "api.example", foreign);
	use_server(world, &twin, &leaf);
	expect_verdict(world, "api.example", foreign);
	leaf.begins = -100;
	leaf.ends = -1;
	use_server(world, &world->authority, &leaf);
	expect_verdict(world, "api.example",
	    "tls: certificate of api.example: certificate has expired; it ended 2");
	leaf.begins = 100;
	leaf.ends = 200;
	use_server(world, &world->authority, &leaf);
	expect_verdict(world, "api.example",
	    "tls: certificate of api.example: certificate is not yet valid; it begins 2");
	leaf = (struct leaf_options){
	    .common_name = "a", .names = "DNS:api.example", .usage = "clientAuth"};
	use_server(world, &world->authority, &leaf);
	expect_verdict(world, "api.example",
	    "tls: certificate of api.example: unsuitable certificate purpose");
	free_identity(&stranger);
	free_identity(&twin);
}

#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, world_set_up, world_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    WITH_WORLD(takes_a_good_client_certificate),
	    WITH_WORLD(goes_on_with_a_bad_client_certificate),
	    WITH_WORLD(goes_on_without_a_client_certificate),
	    WITH_WORLD(resumes_what_was_accepted),
	    WITH_WORLD(another_context_takes_no_ticket_of_this_one),
	    WITH_WORLD(outlives_its_server),
	    WITH_WORLD(speaks_modern_tls_alone),
	    WITH_WORLD(chooses_the_protocol),
	    WITH_WORLD(hears_the_server_name_in_lower_case),
	    WITH_WORLD(refuses_bad_files),
	    WITH_WORLD(reads_bundles),
	    WITH_WORLD(believes_the_right_server_alone),
	    WITH_WORLD(believes_the_cluster_s_authority_alone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
