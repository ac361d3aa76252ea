/* gzip (RFC 1952) in both directions, as it comes and at once: what one piece allows is unpacked or
 * packed in the same call. Pure. */
#ifndef EKSGATE_GZIP_H
#define EKSGATE_GZIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"

/* What is unpacked or packed at a time. */
#define GZIP_PIECE ((size_t)16 * 1024)

/* About what zlib needs for one of each. */
#define GZIP_MEMORY ((size_t)116 * 1024)

struct gunzip;
struct gzip;

struct gunzip *gunzip_new(void) MUST_USE;
void gunzip_free(struct gunzip **gunzip);

enum gunzip_step {
	GUNZIP_OUT, /* *out_len bytes, perhaps more; call again */
	GUNZIP_WAITS, /* all of the input is used, and nothing more comes of it */
	GUNZIP_BAD,
};

/* Goes on with *data, which it moves forward. One member may follow another. */
enum gunzip_step gunzip_next(struct gunzip *gunzip, const uint8_t **data, size_t *len,
    uint8_t out[GZIP_PIECE], size_t *out_len) MUST_USE;
/* Whether the input could end here. */
bool gunzip_is_complete(const struct gunzip *gunzip) MUST_USE;

enum gzip_flush {
	GZIP_GATHER, /* packs when it is worth it */
	GZIP_AT_ONCE, /* a reader gets everything so far */
	GZIP_FINISH,
};

struct gzip *gzip_new(void) MUST_USE;
void gzip_free(struct gzip **gzip);
/* `emit` gets the packed bytes, inside this call. */
void gzip_put(struct gzip *gzip, const uint8_t *data, size_t len, enum gzip_flush flush,
    void (*emit)(void *arg, const uint8_t *data, size_t len), void *arg);

#endif
