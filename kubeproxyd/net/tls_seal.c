/* Tickets are sealed as RFC 5077, 4 recommends (AES-256-CBC, HMAC-SHA256) with keys that are
 * derived from a shared secret and a digest of everything that client certificates were verified
 * against: a context that trusts others, or has other revocation lists, cannot open them. Called by
 * OpenSSL during handshakes. */
#include "kubeproxyd/net/tls_seal.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/xmem.h"
#include "kubeproxyd/net/tls_data.h"

#define KEY_BYTES  32u
#define FOR_CIPHER 'c'
#define FOR_MAC	   'm'

struct tls_seal {
	struct tls_seal_key keys[TLS_SEAL_KEYS];
	size_t count;
	void (*on_unknown)(void *arg);
	void *arg;
};

/* Of one context. */
struct sealing {
	struct tls_seal *seal;
	bool is_ready; /* `trust` */
	uint8_t trust[SHA256_DIGEST_LENGTH];
};

/* For one ticket. */
struct derived {
	uint8_t cipher[KEY_BYTES], mac[KEY_BYTES];
};

static int sealing_index = -1; /* in an SSL_CTX: its struct sealing */

/* --- what is trusted --------------------------------------------------------------------------
 */

static void add_digest(uint8_t trust[SHA256_DIGEST_LENGTH], const uint8_t *digest)
{
	for (size_t i = 0; i < SHA256_DIGEST_LENGTH; i++)
		trust[i] ^= digest[i];
}

/* Of everything in the store, in whatever order. */
static void digest_trust(X509_STORE *store, uint8_t trust[SHA256_DIGEST_LENGTH])
{
	STACK_OF(X509_OBJECT) *objects = X509_STORE_get0_objects(store);
	memset(trust, 0, SHA256_DIGEST_LENGTH);
	for (int i = 0; i < sk_X509_OBJECT_num(objects); i++) {
		X509_OBJECT *object = sk_X509_OBJECT_value(objects, i);
		const X509 *certificate = X509_OBJECT_get0_X509(object);
		uint8_t digest[SHA256_DIGEST_LENGTH];
		int is_digested = certificate != NULL
				      ? X509_digest(certificate, EVP_sha256(), digest, NULL)
				      : X509_CRL_digest(X509_OBJECT_get0_X509_CRL(object),
					    EVP_sha256(), digest, NULL);
		if (is_digested != 1)
			abort();
		add_digest(trust, digest);
	}
}

static const uint8_t *trust_of(struct sealing *sealing, SSL_CTX *context)
{
	if (!sealing->is_ready)
		digest_trust(SSL_CTX_get_cert_store(context), sealing->trust);
	sealing->is_ready = true;
	return sealing->trust;
}

/* --- keys -------------------------------------------------------------------------------------
 */

/* The expansion of HKDF (RFC 5869, 2.3) for one block: the secret is random, and needs no
 * extraction. */
static void derive(
    const struct tls_seal_key *key, const uint8_t *trust, uint8_t purpose, uint8_t out[KEY_BYTES])
{
	uint8_t info[SHA256_DIGEST_LENGTH + 2];
	info[0] = purpose;
	memcpy(info + 1, trust, SHA256_DIGEST_LENGTH);
	info[SHA256_DIGEST_LENGTH + 1] = 1;
	if (HMAC(EVP_sha256(), key->secret, sizeof key->secret, info, sizeof info, out, NULL) ==
	    NULL)
		abort();
}

static const struct tls_seal_key *find_key(const struct tls_seal *seal, const uint8_t *name)
{
	for (size_t i = 0; i < seal->count; i++)
		if (memcmp(seal->keys[i].name, name, TLS_SEAL_NAME) == 0)
			return &seal->keys[i];
	return NULL;
}

static const struct tls_seal_key *find_or_ask(struct tls_seal *seal, const uint8_t *name)
{
	const struct tls_seal_key *key = find_key(seal, name);
	if (key != NULL || seal->on_unknown == NULL)
		return key;
	seal->on_unknown(seal->arg);
	return find_key(seal, name);
}

/* --- sealing and opening ----------------------------------------------------------------------
 */

static bool start(const struct derived *derived, const uint8_t *iv, EVP_CIPHER_CTX *cipher,
    EVP_MAC_CTX *mac, bool is_sealing)
{
	char digest[] = "SHA256";
	const OSSL_PARAM params[] = {
	    OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
	    OSSL_PARAM_construct_end()};
	return EVP_CipherInit_ex(
		   cipher, EVP_aes_256_cbc(), NULL, derived->cipher, iv, is_sealing) == 1 &&
	       EVP_MAC_init(mac, derived->mac, sizeof derived->mac, params) == 1;
}

/* SSL_CTX_set_tlsext_ticket_key_evp_cb(3). 0: a full handshake; 2: another ticket follows. TLS 1.3
 * uses each once; in TLS 1.2 clients may keep the one they have, so they get another when its key
 * is about to go. */
static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
    EVP_MAC_CTX *mac, int is_sealing)
{
	SSL_CTX *context = SSL_get_SSL_CTX(ssl);
	struct sealing *sealing = SSL_CTX_get_ex_data(context, sealing_index);
	const struct tls_seal_key *key =
	    is_sealing ? &sealing->seal->keys[0] : find_or_ask(sealing->seal, name);
	if (key == NULL)
		return 0;
	if (is_sealing) {
		memcpy(name, key->name, TLS_SEAL_NAME);
		if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1)
			return -1;
	}
	const uint8_t *trust = trust_of(sealing, context);
	struct derived derived;
	derive(key, trust, FOR_CIPHER, derived.cipher);
	derive(key, trust, FOR_MAC, derived.mac);
	bool is_started = start(&derived, iv, cipher, mac, is_sealing);
	explicit_bzero(&derived, sizeof derived);
	if (!is_started)
		return -1;
	bool needs_another = SSL_version(ssl) >= TLS1_3_VERSION || key != &sealing->seal->keys[0];
	return !is_sealing && needs_another ? 2 : 1;
}

/* --- public ----------------------------------------------------------------------------------
 */

struct tls_seal *tls_seal_new(void (*on_unknown)(void *arg), void *arg)
{
	struct tls_seal *seal = xcalloc(1, sizeof *seal);
	seal->on_unknown = on_unknown;
	seal->arg = arg;
	seal->count = 1;
	if (RAND_bytes(seal->keys[0].name, TLS_SEAL_NAME) != 1 ||
	    RAND_priv_bytes(seal->keys[0].secret, TLS_SEAL_SECRET) != 1)
		abort();
	return seal;
}

void tls_seal_free(struct tls_seal **seal)
{
	if (*seal == NULL)
		return;
	explicit_bzero((*seal)->keys, sizeof(*seal)->keys);
	xfree(seal);
}

void tls_seal_set(struct tls_seal *seal, const struct tls_seal_key *keys, size_t count)
{
	seal->count = count < TLS_SEAL_KEYS ? count : TLS_SEAL_KEYS;
	explicit_bzero(seal->keys, sizeof seal->keys);
	memcpy(seal->keys, keys, seal->count * sizeof *keys);
}

void tls_seal_use(SSL_CTX *context, struct tls_seal *seal)
{
	if (sealing_index < 0)
		sealing_index = tls_data_place(CRYPTO_EX_INDEX_SSL_CTX, free);
	struct sealing *sealing = xcalloc(1, sizeof *sealing);
	sealing->seal = seal;
	if (SSL_CTX_set_ex_data(context, sealing_index, sealing) != 1)
		abort();
	SSL_CTX_set_tlsext_ticket_key_evp_cb(context, on_ticket);
}
