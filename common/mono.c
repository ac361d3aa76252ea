/* Clocks and the few date formats that the daemons read and write. */
#include "common/mono.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NS_PER_MS INT64_C(1000000)

struct duration duration_ms(int64_t ms)
{
	return (struct duration){ms};
}

struct duration duration_seconds(int64_t seconds)
{
	return (struct duration){seconds * 1000};
}

struct duration duration_jitter(struct duration d, unsigned percent)
{
	int64_t span = d.ms / 100 * (int64_t)percent;
	if (span > INT32_MAX / 2)
		span = INT32_MAX / 2;
	if (span <= 0)
		return d;
	return (struct duration){
	    d.ms - span + (int64_t)arc4random_uniform((uint32_t)(2 * span + 1))};
}

static struct mono read_mono(clockid_t clock)
{
	struct timespec now;
	clock_gettime(clock, &now);
	return (struct mono){(int64_t)now.tv_sec * 1000 * NS_PER_MS + now.tv_nsec};
}

struct mono mono_now(void)
{
	return read_mono(CLOCK_MONOTONIC);
}

struct mono mono_now_coarse(void)
{
	return read_mono(CLOCK_MONOTONIC_COARSE);
}

struct mono mono_add(struct mono at, struct duration d)
{
	return (struct mono){at.ns + d.ms * NS_PER_MS};
}

struct duration mono_between(struct mono earlier, struct mono later)
{
	return (struct duration){(later.ns - earlier.ns) / NS_PER_MS};
}

struct duration mono_since(struct mono then)
{
	return mono_between(then, mono_now());
}

bool mono_is_past(struct mono at)
{
	return mono_now().ns >= at.ns;
}

static struct unix_time read_unix(clockid_t clock)
{
	struct timespec now;
	clock_gettime(clock, &now);
	return (struct unix_time){(int64_t)now.tv_sec * 1000 + now.tv_nsec / NS_PER_MS};
}

struct unix_time unix_now(void)
{
	return read_unix(CLOCK_REALTIME);
}

struct unix_time unix_now_coarse(void)
{
	return read_unix(CLOCK_REALTIME_COARSE);
}

struct unix_time unix_add(struct unix_time at, struct duration d)
{
	return (struct unix_time){at.ms + d.ms};
}

/* The text of a second, with milliseconds of 000. */
struct second {
	time_t at;
	size_t len;
	char text[UNIX_TIME_TEXT];
};

static __attribute__((noinline)) void work_out(struct second *second, time_t at)
{
	struct tm tm;
	gmtime_r(&at, &tm);
	second->len = strftime(second->text, sizeof second->text, "%Y-%m-%dT%H:%M:%S.000Z", &tm);
	second->at = at;
}

/* Most times that are written are of this second, or of the one in which a request began: their
 * text is worked out once. */
static const struct second *text_of_second(time_t at)
{
	static struct second known[2] = {{.at = 1}, {.at = 0}};
	struct second *second = &known[at & 1];
	if (second->at != at)
		work_out(second, at);
	return second;
}

size_t unix_time_write(struct unix_time at, char text[UNIX_TIME_TEXT])
{
	if (at.ms == 0) {
		memcpy(text, "-", sizeof "-");
		return strlen("-");
	}
	const int64_t seconds = at.ms / 1000;
	const struct second *second = text_of_second((time_t)seconds);
	memcpy(text, second->text, sizeof second->text);
	char *digits = text + second->len - strlen("000Z");
	const int ms = (int)(at.ms - seconds * 1000);
	digits[0] = (char)('0' + ms / 100);
	digits[1] = (char)('0' + ms / 10 % 10);
	digits[2] = (char)('0' + ms % 10);
	return second->len;
}

const char *unix_time_text(struct unix_time at, char text[UNIX_TIME_TEXT])
{
	(void)unix_time_write(at, text);
	return text;
}

/* Reads ".123456" as milliseconds and moves *cursor behind it. */
static int64_t read_fraction(const char **cursor)
{
	const char *p = *cursor;
	if (*p != '.')
		return 0;
	int64_t ms = 0;
	int digits = 0;
	for (p++; isdigit((unsigned char)*p); p++) {
		if (digits++ < 3)
			ms = ms * 10 + (*p - '0');
	}
	for (; digits < 3; digits++)
		ms *= 10;
	*cursor = p;
	return ms;
}

/* Reads "Z" or "+hh:mm" to the end of the text. */
static bool read_offset(const char *p, int64_t *seconds)
{
	if ((*p == 'Z' || *p == 'z') && p[1] == '\0') {
		*seconds = 0;
		return true;
	}
	bool has_form = (*p == '+' || *p == '-') && strlen(p) == 6 && p[3] == ':' &&
			isdigit((unsigned char)p[1]) && isdigit((unsigned char)p[2]) &&
			isdigit((unsigned char)p[4]) && isdigit((unsigned char)p[5]);
	if (!has_form)
		return false;
	int64_t hours = (p[1] - '0') * 10 + (p[2] - '0'),
		minutes = (p[4] - '0') * 10 + (p[5] - '0');
	*seconds = (hours * 3600 + minutes * 60) * (*p == '-' ? -1 : 1);
	return true;
}

bool unix_time_parse(const char *text, struct unix_time *at)
{
	struct tm tm = {0};
	const char *rest = strptime(text, "%Y-%m-%d", &tm);
	if (rest == NULL || (*rest != 'T' && *rest != 't'))
		return false;
	rest = strptime(rest + 1, "%H:%M:%S", &tm);
	if (rest == NULL)
		return false;
	int64_t ms = read_fraction(&rest), offset;
	if (!read_offset(rest, &offset))
		return false;
	at->ms = ((int64_t)timegm(&tm) - offset) * 1000 + ms;
	return true;
}

bool unix_time_parse_http(const char *text, struct unix_time *at)
{
	struct tm tm = {0};
	const char *rest = strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &tm);
	if (rest == NULL || *rest != '\0')
		return false;
	at->ms = (int64_t)timegm(&tm) * 1000;
	return true;
}
