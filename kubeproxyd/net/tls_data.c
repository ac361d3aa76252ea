/* OpenSSL calls back with a number of ours beside what it was given (CRYPTO_get_ex_new_index(3)).
 * Called by the other files about TLS. */
#include "kubeproxyd/net/tls_data.h"

#include <openssl/crypto.h>
#include <stddef.h>
#include <stdlib.h>

#define PLACES_MAX 16

static void (*releases[PLACES_MAX])(void *data);
static long place_count;

static void on_free(
    void *parent, void *data, CRYPTO_EX_DATA *all, int index, long number, void *arg)
{
	(void)parent;
	(void)all;
	(void)index;
	(void)arg;
	if (data != NULL)
		releases[number](data);
}

int tls_data_place(int class_index, void (*release)(void *data))
{
	if (place_count == PLACES_MAX)
		abort();
	releases[place_count] = release;
	int place = CRYPTO_get_ex_new_index(class_index, place_count++, NULL, NULL, NULL, on_free);
	if (place < 0)
		abort();
	return place;
}
