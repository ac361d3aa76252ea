/* Revocation lists. OpenSSL looks certificates up in them; here they are read, held to their
 * authorities, and compared at a reload. A list of which the next one is overdue refuses everybody
 * of its authority: nobody knows who was revoked since. */
#include "kubeproxyd/net/tls_crl.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/log.h"
#include "common/xmem.h"
#include "kubeproxyd/net/tls.h"

/* --- lists in a store ------------------------------------------------------------------------ */

/* The lists in a store, borrowed from it; sk_X509_CRL_free(). */
static STACK_OF(X509_CRL) * lists_of(X509_STORE *store)
{
	STACK_OF(X509_CRL) *lists = sk_X509_CRL_new_null();
	STACK_OF(X509_OBJECT) *objects = X509_STORE_get0_objects(store);
	if (lists == NULL)
		abort();
	for (int i = 0; i < sk_X509_OBJECT_num(objects); i++) {
		X509_CRL *list = X509_OBJECT_get0_X509_CRL(sk_X509_OBJECT_value(objects, i));
		if (list != NULL && sk_X509_CRL_push(lists, list) <= 0)
			abort();
	}
	return lists;
}

bool tls_crl_is_used(X509_STORE *store)
{
	STACK_OF(X509_CRL) *lists = lists_of(store);
	bool is_used = sk_X509_CRL_num(lists) > 0;
	sk_X509_CRL_free(lists);
	return is_used;
}

static bool has_list_of(X509_STORE *store, const X509_NAME *issuer)
{
	STACK_OF(X509_CRL) *lists = lists_of(store);
	bool is_found = false;
	for (int i = 0; !is_found && i < sk_X509_CRL_num(lists); i++)
		is_found =
		    X509_NAME_cmp(X509_CRL_get_issuer(sk_X509_CRL_value(lists, i)), issuer) == 0;
	sk_X509_CRL_free(lists);
	return is_found;
}

bool tls_crl_is_unlisted(X509_STORE_CTX *check)
{
	const X509 *certificate = X509_STORE_CTX_get_current_cert(check);
	return X509_STORE_CTX_get_error(check) == X509_V_ERR_UNABLE_TO_GET_CRL &&
	       certificate != NULL &&
	       !has_list_of(X509_STORE_CTX_get0_store(check), X509_get_issuer_name(certificate));
}

/* A list that names no next one is never overdue. */
static int64_t end_of(const X509_CRL *list)
{
	struct tm parts;
	const ASN1_TIME *next = X509_CRL_get0_nextUpdate(list);
	if (next == NULL)
		return INT64_MAX;
	return ASN1_TIME_to_tm(next, &parts) == 1 ? (int64_t)timegm(&parts) : 0;
}

static const ASN1_OCTET_STRING *key_of(const X509_CRL *list)
{
	int at = X509_CRL_get_ext_by_NID(list, NID_authority_key_identifier, -1);
	return at >= 0 ? X509_EXTENSION_get_data(X509_CRL_get_ext(list, at)) : NULL;
}

/* Two authorities may have one name: their lists say by which key they are signed. */
static bool are_of_one_authority(const X509_CRL *a, const X509_CRL *b)
{
	const ASN1_OCTET_STRING *key = key_of(a), *other = key_of(b);
	bool is_one_key =
	    key == NULL || other == NULL ? key == other : ASN1_OCTET_STRING_cmp(key, other) == 0;
	return is_one_key && X509_NAME_cmp(X509_CRL_get_issuer(a), X509_CRL_get_issuer(b)) == 0;
}

static int64_t end_of_newest(STACK_OF(X509_CRL) * lists, const X509_CRL *of)
{
	int64_t end = 0;
	for (int i = 0; i < sk_X509_CRL_num(lists); i++) {
		const X509_CRL *list = sk_X509_CRL_value(lists, i);
		if (are_of_one_authority(list, of) && end_of(list) > end)
			end = end_of(list);
	}
	return end;
}

int64_t tls_crl_end(X509_STORE *store, int64_t after)
{
	STACK_OF(X509_CRL) *lists = lists_of(store);
	int64_t first = INT64_MAX;
	for (int i = 0; i < sk_X509_CRL_num(lists); i++) {
		int64_t end = end_of_newest(lists, sk_X509_CRL_value(lists, i));
		if (end > after && end < first)
			first = end;
	}
	sk_X509_CRL_free(lists);
	return first;
}

static bool has_list(STACK_OF(X509_CRL) * lists, const X509_CRL *wanted)
{
	for (int i = 0; i < sk_X509_CRL_num(lists); i++)
		if (X509_CRL_match(sk_X509_CRL_value(lists, i), wanted) == 0)
			return true;
	return false;
}

bool tls_crl_are_same(X509_STORE *a, X509_STORE *b)
{
	STACK_OF(X509_CRL) *of_a = lists_of(a), *of_b = lists_of(b);
	bool is_same = sk_X509_CRL_num(of_a) == sk_X509_CRL_num(of_b);
	for (int i = 0; is_same && i < sk_X509_CRL_num(of_a); i++)
		is_same = has_list(of_b, sk_X509_CRL_value(of_a, i));
	sk_X509_CRL_free(of_a);
	sk_X509_CRL_free(of_b);
	return is_same;
}

/* --- files ----------------------------------------------------------------------------------- */

/* Two authorities may have one name, of which one signed the list. */
static bool is_signed_by_authority(X509_STORE *store, X509_CRL *list)
{
	STACK_OF(X509) *all = X509_STORE_get1_all_certs(store);
	bool is_signed = false;
	if (all == NULL)
		abort();
	for (int i = 0; !is_signed && i < sk_X509_num(all); i++) {
		X509 *authority = sk_X509_value(all, i);
		is_signed = X509_NAME_cmp(
				X509_get_subject_name(authority), X509_CRL_get_issuer(list)) == 0 &&
			    X509_CRL_verify(list, X509_get0_pubkey(authority)) == 1;
	}
	sk_X509_pop_free(all, X509_free);
	ERR_clear_error();
	return is_signed;
}

static void tell_age(const X509_CRL *list, const char *file)
{
	const ASN1_TIME *next = X509_CRL_get0_nextUpdate(list);
	if (next != NULL && X509_cmp_current_time(next) < 0)
		log_warn("tls", "revocation-list-overdue", LOG_S("file", file),
		    LOG_S("effect", "certificates of its authority are refused: renew it"));
}

static bool add_list(X509_STORE *store, X509_CRL *list, const char *file, char **error)
{
	if (!is_signed_by_authority(store, list)) {
		char *issuer = X509_NAME_oneline(X509_CRL_get_issuer(list), NULL, 0);
		*error = xasprintf("%s: the revocation list of %s is signed by no authority in "
				   "eksgate.proxy.client_ca",
		    file, issuer != NULL ? issuer : "?");
		OPENSSL_free(issuer);
		return false;
	}
	tell_age(list, file);
	if (X509_STORE_add_crl(store, list) != 1)
		abort();
	return true;
}

bool tls_crl_load(X509_STORE *store, const char *file, char **error)
{
	ERR_clear_error();
	BIO *bio = BIO_new_file(file, "r");
	if (bio == NULL) {
		*error = xasprintf("%s: %s", file, tls_error_text());
		return false;
	}
	size_t count = 0;
	bool is_good = true;
	X509_CRL *list;
	while (is_good && (list = PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL)) != NULL) {
		is_good = add_list(store, list, file, error);
		X509_CRL_free(list);
		count++;
	}
	BIO_free(bio);
	unsigned long code = ERR_peek_last_error();
	bool is_end =
	    ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
	if (is_good && (count == 0 || !is_end)) {
		*error = xasprintf(
		    "%s: %s", file, is_end ? "no PEM revocation list in it" : tls_error_text());
		is_good = false;
	}
	ERR_clear_error();
	return is_good;
}
