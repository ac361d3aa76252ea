/* The value types that any configuration needs: how each is read from a node, freed and compared.
 * Used by config.c through the rows' type pointers; the settings add types of their own. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "common/config.h"
#include "common/mono.h"
#include "common/xmem.h"

#define PATH_LIMIT   4095
#define TEXT_LIMIT   1024
#define SOCKET_LIMIT (sizeof(((struct sockaddr_un *)0)->sun_path) - 1)

void *config_field(const struct config_row *row, void *base)
{
	return (char *)base + row->offset;
}

static const void *field_of(const struct config_row *row, const void *base)
{
	return (const char *)base + row->offset;
}

const char *config_scalar(const struct yaml_node *node)
{
	if (node->kind != YAML_NODE_SCALAR || yaml_is_null(node))
		return NULL;
	return node->text;
}

/* --- switches and numbers --------------------------------------------------------------------- */

/* YAML 1.1's words, quoted or not: Teleport's documents write both. */
static bool read_bool(
    struct config *config, const struct config_row *row, const struct yaml_node *node, void *base)
{
	static const char *const words[] = {"no", "yes", "false", "true", "off", "on"};
	const char *text = config_scalar(node);
	(void)config;
	for (size_t i = 0; text != NULL && i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcasecmp(text, words[i]) == 0) {
			*(bool *)config_field(row, base) = i % 2 == 1;
			return true;
		}
	}
	return false;
}

static bool equal_bool(const struct config_row *row, const void *a, const void *b)
{
	return *(const bool *)field_of(row, a) == *(const bool *)field_of(row, b);
}

/* Digits at *at, moved over; false without any, or when the number does not fit. */
static bool take_number(const char **at, int64_t *number)
{
	const char *first = *at;
	*number = 0;
	for (; **at >= '0' && **at <= '9'; (*at)++)
		if (__builtin_mul_overflow(*number, 10, number) ||
		    __builtin_add_overflow(*number, **at - '0', number))
			return false;
	return *at > first;
}

struct unit {
	const char *name;
	int64_t factor;
};

/* The unit whose whole name stands at *at, up to the next digit or the end. */
static const struct unit *take_unit(const char **at, const struct unit *units)
{
	size_t len = strcspn(*at, "0123456789");
	for (; units->name != NULL; units++) {
		if (strlen(units->name) == len && strncmp(*at, units->name, len) == 0) {
			*at += len;
			return units;
		}
	}
	return NULL;
}

static bool is_within(const struct config_row *row, int64_t number)
{
	if (row->minimum == 0 && row->maximum == 0)
		return true;
	return number >= row->minimum && number <= row->maximum;
}

static const struct unit times[] = {
    {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}, {NULL, 0}};

static bool parse_duration(const char *text, int64_t *ms)
{
	*ms = 0;
	if (strcmp(text, "0") == 0)
		return true;
	do {
		int64_t number;
		if (!take_number(&text, &number))
			return false;
		const struct unit *unit = take_unit(&text, times);
		if (unit == NULL || __builtin_mul_overflow(number, unit->factor, &number) ||
		    __builtin_add_overflow(*ms, number, ms))
			return false;
	} while (*text != '\0');
	return true;
}

static void write_duration(struct buf *out, int64_t ms)
{
	if (ms == 0)
		buf_append_text(out, "0");
	for (const struct unit *unit = times; unit->name != NULL && ms > 0; unit++) {
		if (ms >= unit->factor)
			buf_printf(out, "%lld%s", (long long)(ms / unit->factor), unit->name);
		ms %= unit->factor;
	}
}

static void complain_of_duration(
    struct config *config, const struct config_row *row, const struct yaml_node *node)
{
	struct buf text = {0};
	write_duration(&text, row->minimum);
	buf_append_text(&text, " to ");
	write_duration(&text, row->maximum);
	config_complain(
	    config, node, "%s: %s is out of range: %s", row->key, node->text, buf_text(&text));
	buf_free(&text);
}

static bool read_duration(
    struct config *config, const struct config_row *row, const struct yaml_node *node, void *base)
{
	int64_t ms;
	const char *text = config_scalar(node);
	if (text == NULL || !parse_duration(text, &ms))
		return false;
	if (is_within(row, ms))
		*(struct duration *)config_field(row, base) = duration_ms(ms);
	else
		complain_of_duration(config, row, node);
	return true;
}

static bool equal_duration(const struct config_row *row, const void *a, const void *b)
{
	const struct duration *left = field_of(row, a), *right = field_of(row, b);
	return left->ms == right->ms;
}

/* A number with one of the units; reports by itself when it is out of the row's range. */
static bool read_number(struct config *config, const struct config_row *row,
    const struct yaml_node *node, const struct unit *units, int64_t *number)
{
	const char *text = config_scalar(node);
	if (text == NULL || !take_number(&text, number))
		return false;
	const struct unit *unit = take_unit(&text, units);
	if (unit == NULL || *text != '\0' || __builtin_mul_overflow(*number, unit->factor, number))
		return false;
	if (is_within(row, *number))
		return true;
	config_complain(config, node, "%s: %s is out of range: %lld to %lld", row->key, node->text,
	    (long long)row->minimum, (long long)row->maximum);
	*number = -1;
	return true;
}

static bool read_count(
    struct config *config, const struct config_row *row, const struct yaml_node *node, void *base)
{
	static const struct unit none[] = {{"", 1}, {NULL, 0}};
	int64_t number;
	if (!read_number(config, row, node, none, &number))
		return false;
	if (number >= 0)
		*(size_t *)config_field(row, base) = (size_t)number;
	return true;
}

static bool read_size(
    struct config *config, const struct config_row *row, const struct yaml_node *node, void *base)
{
	static const struct unit sizes[] = {{"", 1}, {"KiB", 1024}, {"K", 1024}, {"k", 1024},
	    {"MiB", INT64_C(1048576)}, {"M", INT64_C(1048576)}, {"GiB", INT64_C(1073741824)},
	    {"G", INT64_C(1073741824)}, {NULL, 0}};
	int64_t number;
	if (!read_number(config, row, node, sizes, &number))
		return false;
	if (number >= 0)
		*(size_t *)config_field(row, base) = (size_t)number;
	return true;
}

static bool equal_count(const struct config_row *row, const void *a, const void *b)
{
	return *(const size_t *)field_of(row, a) == *(const size_t *)field_of(row, b);
}

static bool read_percent(
    struct config *config, const struct config_row *row, const struct yaml_node *node, void *base)
{
	static const struct unit percent[] = {{"", 1}, {"%", 1}, {NULL, 0}};
	int64_t number;
	if (!read_number(config, row, node, percent, &number))
		return false;
	if (number >= 0)
		*(unsigned *)config_field(row, base) = (unsigned)number;
	return true;
}

static bool equal_percent(const struct config_row *row, const void *a, const void *b)
{
	return *(const unsigned *)field_of(row, a) == *(const unsigned *)field_of(row, b);
}

/* --- texts ------------------------------------------------------------------------------------ */

void config_clear_text(const struct config_row *row, void *base)
{
	xfree(config_field(row, base));
}

void config_set_text(const struct config_row *row, void *base, const char *text)
{
	char **field = config_field(row, base);
	free(*field);
	*field = xstrdup(text);
}

bool config_equal_text(const struct config_row *row, const void *a, const void *b)
{
	const char *left = *(char *const *)field_of(row, a);
	const char *right = *(char *const *)field_of(row, b);
	if (left == NULL || right == NULL)
		return left == right;
	return strcmp(left, right) == 0;
}

/* The scalar's text when it is 1 to `max` bytes without control characters. */
static const char *plain_text(const struct yaml_node *node, size_t max)
{
	const char *text = config_scalar(node);
	if (text == NULL || *text == '\0' || strlen(text) > max)
		return NULL;
	for (const char *at = text; *at != '\0'; at++)
		if ((unsigned char)*at < 0x20 || *at == 0x7f)
			return NULL;
	return text;
}

static bool read_text(
    struct config *config, const struct config_row *row, const struct yaml_node *node, void *base)
{
	const char *text = plain_text(node, TEXT_LIMIT);
	(void)config;
	if (text == NULL)
		return false;
	config_set_text(row, base, text);
	return true;
}

static bool read_word(
    struct config *config, const struct config_row *row, const struct yaml_node *node, void *base)
{
	const char *text = plain_text(node, TEXT_LIMIT);
	if (text == NULL)
		return false;
	size_t len = strlen(text);
	for (const char *choice = row->choices; *choice != '\0';) {
		size_t choice_len = strcspn(choice, "|");
		if (choice_len == len && strncmp(choice, text, len) == 0) {
			config_set_text(row, base, text);
			return true;
		}
		choice += choice_len + (choice[choice_len] == '|' ? 1 : 0);
	}
	config_complain(config, node, "%s: \"%s\" is not one of %s", row->key, text, row->choices);
	return true;
}

/* Absolute, and without "..", so that what is read is what is used. */
static const char *absolute_path(const struct yaml_node *node, size_t max)
{
	const char *text = plain_text(node, max);
	if (text == NULL || text[0] != '/')
		return NULL;
	for (const char *at = text; at != NULL; at = strchr(at, '/')) {
		at++;
		if (strncmp(at, "..", 2) == 0 && (at[2] == '/' || at[2] == '\0'))
			return NULL;
	}
	return text;
}

static bool read_path(
    struct config *config, const struct config_row *row, const struct yaml_node *node, void *base)
{
	const char *text = absolute_path(node, PATH_LIMIT);
	(void)config;
	if (text == NULL)
		return false;
	config_set_text(row, base, text);
	return true;
}

static bool read_socket(
    struct config *config, const struct config_row *row, const struct yaml_node *node, void *base)
{
	const char *text = absolute_path(node, SOCKET_LIMIT);
	(void)config;
	if (text == NULL)
		return false;
	config_set_text(row, base, text);
	return true;
}

/* --- names ------------------------------------------------------------------------------------ */

void config_clear_names(const struct config_row *row, void *base)
{
	char ***items = config_field(row, base);
	size_t *count = (size_t *)(void *)((char *)base + row->count_offset);
	for (size_t i = 0; i < *count; i++)
		free((*items)[i]);
	free(*items);
	*items = NULL;
	*count = 0;
}

bool config_equal_names(const struct config_row *row, const void *a, const void *b)
{
	char **left = *(char **const *)field_of(row, a),
	     **right = *(char **const *)field_of(row, b);
	size_t count = *(const size_t *)(const void *)((const char *)a + row->count_offset);
	if (count != *(const size_t *)(const void *)((const char *)b + row->count_offset))
		return false;
	for (size_t i = 0; i < count; i++)
		if (strcmp(left[i], right[i]) != 0)
			return false;
	return true;
}

static void add_name(const struct config_row *row, void *base, const char *name)
{
	char ***items = config_field(row, base);
	size_t *count = (size_t *)(void *)((char *)base + row->count_offset);
	*items = xreallocarray(*items, *count + 1, sizeof(char *));
	(*items)[(*count)++] = xstrdup(name);
}

/* A default is one name and stands as a scalar; a document has a list. */
static bool read_names(
    struct config *config, const struct config_row *row, const struct yaml_node *node, void *base)
{
	if (config == NULL) {
		add_name(row, base, node->text);
		return true;
	}
	if (node->kind != YAML_NODE_LIST)
		return false;
	config_clear_names(row, base);
	for (size_t i = 0; i < node->count; i++) {
		const char *name = plain_text(node->items[i], TEXT_LIMIT);
		if (name != NULL)
			add_name(row, base, name);
		else
			config_complain(config, node->items[i], "%s: expected a name", row->key);
	}
	return true;
}

/* --- addresses -------------------------------------------------------------------------------- */

static bool is_host_name(const char *host)
{
	static const char set[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-";
	size_t len = strlen(host);
	return len > 0 && len <= 253 && strspn(host, set) == len && host[0] != '-' &&
	       host[0] != '.' && strstr(host, "..") == NULL;
}

static bool is_ipv6(const char *host)
{
	struct in6_addr address;
	return inet_pton(AF_INET6, host, &address) == 1;
}

/* Digits only and a dot: meant as an address, so it must be one. */
static bool is_broken_ipv4(const char *host)
{
	struct in_addr address;
	return strspn(host, "0123456789.") == strlen(host) &&
	       inet_pton(AF_INET, host, &address) != 1;
}

static bool parse_port(const char *text, unsigned *port)
{
	int64_t number;
	if (!take_number(&text, &number) || *text != '\0' || number > 65535)
		return false;
	*port = (unsigned)number;
	return true;
}

/* Cuts "host", "host:port", "[v6]" or "[v6]:port" apart, in place. */
static bool split_address(char *text, char **host, char **port)
{
	*host = text;
	*port = NULL;
	char *behind = text + strcspn(text, ":");
	if (text[0] == '[') {
		behind = strchr(text, ']');
		if (behind == NULL)
			return false;
		*behind++ = '\0';
		(*host)++;
		if (!is_ipv6(*host))
			return false;
	}
	if (*behind != '\0' && *behind != ':')
		return false;
	if (*behind == ':') {
		*behind = '\0';
		*port = behind + 1;
	}
	return true;
}

char *config_parse_address(const char *text, unsigned default_port)
{
	char *copy = xstrdup(text), *host, *port_text, *address = NULL;
	unsigned port = default_port;
	bool ok = *text != '\0' && split_address(copy, &host, &port_text);
	if (ok && port_text == NULL)
		ok = default_port != 0;
	else if (ok)
		ok = parse_port(port_text, &port);
	if (ok && is_ipv6(host))
		address = xasprintf("[%s]:%u", host, port);
	else if (ok && *host == '\0')
		address = xasprintf("0.0.0.0:%u", port);
	else if (ok && is_host_name(host) && !is_broken_ipv4(host))
		address = xasprintf("%s:%u", host, port);
	free(copy);
	return address;
}

bool config_is_loopback(const char *host)
{
	struct in_addr v4;
	struct in6_addr v6;
	if (strcmp(host, "localhost") == 0)
		return true;
	if (inet_pton(AF_INET, host, &v4) == 1)
		return ntohl(v4.s_addr) >> 24 == 127;
	return inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

const struct config_type config_bool = {
    .name = "bool", .expected = "yes or no", .read = read_bool, .equal = equal_bool};
const struct config_type config_duration = {.name = "duration",
    .expected = "a duration such as 5m, 90s, 250ms or 1h30m",
    .read = read_duration,
    .equal = equal_duration};
const struct config_type config_count = {
    .name = "number", .expected = "a whole number", .read = read_count, .equal = equal_count};
const struct config_type config_percent = {.name = "percent",
    .expected = "a percentage such as 50",
    .read = read_percent,
    .equal = equal_percent};
const struct config_type config_size = {.name = "size",
    .expected = "a size such as 65536, 64KiB, 1MiB or 1GiB",
    .read = read_size,
    .equal = equal_count};
const struct config_type config_text = {.name = "text",
    .expected = "text of at most 1024 bytes",
    .read = read_text,
    .clear = config_clear_text,
    .equal = config_equal_text};
const struct config_type config_word = {.name = "word",
    .expected = "a word",
    .read = read_word,
    .clear = config_clear_text,
    .equal = config_equal_text};
const struct config_type config_path = {.name = "path",
    .expected = "an absolute path without \"..\"",
    .read = read_path,
    .clear = config_clear_text,
    .equal = config_equal_text};
const struct config_type config_socket = {.name = "socket",
    .expected = "an absolute path of at most 107 bytes without \"..\"",
    .read = read_socket,
    .clear = config_clear_text,
    .equal = config_equal_text};
const struct config_type config_names = {.name = "names",
    .expected = "a list of names",
    .read = read_names,
    .clear = config_clear_names,
    .equal = config_equal_names};
