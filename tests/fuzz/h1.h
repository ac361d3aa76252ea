/* What both fuzz targets of the HTTP/1 reader demand: the same events however the bytes were cut,
 * and every head that was believed, written anew, reads as the same head. */
#ifndef EKSGATE_FUZZ_H1_H
#define EKSGATE_FUZZ_H1_H

#include "kubeproxyd/http/h1_reader.h"

/* The first byte says how the bytes are cut and, for answers, whether they answer a HEAD request.
 */
void fuzz_h1(enum h1_kind kind, const uint8_t *data, size_t len);

#endif
