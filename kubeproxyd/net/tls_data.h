/* Things of ours in objects of OpenSSL, which go with them. */
#ifndef EKSGATE_TLS_DATA_H
#define EKSGATE_TLS_DATA_H

#include "common/attr.h"

/* A place in every object of a class (CRYPTO_EX_INDEX_SSL, _SSL_CTX), for SSL_set_ex_data() or
 * SSL_CTX_set_ex_data(). `release` gets what is there, never NULL, when the object goes. Places are
 * made once and stay. */
int tls_data_place(int class_index, void (*release)(void *data)) MUST_USE;

#endif
