/* Time, with its unit in the type. Monotonic time drives every timer; Unix time is for what leaves
 * the process. */
#ifndef EKSGATE_MONO_H
#define EKSGATE_MONO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A length of time. */
struct duration {
	int64_t ms;
};

/* A moment on CLOCK_MONOTONIC. */
struct mono {
	int64_t ns;
};

/* A moment in milliseconds since 1970-01-01T00:00:00Z; 0 means "none". */
struct unix_time {
	int64_t ms;
};

struct duration duration_ms(int64_t ms);
struct duration duration_seconds(int64_t seconds);
/* A random length within +-`percent` of `d`; for jitter, not for secrets. */
struct duration duration_jitter(struct duration d, unsigned percent);

struct mono mono_now(void);
struct mono mono_add(struct mono at, struct duration d);
struct duration mono_since(struct mono then);
struct duration mono_between(struct mono earlier, struct mono later);
bool mono_is_past(struct mono at);

struct unix_time unix_now(void);
/* As of the kernel's last tick: 4 ms ago at most on Debian, 10 ms where it ticks slowest, and never
 * ahead of the two above. No hardware is asked, which costs virtual machines most of a reading. For
 * what is asked by each request and decided in seconds. */
struct mono mono_now_coarse(void);
struct unix_time unix_now_coarse(void);
struct unix_time unix_add(struct unix_time at, struct duration d);

#define UNIX_TIME_TEXT 32
/* Writes RFC 3339 in UTC with milliseconds, "2026-01-02T03:04:05.678Z"; "-" for 0. Returns `text`.
 */
const char *unix_time_text(struct unix_time at, char text[UNIX_TIME_TEXT]);
/* The same; returns its length. */
size_t unix_time_write(struct unix_time at, char text[UNIX_TIME_TEXT]);
/* Reads RFC 3339 (any offset, any fraction). False when it is not one. */
bool unix_time_parse(const char *text, struct unix_time *at);
/* Reads an HTTP date (RFC 9110, 5.6.7, IMF-fixdate form). False when it is not one. */
bool unix_time_parse_http(const char *text, struct unix_time *at);

#endif
