/* The grammar of heads that come by HTTP/2 (RFC 9113, 8.1 to 8.3): each head with fields that no
 * table holds, that a table holds for the first time, and that were judged before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "kubeproxyd/http/field_traits.h"
#include "kubeproxyd/http/h2_rules.h"

#define FIELDS_MAX 16

/* "name: value\n" each. */
struct head {
	const char *fields;
	const char *why; /* a part of the complaint; NULL: allowed */
};

static size_t split(const char *text, struct hpack_field *fields)
{
	size_t count = 0;
	for (; *text != '\0'; count++) {
		const char *end = strchr(text, '\n');
		const char *colon = strstr(text + 1, ": ");
		assert_true(count < FIELDS_MAX && end != NULL);
		assert_true(colon != NULL && colon < end);
		fields[count] = (struct hpack_field){.name = text,
		    .name_len = (size_t)(colon - text),
		    .value = colon + 2,
		    .value_len = (size_t)(end - colon - 2)};
		text = end + 1;
	}
	return count;
}

static const char *judge(struct h2_rules *rules, const struct hpack_field *fields, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const char *why = h2_rules_take(rules, &fields[i]);
		if (why != NULL)
			return why;
	}
	return h2_rules_end(rules);
}

static void check(const char *fields, const char *got, const char *wanted)
{
	bool is_right = wanted == NULL ? got == NULL : got != NULL && strstr(got, wanted) != NULL;
	if (!is_right)
		print_message("%s--> %s, not %s\n", fields, got != NULL ? got : "allowed",
		    wanted != NULL ? wanted : "allowed");
	assert_true(is_right);
}

/* The marks are those of a connection: what one head left there meets the other kinds. */
static void run(enum h2_head_kind kind, const struct head *heads, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct hpack_field fields[FIELDS_MAX];
		uint32_t marks[FIELDS_MAX] = {0};
		size_t n = split(heads[i].fields, fields);
		struct h2_rules rules = {.kind = kind};
		check(heads[i].fields, judge(&rules, fields, n), heads[i].why);
		for (size_t k = 0; k < n; k++)
			fields[k].mark = &marks[k];
		for (unsigned times = 0; times < 3; times++) {
			rules = (struct h2_rules){.kind = kind};
			check(heads[i].fields, judge(&rules, fields, n), heads[i].why);
			/* Another kind of head in between. */
			rules = (struct h2_rules){.kind = (kind + 1 + times) % 3};
			(void)judge(&rules, fields, n);
		}
	}
}
#define RUN(kind, heads) run((kind), (heads), sizeof(heads) / sizeof(heads)[0])

#define M  ":method: GET\n"
#define S  ":scheme: https\n"
#define P  ":path: /\n"
#define A  ":authority: h:1\n"
#define OK M S A P

#define PSEUDO	  "does not belong"
#define BEHIND	  "behind other"
#define TWICE	  "twice"
#define BYTE	  "not allowed"
#define CONNECTED "connection of HTTP/1"

static void test_requests(void **state)
{
	(void)state;
	static const struct head heads[] = {
	    {OK, NULL},
	    {P A S M, NULL},
	    {M S P "host: h\n", NULL},
	    {OK "host: h:1\n", NULL},
	    {OK "a: b\na: b\nc: \n", NULL},
	    /* 8.3: none that is not defined for requests. */
	    {OK ":status: 200\n", PSEUDO},
	    {OK ":protocol: websocket\n", PSEUDO},
	    {OK ":: x\n", PSEUDO},
	    {":: x\n" OK, PSEUDO},
	    {OK ":Path: /\n", PSEUDO},
	    {OK ":paths: /\n", PSEUDO},
	    {OK ":pat: /\n", PSEUDO},
	    /* All before the others, and once. */
	    {M S P "a: b\n" A, BEHIND},
	    {"a: b\n" OK, BEHIND},
	    {M S A "host: h\n" P, BEHIND},
	    {M "content-length: 0\n" S A P, BEHIND},
	    {M M S A P, TWICE},
	    {M S S A P, TWICE},
	    {M S P P A, TWICE},
	    {M S A P A, TWICE},
	    /* 8.3.1 */
	    {S A P, ":method"},
	    {M A P, ":scheme"},
	    {M S A, ":path"},
	    {M S P, ":authority"},
	    {"", ":method"},
	    {S A P ":method: \n", "token"},
	    {S A P ":method: GE T\n", "token"},
	    {S A P ":method: GET/\n", "token"},
	    {S A P ":method: get\n", NULL},
	    {S A P ":method: M-SEARCH\n", NULL},
	    {M A P ":scheme: http\n", NULL},
	    {M A P ":scheme: \n", "scheme"},
	    {M A P ":scheme: ht tp\n", "scheme"},
	    {M A P ":scheme: https://h\n", "scheme"},
	    {M S A ":path: \n", "slash"},
	    {M S A ":path: api\n", "slash"},
	    {M S A ":path: http://h/\n", "slash"},
	    {M S A ":path: ?a\n", "slash"},
	    {M S A ":path: *\n", "OPTIONS"},
	    {S A ":path: *\n:method: OPTIONS\n", NULL},
	    {S A ":method: OPTIONS\n:path: *\n", NULL},
	    {S A ":method: OPTIONS\n:path: **\n", "slash"},
	    {S A ":method: OPTIONS\n:path: /a\n", NULL},
	    {S A ":method: options\n:path: *\n", "OPTIONS"},
	    /* 8.5: CONNECT */
	    {":method: CONNECT\n" A, NULL},
	    {":method: CONNECT\n" A P, "CONNECT"},
	    {":method: CONNECT\n" A S, "CONNECT"},
	    {":method: CONNECT\n", "CONNECT"},
	    {":method: CONNECT\nhost: h\n", "CONNECT"},
	    {OK "host: h\nhost: h\n", TWICE},
	};
	RUN(H2_REQUEST_HEAD, heads);
}

static void test_answers(void **state)
{
	(void)state;
	static const struct head heads[] = {
	    {":status: 200\n", NULL},
	    {":status: 100\n", NULL},
	    {":status: 999\na: b\n", NULL},
	    {":status: 101\n", "101"},
	    {"a: b\n", ":status"},
	    {"", ":status"},
	    {"a: b\n:status: 200\n", BEHIND},
	    {":status: 200\n:status: 200\n", TWICE},
	    {":status: \n", "three digits"},
	    {":status: 20\n", "three digits"},
	    {":status: 2000\n", "three digits"},
	    {":status: 020\n", "three digits"},
	    {":status: 2a0\n", "three digits"},
	    {":status: 20/\n", "three digits"},
	    {":status: 2:0\n", "three digits"},
	    {":status: +20\n", "three digits"},
	    {":status: 200\n" M, PSEUDO},
	    {M, PSEUDO},
	    {":status: 200\n" P, PSEUDO},
	    {":status: 200\n" S, PSEUDO},
	    {":status: 200\n" A, PSEUDO},
	    {":status: 200\nhost: h\nhost: h\n", NULL},
	    {":status: 200\nset-cookie: a\nset-cookie: b\n", NULL},
	};
	RUN(H2_ANSWER_HEAD, heads);
}

static void test_trailers(void **state)
{
	(void)state;
	static const struct head heads[] = {
	    {"", NULL},
	    {"a: b\na: c\n", NULL},
	    {"content-length: x\n", NULL}, /* says nothing there */
	    {"host: h\nhost: h\n", NULL},
	    {M, PSEUDO},
	    {P, PSEUDO},
	    {S, PSEUDO},
	    {A, PSEUDO},
	    {":status: 200\n", PSEUDO},
	    {":x: y\n", PSEUDO},
	    {"a: b\n:status: 200\n", PSEUDO},
	    {"connection: close\n", CONNECTED},
	    {"A: b\n", BYTE},
	    {"a: b \n", BYTE},
	};
	RUN(H2_TRAILERS, heads);
}

/* 8.2.2 */
static void test_fields_of_connections(void **state)
{
	(void)state;
	static const struct head heads[] = {
	    {OK "connection: close\n", CONNECTED},
	    {OK "connection: \n", CONNECTED},
	    {OK "keep-alive: 1\n", CONNECTED},
	    {OK "proxy-connection: x\n", CONNECTED},
	    {OK "transfer-encoding: chunked\n", CONNECTED},
	    {OK "upgrade: h2c\n", CONNECTED},
	    {OK "te: trailers\n", NULL},
	    {OK "te: trailers\nte: trailers\n", NULL},
	    {OK "te: Trailers\n", NULL},
	    {OK "te: \n", "te is not"},
	    {OK "te: gzip\n", "te is not"},
	    {OK "te: trailers, gzip\n", "te is not"},
	    {OK "te: trailer\n", "te is not"},
	    {OK "te: trailerss\n", "te is not"},
	    /* Those that look like them. */
	    {OK "connections: close\nkeep-alives: 1\nt: x\ntee: x\nproxy-connectio: x\nupgraded: "
		"x\n"
		"transfer-encodin: x\nhosts: x\nhos: x\ncontent-lengths: x\n",
		NULL},
	};
	RUN(H2_REQUEST_HEAD, heads);
}

static void test_content_length(void **state)
{
	(void)state;
	static const struct {
		const char *value;
		int64_t length; /* -1: refused */
	} rows[] = {
	    {"0", 0},
	    {"00", 0},
	    {"12345", 12345},
	    {"999999999999999999", 999999999999999999},
	    {"1000000000000000000", -1},
	    {"18446744073709551616", -1},
	    {"", -1},
	    {"-1", -1},
	    {"+1", -1},
	    {"1 1", -1},
	    {"1,1", -1},
	    {"1.0", -1},
	    {"0x1", -1},
	    {"1/", -1},
	    {"1:", -1},
	    {"a", -1},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct h2_rules rules = {.kind = H2_REQUEST_HEAD};
		const struct hpack_field field = {.name = "content-length",
		    .name_len = 14,
		    .value = rows[i].value,
		    .value_len = strlen(rows[i].value)};
		const char *why = h2_rules_take(&rules, &field);
		assert_int_equal(why == NULL, rows[i].length >= 0);
		assert_int_equal(rules.has_length, rows[i].length >= 0);
		if (why == NULL)
			assert_int_equal(rules.length, rows[i].length);
		assert_non_null(h2_rules_take(&rules, &field)); /* twice */
	}
}

/* --- what is kept about a field -----------------------------------------------------------------
 */

/* A name of the static table is judged as the same name that was spelled out, whatever was judged
 * before, and so it is again when a table holds the field. */
static void test_static_names(void **state)
{
	(void)state;
	for (size_t round = 0; round < 2; round++) {
		for (size_t index = 1; index <= HPACK_STATIC_COUNT; index++) {
			const struct hpack_static *entry = hpack_static(index);
			uint32_t mark = 0;
			struct hpack_field field = {.name = entry->name,
			    .name_len = entry->name_len,
			    .value = entry->value,
			    .value_len = entry->value_len};
			struct h2_rules spelled = {.kind = H2_ANSWER_HEAD};
			const char *why = h2_rules_take(&spelled, &field);
			field.static_name = entry->first;
			for (size_t times = 0; times < 3; times++) {
				struct h2_rules rules = {.kind = H2_ANSWER_HEAD};
				const char *again = h2_rules_take(&rules, &field);
				assert_true((why == NULL) == (again == NULL));
				if (why != NULL)
					assert_string_equal(again, why);
				assert_memory_equal(&rules, &spelled, sizeof rules);
				assert_int_equal(
				    rules.traits, field_traits(entry->name, entry->name_len));
				field.mark = &mark;
			}
		}
	}
}

/* The traits are those of the field that was taken last. */
static void test_traits(void **state)
{
	(void)state;
	static const char *const names[] = {"authorization", "x-plain", "impersonate-user",
	    "x-remote-user", "x_remote_user", "cookie", "te", "", "accept", "Accept"};
	uint32_t marks[sizeof names / sizeof names[0]] = {0};
	for (size_t round = 0; round < 2; round++) {
		struct h2_rules rules = {.kind = H2_ANSWER_HEAD};
		for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
			const bool is_te = strcmp(names[i], "te") == 0;
			const struct hpack_field field = {.name = names[i],
			    .name_len = strlen(names[i]),
			    .value = is_te ? "trailers" : "200",
			    .value_len = is_te ? 8 : 3,
			    .mark = &marks[i]};
			const char *why = h2_rules_take(&rules, &field);
			const bool is_wrong = names[i][0] == 'A' || names[i][0] == '\0';
			assert_true((why != NULL) == is_wrong);
			if (why == NULL)
				assert_int_equal(
				    rules.traits, field_traits(names[i], strlen(names[i])));
		}
	}
}

/* A name that is an entry's is judged as it was, but what was found out about the entry's value is
 * not said of another. */
static void test_names_of_entries(void **state)
{
	(void)state;
	static const struct {
		const char *name, *right, *wrong;
	} rows[] = {{":method", "GET", "G T"}, {":scheme", "https", ""}, {":path", "/", "/a b"},
	    {":path", "/", "/\x01"}, {":authority", "h", "h/"}, {"host", "h", "h/"},
	    {"te", "trailers", "gzip"}, {"content-length", "1", "x"},
	    {"x-remote-user", "a", "\x7f"}, {"x_remote_user", "a", " a"}};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const char *values[] = {rows[i].right, rows[i].wrong};
		for (size_t of_entry = 0; of_entry < 2; of_entry++) {
			uint32_t mark = 0;
			struct h2_rules rules = {.kind = H2_REQUEST_HEAD};
			struct hpack_field field = {
			    .name = rows[i].name, .name_len = strlen(rows[i].name), .mark = &mark};
			field.value = values[of_entry];
			field.value_len = strlen(field.value);
			assert_int_equal(h2_rules_take(&rules, &field) != NULL, of_entry);
			assert_true(mark != 0);
			field.name_mark = mark;
			field.mark = NULL;
			for (size_t value = 0; value < 2; value++) {
				rules = (struct h2_rules){.kind = H2_REQUEST_HEAD};
				field.value = values[value];
				field.value_len = strlen(field.value);
				assert_int_equal(h2_rules_take(&rules, &field) != NULL, value);
				if (value == 0)
					assert_int_equal(
					    rules.traits, field_traits(field.name, field.name_len));
			}
		}
	}
	/* Of a name that must not be. */
	uint32_t mark = 0;
	struct hpack_field field = {
	    .name = "A", .name_len = 1, .value = "v", .value_len = 1, .mark = &mark};
	struct h2_rules rules = {.kind = H2_REQUEST_HEAD};
	assert_non_null(h2_rules_take(&rules, &field));
	field.mark = NULL;
	field.name_mark = mark;
	assert_non_null(h2_rules_take(&rules, &field));
}

/* --- bytes (8.2.1) ------------------------------------------------------------------------------
 */

static bool is_allowed(const char *name, size_t name_len, const char *value, size_t value_len)
{
	uint32_t mark = 0;
	struct hpack_field field = {
	    .name = name, .name_len = name_len, .value = value, .value_len = value_len};
	bool is_right[3];
	for (size_t i = 0; i < 3; i++) {
		struct h2_rules rules = {.kind = H2_ANSWER_HEAD};
		is_right[i] = h2_rules_take(&rules, &field) == NULL;
		field.mark = &mark;
	}
	assert_true(is_right[0] == is_right[1] && is_right[1] == is_right[2]);
	return is_right[0];
}

static void test_bytes_of_names(void **state)
{
	(void)state;
	assert_false(is_allowed("", 0, "v", 1));
	for (unsigned c = 0; c < 256; c++) {
		for (size_t at = 0; at < 3; at++) {
			char name[] = "xyz";
			name[at] = (char)c;
			bool is_letter = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
					 (c != 0 && strchr("!#$%&'*+-.^_`|~", (int)c) != NULL);
			assert_int_equal(is_allowed(name, 3, "v", 1), is_letter);
		}
	}
}

/* At each place of values of each length: those are looked at in words. */
static void test_bytes_of_values(void **state)
{
	(void)state;
	assert_true(is_allowed("n", 1, "", 0));
	for (size_t len = 1; len < 27; len++) {
		for (size_t at = 0; at < len; at++) {
			for (unsigned c = 0; c < 256; c++) {
				char value[27];
				memset(value, 0x80 + (int)len, sizeof value);
				value[at] = (char)c;
				bool is_end = at == 0 || at == len - 1;
				bool is_right = c >= 0x20 && c != 0x7f;
				if (c == ' ' || c == '\t')
					is_right = !is_end;
				struct hpack_field field = {
				    .name = "n", .name_len = 1, .value = value, .value_len = len};
				struct h2_rules rules = {.kind = H2_ANSWER_HEAD};
				assert_int_equal(h2_rules_take(&rules, &field) == NULL, is_right);
			}
		}
	}
	/* Two of them, in the same word and not. */
	for (size_t at = 1; at < 19; at++) {
		char value[20] = "abcdefghijklmnopqrst";
		value[9] = '\t';
		value[at] = '\n';
		assert_false(is_allowed("n", 1, value, 20));
		value[at] = '\t';
		assert_true(is_allowed("n", 1, value, 20));
	}
	/* Pseudo fields as well. */
	assert_false(is_allowed(":status", 7, "200 ", 4));
	assert_false(is_allowed(":status", 7, "20\n", 3));
}

/* Not beyond the bytes of a field. */
static void test_lengths_count(void **state)
{
	(void)state;
	assert_true(is_allowed(":status5", 7, "200\n", 3));
	assert_true(is_allowed("te:", 2, "trailersX", 8));
	assert_true(is_allowed("nA", 1, "v ", 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_requests),
	    cmocka_unit_test(test_answers),
	    cmocka_unit_test(test_trailers),
	    cmocka_unit_test(test_fields_of_connections),
	    cmocka_unit_test(test_content_length),
	    cmocka_unit_test(test_static_names),
	    cmocka_unit_test(test_traits),
	    cmocka_unit_test(test_names_of_entries),
	    cmocka_unit_test(test_bytes_of_names),
	    cmocka_unit_test(test_bytes_of_values),
	    cmocka_unit_test(test_lengths_count),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
