/* What a resumed session takes over from the first one, and what not: the certificate as long as
 * all holds that spoke for it, and never the server name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "common/xmem.h"
#include "kubeproxyd/net/tls.h"
#include "kubeproxyd/net/tls_asked_name.h"
#include "kubeproxyd/net/tls_ticket_end.h"
#include "tests/unit/resuming_client.h"
#include "tests/unit/stream_ends.h"

static const int versions[] = {TLS1_3_VERSION, TLS1_2_VERSION};
#define VERSIONS (sizeof versions / sizeof versions[0])
/* Times in certificates and lists are of whole seconds. */
#define SOON 2

static struct identity make_alice(struct world *world, long ends)
{
	return make_leaf(&world->authority,
	    &(struct leaf_options){.common_name = "alice", .begins = -100, .ends = ends});
}

static void ask(struct world *world, struct resuming_client *client, const char *name,
    bool is_resumed, const char *heard)
{
	client->asks_for = name;
	SSL *accepted = resuming_client_connect(client, world->tls);
	char *taken = tls_asked_name_take(accepted);
	assert_int_equal(SSL_session_reused(accepted), is_resumed);
	if (heard != NULL)
		assert_string_equal(taken, heard);
	else
		assert_null(taken);
	assert_null(tls_asked_name_take(accepted));
	free(taken);
	SSL_free(accepted);
}

static void the_name_is_the_one_asked_for_now(void **state)
{
	struct world *world = *state;
	struct identity alice = make_alice(world, 1000);
	for (size_t i = 0; i < VERSIONS; i++) {
		struct resuming_client client;
		resuming_client_init(&client, &alice, versions[i]);
		ask(world, &client, "a.example", false, "a.example");
		ask(world, &client, "a.example", true, "a.example");
		ask(world, &client, "B.Example", true, "b.example");
		ask(world, &client, NULL, true, NULL);
		ask(world, &client, "c.example", true, "c.example");
		resuming_client_free(&client);
	}
	free_identity(&alice);
}

/* Since a name can choose a certificate OpenSSL keeps it with the session. */
static void it_is_so_with_several_certificates(void **state)
{
	struct world *world = *state;
	char *certificate = world_path(world, "server.pem"), *key = world_path(world, "server.key"),
	     *error = NULL;
	assert_true(tls_server_add(world->tls, certificate, key, &error));
	the_name_is_the_one_asked_for_now(state);
	free(certificate);
	free(key);
}

/* --- the end of a ticket ----------------------------------------------------------------------
 */

static void await(time_t second)
{
	for (unsigned i = 0; i < 100 * SOON && time(NULL) < second; i++)
		usleep(20000);
	assert_true(time(NULL) >= second);
}

static void expect(
    struct world *world, struct resuming_client *client, bool is_resumed, long verdict)
{
	SSL *accepted = resuming_client_connect(client, world->tls);
	assert_int_equal(SSL_session_reused(accepted), is_resumed);
	assert_int_equal(SSL_get_verify_result(accepted), verdict);
	SSL_free(accepted);
}

static void set_time(X509_CRL *list, int (*set)(X509_CRL *, const ASN1_TIME *), time_t second)
{
	ASN1_TIME *time = ASN1_TIME_set(NULL, second);
	assert_int_equal(set(list, time), 1);
	ASN1_TIME_free(time);
}

/* A list that revokes nobody. */
static void write_list(const char *path, const struct identity *authority, time_t next)
{
	X509_CRL *list = X509_CRL_new();
	assert_int_equal(X509_CRL_set_version(list, X509_CRL_VERSION_2), 1);
	assert_int_equal(
	    X509_CRL_set_issuer_name(list, X509_get_subject_name(authority->certificate)), 1);
	set_time(list, X509_CRL_set1_lastUpdate, time(NULL) - 100);
	set_time(list, X509_CRL_set1_nextUpdate, next);
	assert_true(X509_CRL_sign(list, authority->key, EVP_sha256()) > 0);
	BIO *bio = BIO_new_file(path, "w");
	assert_int_equal(PEM_write_bio_X509_CRL(bio, list), 1);
	BIO_free(bio);
	X509_CRL_free(list);
}

static void a_ticket_ends_with_the_certificate(void **state)
{
	struct world *world = *state;
	struct resuming_client clients[VERSIONS];
	time_t end = time(NULL) + SOON;
	struct identity alice = make_alice(world, SOON);
	for (size_t i = 0; i < VERSIONS; i++) {
		resuming_client_init(&clients[i], &alice, versions[i]);
		expect(world, &clients[i], false, X509_V_OK);
		expect(world, &clients[i], true, X509_V_OK);
		expect(world, &clients[i], true, X509_V_OK);
	}
	await(end + 1);
	for (size_t i = 0; i < VERSIONS; i++) {
		expect(world, &clients[i], false, X509_V_ERR_CERT_HAS_EXPIRED);
		resuming_client_free(&clients[i]);
	}
	free_identity(&alice);
}

static void a_ticket_ends_with_the_revocation_list(void **state)
{
	struct world *world = *state;
	struct resuming_client clients[VERSIONS];
	struct identity alice = make_alice(world, 1000);
	time_t end = time(NULL) + SOON;
	char *path = world_path(world, "list.pem"), *error = NULL;
	write_list(path, &world->authority, end);
	assert_true(tls_server_use_crls(world->tls, &path, 1, &error));
	for (size_t i = 0; i < VERSIONS; i++) {
		resuming_client_init(&clients[i], &alice, versions[i]);
		expect(world, &clients[i], false, X509_V_OK);
		expect(world, &clients[i], true, X509_V_OK);
	}
	await(end + 1);
	for (size_t i = 0; i < VERSIONS; i++) {
		expect(world, &clients[i], false, X509_V_ERR_CRL_HAS_EXPIRED);
		/* Nor is what was refused resumed. */
		expect(world, &clients[i], false, X509_V_ERR_CRL_HAS_EXPIRED);
		resuming_client_free(&clients[i]);
	}
	free(path);
	free_identity(&alice);
}

/* Or it would be refused for ever, whatever becomes right. */
static void who_was_refused_is_judged_again(void **state)
{
	struct world *world = *state;
	struct identity early = make_leaf(&world->authority,
	    &(struct leaf_options){.common_name = "alice", .begins = 500, .ends = 1000});
	for (size_t i = 0; i < VERSIONS; i++) {
		struct resuming_client client;
		resuming_client_init(&client, &early, versions[i]);
		expect(world, &client, false, X509_V_ERR_CERT_NOT_YET_VALID);
		expect(world, &client, false, X509_V_ERR_CERT_NOT_YET_VALID);
		resuming_client_free(&client);
	}
	free_identity(&early);
}

/* As the version before did, whose tickets may still be about. */
static int seal_shorter(SSL *ssl, void *arg)
{
	(void)arg;
	static const int64_t end = INT64_MAX;
	return SSL_SESSION_set1_ticket_appdata(SSL_get_session(ssl), &end, sizeof end);
}

static void a_ticket_that_says_less_is_not_used(void **state)
{
	struct world *world = *state;
	struct identity alice = make_alice(world, 1000);
	SSL *any = tls_server_session(world->tls);
	SSL_CTX *context = SSL_get_SSL_CTX(any);
	for (size_t i = 0; i < VERSIONS; i++) {
		struct resuming_client client;
		resuming_client_init(&client, &alice, versions[i]);
		SSL_CTX_set_session_ticket_cb(context, seal_shorter, NULL, NULL);
		expect(world, &client, false, X509_V_OK);
		expect(world, &client, true, X509_V_OK);
		tls_ticket_end_mark(context);
		expect(world, &client, false, X509_V_OK);
		expect(world, &client, true, X509_V_OK);
		resuming_client_free(&client);
	}
	SSL_free(any);
	free_identity(&alice);
}

/* It is known of the resumed as of the first, and is not the end of the client's own. */
static void the_end_of_the_authority_is_resumed(void **state)
{
	struct world *world = *state;
	struct identity alice = make_alice(world, 1000);
	struct tm parts;
	assert_int_equal(
	    ASN1_TIME_to_tm(X509_get0_notAfter(world->authority.certificate), &parts), 1);
	int64_t end = (int64_t)timegm(&parts) * 1000;
	for (size_t i = 0; i < VERSIONS; i++) {
		struct resuming_client client;
		resuming_client_init(&client, &alice, versions[i]);
		for (unsigned round = 0; round < 3; round++) {
			SSL *accepted = resuming_client_connect(&client, world->tls);
			assert_int_equal(SSL_session_reused(accepted), round > 0);
			assert_int_equal(tls_session_authorities_end(accepted).ms, end);
			SSL_free(accepted);
		}
		resuming_client_free(&client);
	}
	free_identity(&alice);
}

/* Its certificate with another end. */
static X509 *authority_until(const struct world *world, time_t end)
{
	X509 *certificate = X509_dup(world->authority.certificate);
	assert_non_null(ASN1_TIME_set(X509_getm_notAfter(certificate), end));
	assert_int_equal(ASN1_INTEGER_set_int64(X509_get_serialNumber(certificate), end), 1);
	assert_true(X509_sign(certificate, world->authority.key, EVP_sha256()) > 0);
	return certificate;
}

static void trust_both(struct world *world, X509 *first, X509 *second)
{
	static const char *const protocols[] = {"http/1.1", NULL};
	char *certificate = world_path(world, "server.pem"), *key = world_path(world, "server.key"),
	     *ca = world_path(world, "both.pem"), *error = NULL;
	char *first_pem = certificate_pem(first), *second_pem = certificate_pem(second);
	char *text = xasprintf("%s%s", first_pem, second_pem);
	write_text_file(ca, text);
	tls_server_free(&world->tls);
	world->tls = tls_server_new(certificate, key, ca, protocols, &error);
	assert_non_null(world->tls);
	free(text);
	free(first_pem);
	free(second_pem);
	free(ca);
	free(key);
	free(certificate);
}

/* Whoever comes back when the old certificate of the authority has ended is verified by the new
 * one, and not by a ticket of the old one. */
static void a_renewed_authority_takes_over(void **state)
{
	struct world *world = *state;
	struct resuming_client clients[VERSIONS];
	struct identity alice = make_alice(world, 1000);
	time_t end = time(NULL) + SOON, later = end + 5000;
	X509 *old = authority_until(world, end), *new = authority_until(world, later);
	trust_both(world, old, new);
	for (size_t i = 0; i < VERSIONS; i++) {
		resuming_client_init(&clients[i], &alice, versions[i]);
		expect(world, &clients[i], false, X509_V_OK);
	}
	await(end + 1);
	for (size_t i = 0; i < VERSIONS; i++) {
		SSL *accepted = resuming_client_connect(&clients[i], world->tls);
		assert_int_equal(SSL_get_verify_result(accepted), X509_V_OK);
		assert_int_equal(tls_session_authorities_end(accepted).ms, (int64_t)later * 1000);
		SSL_free(accepted);
		resuming_client_free(&clients[i]);
	}
	X509_free(old);
	X509_free(new);
	free_identity(&alice);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(the_name_is_the_one_asked_for_now),
	    TEST(it_is_so_with_several_certificates),
	    TEST(a_ticket_ends_with_the_certificate),
	    TEST(a_ticket_ends_with_the_revocation_list),
	    TEST(who_was_refused_is_judged_again),
	    TEST(a_ticket_that_says_less_is_not_used),
	    TEST(the_end_of_the_authority_is_resumed),
	    TEST(a_renewed_authority_takes_over),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
