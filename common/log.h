/* Structured logging to stderr: one line per event, `key=value`, values quoted and escaped in one
 * place so that nothing received from outside can forge a line.
 *
 *     log_info("sweep", "settled", LOG_S("scope", name), LOG_I("clusters", n));
 *     2026-01-02T03:04:05.678Z level=info room=sweep event=settled scope=prod clusters=12
 *
 * Under systemd (JOURNAL_STREAM set) the time stamp is left to the journal and the line starts with
 * the priority "<6>". */
#ifndef EKSGATE_LOG_H
#define EKSGATE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/mono.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };

enum log_kind { LOG_KIND_END, LOG_KIND_STRING, LOG_KIND_INT, LOG_KIND_BOOL };

struct log_field {
	const char *begin; /* " key=" */
	uint32_t begin_len;
	enum log_kind kind;
	const char *string; /* NULL prints "-" */
	int64_t integer;
};

/* `name` is a literal. */
#define LOG_S(name, value)                                                                         \
	((struct log_field){.begin = " " name "=",                                                 \
	    .begin_len = sizeof(" " name "=") - 1,                                                 \
	    .kind = LOG_KIND_STRING,                                                               \
	    .string = (value)})
#define LOG_I(name, value)                                                                         \
	((struct log_field){.begin = " " name "=",                                                 \
	    .begin_len = sizeof(" " name "=") - 1,                                                 \
	    .kind = LOG_KIND_INT,                                                                  \
	    .integer = (int64_t)(value)})
#define LOG_B(name, value)                                                                         \
	((struct log_field){.begin = " " name "=",                                                 \
	    .begin_len = sizeof(" " name "=") - 1,                                                 \
	    .kind = LOG_KIND_BOOL,                                                                 \
	    .integer = (value)})

/* `room` is the module that speaks, `event` a word or two joined by '-'; fields follow, if any. The
 * values of a debug line are not worked out while nobody reads them. */
#define log_debug(...)                                                                             \
	(log_is_on(LOG_LEVEL_DEBUG) ? log_write(LOG_LEVEL_DEBUG, LOG_FIELDS(__VA_ARGS__)) : (void)0)
#define log_info(...)  log_write(LOG_LEVEL_INFO, LOG_FIELDS(__VA_ARGS__))
#define log_warn(...)  log_write(LOG_LEVEL_WARN, LOG_FIELDS(__VA_ARGS__))
#define log_error(...) log_write(LOG_LEVEL_ERROR, LOG_FIELDS(__VA_ARGS__))

#define LOG_FIELDS(room, event, ...)                                                               \
	((const struct log_field[]){                                                               \
	    LOG_S("room", room), LOG_S("event", event), ##__VA_ARGS__, {.kind = LOG_KIND_END}})

/* `fields` ends with LOG_KIND_END. */
void log_write(enum log_level level, const struct log_field *fields);
/* The same for whoever knows what time it is. */
void log_write_at(enum log_level level, struct unix_time now, const struct log_field *fields);
/* Lines of debug and info wait from now on, in their order, for log_flush(); `fn` is called for
 * the first of them and sees to it that this happens within milliseconds. Warnings and errors leave
 * at once and take those that wait along, and so does a fatal signal. NULL, as in the beginning: no
 * line waits.
 */
typedef void log_wait_fn(void *arg);
void log_set_waiting(log_wait_fn *fn, void *arg);
void log_flush(void);
void log_set_level(enum log_level level);
bool log_is_on(enum log_level level) MUST_USE;
/* "debug", "info", "warn", "error". False when `name` is none of them. */
bool log_level_parse(const char *name, enum log_level *level) MUST_USE;

#endif
