/* What a reload asks before it cuts open connections: whether the authorities for clients are
 * others now, and whether a certificate is of theirs; and that sessions are resumed by those alone
 * who verified them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/xmem.h"
#include "kubeproxyd/net/stream_parts.h"
#include "kubeproxyd/net/tls.h"
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
		a_client_resumes_its_own_sessions, world_set_up, world_tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
