/* The terminal in front of whoever watches a recording: keys one by one, and everything as it was
 * afterwards, whatever was shown and however it ends. */
#ifndef EKSGATE_TERMINAL_H
#define EKSGATE_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/mono.h"

struct terminal;

enum terminal_key { TERMINAL_NO_KEY, TERMINAL_PAUSE, TERMINAL_QUIT };

/* NULL when standard input or output is none. From here on SIGINT, SIGTERM, SIGHUP and SIGQUIT are
 * TERMINAL_QUIT. */
struct terminal *terminal_open(void) MUST_USE;
/* Puts back modes, screen and signals. The signal that came, 0: none. */
int terminal_close(struct terminal **terminal);
/* What was written to it, for the end: whether it shows another screen than the usual one. */
void terminal_note(struct terminal *terminal, const char *text, size_t len);
/* Of standard output; false when it has none. */
bool terminal_size(int64_t *columns, int64_t *rows) MUST_USE;
/* Waits for a key, at most until `until`. `terminal` NULL: only waits. */
enum terminal_key terminal_wait(struct terminal *terminal, struct mono until) MUST_USE;

#endif
