/* The engine of HTTP/2 and nghttp2 hear the same frames, one after the other, until they differ as
 * they may; where they may not, it aborts. And what holds for the engine whatever it hears. */
#ifndef EKSGATE_FUZZ_H2_DUEL_H
#define EKSGATE_FUZZ_H2_DUEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/unit/h2_stage.h"

/* `piece`: so many bytes of a frame the engine gets at a time; 0: all. */
void duel_run(bool is_server, const uint8_t *frames, size_t len, size_t piece);
/* The engine alone: its owner acts at random between pieces, and its peer reads slowly. */
void duel_act(bool is_server, const uint8_t *frames, size_t len, size_t piece, uint32_t seed);

#endif
