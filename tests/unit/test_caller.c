/* Connections with one certificate share whom it names and what was compiled for that; others share
 * nothing; with the last connection it goes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "common/xmem.h"
#include "kubeproxyd/exchange/caller.h"
#include "kubeproxyd/gate/identity.h"
#include "kubeproxyd/gate/identity_certificate.h"
#include "kubeproxyd/policy/policy.h"

static unsigned named, compiled, living;
static char first_place, second_place;
#define FIRST  ((struct policy *)(void *)&first_place)
#define SECOND ((struct policy *)(void *)&second_place)

/* --- neighbours ------------------------------------------------------------------------------- */

struct identity *identity_from_certificate(X509 *certificate, const char **error)
{
	if (ASN1_INTEGER_get(X509_get0_serialNumber(certificate)) == 0) {
		*error = "it names nobody";
		return NULL;
	}
	struct identity *identity = xcalloc(1, sizeof *identity);
	identity->references = 1;
	named++;
	living++;
	return identity;
}

struct identity *identity_ref(struct identity *identity)
{
	identity->references++;
	return identity;
}

void identity_unref(struct identity **identity)
{
	struct identity *last = *identity;
	*identity = NULL;
	if (last == NULL || --last->references > 0)
		return;
	living--;
	free(last);
}

struct grants *policy_grants(struct policy *policy, const struct identity *identity)
{
	assert_true(policy != NULL && identity != NULL);
	compiled++;
	living++;
	return xcalloc(1, 1);
}

void grants_free(struct grants **grants)
{
	living--;
	xfree(grants);
}

struct policy *policy_ref(struct policy *policy)
{
	living++;
	return policy;
}

void policy_unref(struct policy **policy)
{
	living--;
	*policy = NULL;
}

/* --- tests ------------------------------------------------------------------------------------ */

static X509 *certificate_of(long serial)
{
	X509 *certificate = X509_new();
	EVP_PKEY *key = EVP_EC_gen("P-256");
	ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial);
	X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
	X509_gmtime_adj(X509_getm_notAfter(certificate), 1000);
	assert_int_equal(X509_set_pubkey(certificate, key), 1);
	assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
	EVP_PKEY_free(key);
	return certificate;
}

static void use(struct caller *caller, struct policy *policy, struct identity *identity)
{
	struct caller_grants *grants = caller_grants(caller, policy, identity);
	assert_true(grants->policy == policy && grants->identity == identity);
	caller_grants_unref(&grants);
}

static int set_up(void **state)
{
	(void)state;
	named = compiled = living = 0;
	return 0;
}

static void test_one_certificate(void **state)
{
	(void)state;
	X509 *certificate = certificate_of(1), *other = certificate_of(2);
	X509 *again = X509_dup(certificate); /* as each handshake parses its own */
	struct caller callers[3];
	caller_init(&callers[0], certificate, NULL, "192.0.2.1:1");
	caller_init(&callers[1], again, NULL, "192.0.2.2:1");
	caller_init(&callers[2], other, NULL, "192.0.2.3:1");
	assert_int_equal(named, 2);
	assert_ptr_equal(callers[0].identity, callers[1].identity);
	assert_ptr_not_equal(callers[0].identity, callers[2].identity);
	for (size_t i = 0; i < 3; i++)
		use(&callers[i], FIRST, callers[i].identity);
	assert_int_equal(compiled, 2);
	/* A reload; and the token of another user beside the certificate. */
	use(&callers[0], SECOND, callers[0].identity);
	use(&callers[1], SECOND, callers[1].identity);
	assert_int_equal(compiled, 3);
	use(&callers[1], SECOND, callers[2].identity);
	use(&callers[1], SECOND, callers[1].identity);
	assert_int_equal(compiled, 4);
	caller_clear(&callers[0]);
	use(&callers[1], SECOND, callers[1].identity);
	assert_int_equal(compiled, 4);
	for (size_t i = 1; i < 3; i++)
		caller_clear(&callers[i]);
	assert_int_equal(living, 0);
	X509_free(certificate);
	X509_free(again);
	X509_free(other);
}

static void test_nobody(void **state)
{
	(void)state;
	X509 *certificate = certificate_of(0);
	struct caller caller;
	caller_init(&caller, certificate, NULL, "[2001:db8::1]:443");
	assert_null(caller.identity);
	assert_string_equal(caller.certificate_error, "it names nobody");
	assert_string_equal(caller.host, "2001:db8::1");
	caller_clear(&caller);
	caller_init(&caller, NULL, NULL, "192.0.2.1:1");
	assert_null(caller.identity);
	assert_null(caller.certificate_error);
	caller_clear(&caller);
	assert_int_equal(living, 0);
	X509_free(certificate);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_one_certificate, set_up),
	    cmocka_unit_test_setup(test_nobody, set_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
