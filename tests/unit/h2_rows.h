/* Tables of what an engine of HTTP/2 hears, and what becomes of it: each row in one piece, in
 * pieces of three bytes and byte by byte; afterwards the connection is over, if the row says so by
 * a GOAWAY, or serves the next request. */
#ifndef EKSGATE_TESTS_H2_ROWS_H
#define EKSGATE_TESTS_H2_ROWS_H

#include <stdbool.h>
#include <stddef.h>

/* Scripts of h2_stage.h; `before` is not looked at. */
struct h2_row {
	const char *before, *heard, *told, *said;
};

void h2_rows_run(bool is_server, const struct h2_row *rows, size_t count);
#define H2_ROWS_RUN(is_server, rows)                                                               \
	h2_rows_run((is_server), (rows), sizeof(rows) / sizeof(rows)[0])

#endif
