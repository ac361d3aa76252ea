/* What a reload asks before it cuts open connections: whether the authorities for clients are
 * others now, and whether a certificate is of theirs; and that sessions are resumed by those alone
 * who verified them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "common/xmem.h"
#include "kubeproxyd/net/stream_parts.h"
#include "kubeproxyd/net/tls.h"
#include "tests/unit/resuming_client.h"
#include "tests/unit/stream_ends.h"

/* The world's server with the authorities in the file `name`. */
static struct tls_server *server_with(const struct world *world, const char *name)
{
	static const char *const protocols[] = {"http/1.1", NULL};
	char *certificate = world_path(world, "server.pem"), *key = world_path(world, "server.key"),
	     *ca = world_path(world, name), *error = NULL;
	struct tls_server *server = tls_server_new(certificate, key, ca, protocols, &error);
	assert_non_null(server);
	free(certificate);
	free(key);
	free(ca);
	return server;
}

static void write_authorities(
    const struct world *world, const char *name, X509 *first, X509 *second)
{
	char *path = world_path(world, name), *one = certificate_pem(first);
	char *two = second != NULL ? certificate_pem(second) : xstrdup("");
	char *both = xasprintf("%s%s", one, two);
	write_text_file(path, both);
	free(path);
	free(one);
	free(two);
	free(both);
}

static void changes_of_authorities_are_seen(void **state)
{
	const struct world *world = *state;
	struct identity twin = make_authority("the authority");
	X509 *own = world->authority.certificate;
	write_authorities(world, "twin.pem", twin.certificate, NULL);
	write_authorities(world, "both.pem", own, twin.certificate);
	write_authorities(world, "turned.pem", twin.certificate, own);
	struct tls_server *same = server_with(world, "ca.pem"),
			  *other = server_with(world, "twin.pem"),
			  *both = server_with(world, "both.pem"),
			  *turned = server_with(world, "turned.pem");
	assert_true(tls_server_has_same_authorities(world->tls, same));
	assert_true(tls_server_has_same_authorities(both, turned));
	assert_false(tls_server_has_same_authorities(world->tls, other));
	assert_false(tls_server_has_same_authorities(world->tls, both));
	assert_false(tls_server_has_same_authorities(both, world->tls));
	tls_server_free(&same);
	tls_server_free(&other);
	tls_server_free(&both);
	tls_server_free(&turned);
	free_identity(&twin);
}

static void certificates_are_of_an_authority_or_not(void **state)
{
	const struct world *world = *state;
	struct identity twin = make_authority("the authority");
	struct identity client = make_leaf(&world->authority,
	    &(const struct leaf_options){.common_name = "a", .usage = "clientAuth"});
	struct identity expired = make_leaf(&world->authority,
	    &(const struct leaf_options){
		.common_name = "a", .usage = "clientAuth", .begins = -100, .ends = -1});
	struct identity server = make_leaf(&world->authority,
	    &(const struct leaf_options){.common_name = "a", .usage = "serverAuth"});
	write_authorities(world, "twin.pem", twin.certificate, NULL);
	struct tls_server *other = server_with(world, "twin.pem");
	assert_true(tls_server_trusts(world->tls, client.certificate, NULL));
	assert_true(tls_server_trusts(world->tls, expired.certificate, NULL));
	assert_false(tls_server_trusts(world->tls, server.certificate, NULL));
	assert_false(tls_server_trusts(other, client.certificate, NULL));
	tls_server_free(&other);
	free_identity(&twin);
	free_identity(&client);
	free_identity(&expired);
	free_identity(&server);
}

/* A list of `issuer` that revokes `revoked`, or nobody; seconds from now. */
static void write_list(const struct world *world, const char *name, const struct identity *issuer,
    const X509 *revoked, long begins, long ends)
{
	char *path = world_path(world, name);
	FILE *file = fopen(path, "a");
	X509_CRL *list = X509_CRL_new();
	ASN1_TIME *from = ASN1_TIME_adj(NULL, time(NULL), 0, begins),
		  *to = ASN1_TIME_adj(NULL, time(NULL), 0, ends);
	X509V3_CTX about;
	X509_CRL_set_version(list, X509_CRL_VERSION_2);
	X509_CRL_set_issuer_name(list, X509_get_subject_name(issuer->certificate));
	X509_CRL_set1_lastUpdate(list, from);
	X509_CRL_set1_nextUpdate(list, to);
	if (revoked != NULL) {
		X509_REVOKED *one = X509_REVOKED_new();
		X509_REVOKED_set_serialNumber(
		    one, (ASN1_INTEGER *)(uintptr_t)X509_get0_serialNumber(revoked));
		X509_REVOKED_set_revocationDate(one, from);
		X509_CRL_add0_revoked(list, one);
	}
	X509V3_set_ctx(&about, issuer->certificate, NULL, NULL, list, 0);
	X509_EXTENSION *key =
	    X509V3_EXT_conf_nid(NULL, &about, NID_authority_key_identifier, "keyid");
	if (key != NULL)
		X509_CRL_add_ext(list, key, -1);
	X509_EXTENSION_free(key);
	assert_true(X509_CRL_sign(list, issuer->key, EVP_sha256()) > 0);
	assert_int_equal(PEM_write_X509_CRL(file, list), 1);
	fclose(file);
	X509_CRL_free(list);
	ASN1_TIME_free(from);
	ASN1_TIME_free(to);
	free(path);
}

static void use_lists(const struct world *world, struct tls_server *server, const char *name)
{
	char *path = world_path(world, name), *error = NULL;
	assert_true(tls_server_use_crls(server, &path, 1, &error));
	free(path);
}

/* Of the future is a list to whom the clock here is a little late. */
static void lists_of_the_future_revoke_and_overdue_ones_cut(void **state)
{
	const struct world *world = *state;
	const struct leaf_options options = {.common_name = "a", .usage = "clientAuth"};
	struct identity good = make_leaf(&world->authority, &options);
	struct identity lost = make_leaf(&world->authority, &options);
	struct tls_server *future = server_with(world, "ca.pem"),
			  *overdue = server_with(world, "ca.pem");
	write_list(world, "future.crl", &world->authority, lost.certificate, 60, 3600);
	write_list(world, "overdue.crl", &world->authority, NULL, -3600, -60);
	use_lists(world, future, "future.crl");
	use_lists(world, overdue, "overdue.crl");
	assert_true(tls_server_trusts(future, good.certificate, NULL));
	assert_false(tls_server_trusts(future, lost.certificate, NULL));
	assert_false(tls_server_trusts(overdue, good.certificate, NULL));
	tls_server_free(&future);
	tls_server_free(&overdue);
	free_identity(&good);
	free_identity(&lost);
}

/* Who came by certificates in between is of the authority that vouches for them, resumed or not,
 * and what becomes of others does not matter. */
static void a_resumed_chain_is_proved_again(void **state)
{
	struct world *world = *state;
	const struct leaf_options options = {.common_name = "a", .usage = "clientAuth"};
	struct identity between = make_authority_under(&world->authority, "between"),
			leaf = make_leaf(&between, &options), other = make_authority("other");
	write_authorities(world, "other.pem", other.certificate, NULL);
	write_authorities(world, "two.pem", world->authority.certificate, other.certificate);
	write_list(world, "other.crl", &other, NULL, -3600, -60);
	write_list(world, "own.crl", &world->authority, NULL, -3600, -60);
	write_list(world, "revoked.crl", &world->authority, between.certificate, -60, 3600);
	const struct {
		const char *authorities, *list;
		bool is_trusted;
	} rows[] = {
	    {"ca.pem", NULL, true},
	    {"two.pem", NULL, true},
	    {"two.pem", "other.crl", true},
	    {"two.pem", "own.crl", false},
	    {"ca.pem", "revoked.crl", false},
	    {"other.pem", NULL, false},
	};
	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		struct resuming_client client;
		resuming_client_init(&client, &leaf, version);
		assert_int_equal(SSL_CTX_add1_chain_cert(client.context, between.certificate), 1);
		for (unsigned i = 0; i < 3 * sizeof rows / sizeof rows[0]; i++) {
			SSL *accepted = resuming_client_connect(&client, world->tls);
			size_t row = i / 3;
			struct tls_server *now = server_with(world, rows[row].authorities);
			assert_int_equal(SSL_session_reused(accepted), i > 0);
			assert_int_equal(SSL_get_verify_result(accepted), X509_V_OK);
			if (rows[row].list != NULL)
				use_lists(world, now, rows[row].list);
			if (tls_server_trusts_session(now, accepted) != rows[row].is_trusted)
				fail_msg("%zu, round %u", row, i % 3);
			tls_server_free(&now);
			SSL_free(accepted);
		}
		resuming_client_free(&client);
	}
	free_identity(&between);
	free_identity(&leaf);
	free_identity(&other);
}

/* What strangers send is kept as long as their connections. */
static void a_chain_has_a_bound(void **state)
{
	struct world *world = *state;
	const struct leaf_options options = {.common_name = "a", .usage = "clientAuth"};
	struct identity between = make_authority_under(&world->authority, "between"),
			leaf = make_leaf(&between, &options);
	int size = i2d_X509(between.certificate, NULL);
	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		for (int kib = 14; kib <= 17; kib += 3) {
			struct resuming_client client;
			resuming_client_init(&client, &leaf, version);
			for (int i = 0; i < kib * 1024 / size; i++)
				SSL_CTX_add1_chain_cert(client.context, between.certificate);
			SSL *accepted = resuming_client_try(&client, world->tls);
			assert_int_equal(accepted != NULL, kib < 16);
			SSL_free(accepted);
			resuming_client_free(&client);
		}
	}
	free_identity(&between);
	free_identity(&leaf);
}

/* Nothing is known of it any more, and so nobody is trusted by it. */
static void a_chain_too_long_for_a_ticket(void **state)
{
	enum { LONG = 24 };
	struct world *world = *state;
	const struct leaf_options options = {.common_name = "a", .usage = "clientAuth"};
	struct identity between[LONG];
	for (size_t i = 0; i < LONG; i++) {
		char *name = xasprintf("number %zu of very many between", i);
		between[i] =
		    make_authority_under(i == 0 ? &world->authority : &between[i - 1], name);
		free(name);
	}
	struct identity leaf = make_leaf(&between[LONG - 1], &options);
	struct resuming_client client;
	resuming_client_init(&client, &leaf, TLS1_3_VERSION);
	for (size_t i = LONG; i > 0; i--)
		assert_int_equal(
		    SSL_CTX_add1_chain_cert(client.context, between[i - 1].certificate), 1);
	for (unsigned i = 0; i < 3; i++) {
		SSL *accepted = resuming_client_connect(&client, world->tls);
		assert_int_equal(SSL_session_reused(accepted), i > 0);
		assert_int_equal(SSL_get_verify_result(accepted), X509_V_OK);
		assert_int_equal(tls_server_trusts_session(world->tls, accepted), i == 0);
		SSL_free(accepted);
	}
	resuming_client_free(&client);
	free_identity(&leaf);
	for (size_t i = 0; i < LONG; i++)
		free_identity(&between[i]);
}

/* Of two authorities with one name each has lists of its own; of its lists the last one counts. */
static void lists_end_for_each_authority(void **state)
{
	const struct world *world = *state;
	const struct unix_time never = {0};
	struct identity twin = make_authority("the authority");
	write_authorities(world, "pair.pem", world->authority.certificate, twin.certificate);
	struct tls_server *server = server_with(world, "pair.pem");
	write_list(world, "pair.crl", &world->authority, NULL, -100, 50);
	write_list(world, "pair.crl", &world->authority, NULL, -10, 5000);
	write_list(world, "pair.crl", &twin, NULL, -100, 900);
	use_lists(world, server, "pair.crl");
	int64_t now = unix_now().ms, first = tls_server_lists_end(server, never).ms;
	assert_in_range(first - now, 898000, 902000);
	int64_t second = tls_server_lists_end(server, (struct unix_time){first}).ms;
	assert_in_range(second - now, 4998000, 5002000);
	tls_server_free(&server);
	free_identity(&twin);
}

/* Towards an API server: the second connection of a client spares the certificates, that of another
 * client, which may trust others, does not. */
static void a_client_resumes_its_own_sessions(void **state)
{
	struct world *world = *state;
	struct tls_client *first = world_client(world, "api.example");
	struct tls_client *other = world_client(world, "api.example");
	struct tls_client *const rows[] = {first, first, first, other};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		world_connect(world, rows[i], NULL);
		world_run(world, is_open, &world->client);
		world_run(world, is_open, &world->accepted);
		bool is_resumed = SSL_session_reused(world->accepted.stream->io.ssl) == 1;
		assert_int_equal(is_resumed, i == 1 || i == 2);
		world_wait(world, 20); /* the ticket comes behind the handshake */
		stream_close(&world->client.stream);
		stream_close(&world->accepted.stream);
		world->client.is_open = world->accepted.is_open = false;
	}
	tls_client_free(&first);
	tls_client_free(&other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		changes_of_authorities_are_seen, world_set_up, world_tear_down),
	    cmocka_unit_test_setup_teardown(
		certificates_are_of_an_authority_or_not, world_set_up, world_tear_down),
	    cmocka_unit_test_setup_teardown(
		lists_of_the_future_revoke_and_overdue_ones_cut, world_set_up, world_tear_down),
	    cmocka_unit_test_setup_teardown(
		a_resumed_chain_is_proved_again, world_set_up, world_tear_down),
	    cmocka_unit_test_setup_teardown(a_chain_has_a_bound, world_set_up, world_tear_down),
	    cmocka_unit_test_setup_teardown(
		a_chain_too_long_for_a_ticket, world_set_up, world_tear_down),
	    cmocka_unit_test_setup_teardown(
		lists_end_for_each_authority, world_set_up, world_tear_down),
	    cmocka_unit_test_setup_teardown(
		a_client_resumes_its_own_sessions, world_set_up, world_tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
