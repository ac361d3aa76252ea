/* Session tickets that several servers open: those that share the keys and trust the same
 * authorities, and no others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/ssl.h>

#include "common/xmem.h"
#include "kubeproxyd/net/tls.h"
#include "kubeproxyd/net/tls_seal.h"
#include "tests/unit/resuming_client.h"
#include "tests/unit/stream_ends.h"

static struct tls_server *server_of(struct world *world, const char *ca_name, struct tls_seal *seal)
{
	static const char *const protocols[] = {"http/1.1", NULL};
	char *certificate = world_path(world, "server.pem"), *key = world_path(world, "server.key"),
	     *ca = world_path(world, ca_name), *error = NULL;
	struct tls_server *server = tls_server_new(certificate, key, ca, protocols, &error);
	assert_non_null(server);
	tls_server_share_tickets(server, seal);
	free(certificate);
	free(key);
	free(ca);
	return server;
}

/* Whether the session was resumed, with the certificate that was expected. */
static bool connects(
    struct tls_server *server, struct resuming_client *client, const X509 *expected)
{
	SSL *accepted = resuming_client_connect(client, server);
	const X509 *seen = SSL_get0_peer_certificate(accepted);
	assert_int_equal(seen != NULL ? X509_cmp(seen, expected) : -1, 0);
	bool is_resumed = SSL_session_reused(accepted) == 1;
	SSL_free(accepted);
	return is_resumed;
}

static struct identity make_alice(struct world *world)
{
	return make_leaf(&world->authority,
	    &(struct leaf_options){.common_name = "alice", .begins = -100, .ends = 1000});
}

static void siblings_resume_each_others_sessions(void **state)
{
	static const int versions[] = {TLS1_3_VERSION, TLS1_2_VERSION};
	struct world *world = *state;
	struct identity alice = make_alice(world);
	/* Two processes: each has what the file says. */
	struct tls_seal *seals[2] = {tls_seal_new(NULL, NULL), tls_seal_new(NULL, NULL)};
	struct tls_server *servers[2];
	struct tls_seal_key keys[2] = {{"name 1", "secret 1"}, {"name 0", "secret 0"}};
	for (size_t i = 0; i < 2; i++) {
		tls_seal_set(seals[i], keys, 1);
		servers[i] = server_of(world, "ca.pem", seals[i]);
	}
	for (size_t v = 0; v < 2; v++) {
		struct resuming_client client;
		resuming_client_init(&client, &alice, versions[v]);
		assert_false(connects(servers[0], &client, alice.certificate));
		for (size_t i = 0; i < 6; i++)
			assert_true(connects(servers[i % 2], &client, alice.certificate));
		resuming_client_free(&client);
	}
	for (size_t i = 0; i < 2; i++) {
		tls_server_free(&servers[i]);
		tls_seal_free(&seals[i]);
	}
	free_identity(&alice);
}

/* Rotated once, the ticket of before opens and is replaced; rotated twice it does not. */
static void keys_rotate(void **state)
{
	struct world *world = *state;
	struct identity alice = make_alice(world);
	struct tls_seal *seal = tls_seal_new(NULL, NULL);
	struct tls_server *server = server_of(world, "ca.pem", seal);
	struct resuming_client client;
	resuming_client_init(&client, &alice, TLS1_3_VERSION);
	struct tls_seal_key keys[] = {
	    {"name 3", "secret 3"}, {"name 2", "secret 2"}, {"name 1", "secret 1"}};
	tls_seal_set(seal, &keys[2], 1);
	assert_false(connects(server, &client, alice.certificate));
	SSL_SESSION *first = SSL_SESSION_dup(client.kept);
	tls_seal_set(seal, &keys[1], 2);
	assert_true(connects(server, &client, alice.certificate));
	tls_seal_set(seal, &keys[0], 2);
	assert_true(connects(server, &client, alice.certificate));
	resuming_client_forget(&client);
	client.kept = first;
	assert_false(connects(server, &client, alice.certificate));
	resuming_client_free(&client);
	tls_server_free(&server);
	tls_seal_free(&seal);
	free_identity(&alice);
}

/* Who trusts others, or has another secret under the same name, makes the client prove itself. */
static void others_open_nothing(void **state)
{
	struct world *world = *state;
	struct identity alice = make_alice(world);
	struct identity stranger = make_authority("stranger");
	char *path = world_path(world, "both.pem"),
	     *one = certificate_pem(world->authority.certificate),
	     *two = certificate_pem(stranger.certificate), *text = xasprintf("%s%s", one, two);
	write_text_file(path, text);
	struct tls_seal_key key = {"name", "secret"}, twin = {"name", "other"};
	struct tls_seal *seal = tls_seal_new(NULL, NULL), *other = tls_seal_new(NULL, NULL);
	tls_seal_set(seal, &key, 1);
	tls_seal_set(other, &twin, 1);
	struct tls_server *servers[] = {server_of(world, "ca.pem", seal),
	    server_of(world, "both.pem", seal), server_of(world, "ca.pem", other)};
	struct resuming_client client;
	resuming_client_init(&client, &alice, TLS1_3_VERSION);
	for (size_t i = 0; i < 3; i++)
		assert_false(connects(servers[i], &client, alice.certificate));
	assert_true(connects(servers[2], &client, alice.certificate));
	for (size_t i = 0; i < 3; i++)
		tls_server_free(&servers[i]);
	resuming_client_free(&client);
	tls_seal_free(&seal);
	tls_seal_free(&other);
	free(path);
	free(one);
	free(two);
	free(text);
	free_identity(&stranger);
	free_identity(&alice);
}

static unsigned asked;
static struct tls_seal *asking;

static void learn(void *arg)
{
	asked++;
	tls_seal_set(asking, arg, 1);
}

static void an_unknown_key_is_asked_for(void **state)
{
	struct world *world = *state;
	struct identity alice = make_alice(world);
	struct tls_seal_key key = {"name", "secret"};
	struct tls_seal *seal = tls_seal_new(NULL, NULL);
	asking = tls_seal_new(learn, &key);
	tls_seal_set(seal, &key, 1);
	struct tls_server *first = server_of(world, "ca.pem", seal),
			  *second = server_of(world, "ca.pem", asking);
	struct resuming_client client;
	resuming_client_init(&client, &alice, TLS1_3_VERSION);
	assert_false(connects(first, &client, alice.certificate));
	assert_true(connects(second, &client, alice.certificate));
	assert_int_equal(asked, 1);
	resuming_client_free(&client);
	tls_server_free(&first);
	tls_server_free(&second);
	tls_seal_free(&seal);
	tls_seal_free(&asking);
	free_identity(&alice);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(siblings_resume_each_others_sessions),
	    TEST(keys_rotate),
	    TEST(others_open_nothing),
	    TEST(an_unknown_key_is_asked_for),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
