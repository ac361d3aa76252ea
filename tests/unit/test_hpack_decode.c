/* The decoder of header blocks: the examples of RFC 7541, what it refuses, what stays in its table,
 * and that it reads what nghttp2 writes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/buf.h"
#include "common/xmem.h"
#include "kubeproxyd/http/hpack.h"
#include "kubeproxyd/http/hpack_decode.h"
#include "tests/unit/hpack_both.h"

struct taken {
	struct buf text; /* "name: value\n" a field; '!' first when it is never indexed */
	struct hpack_field last;
	uint32_t last_mark, set_mark;
};

static void take(void *arg, const struct hpack_field *field)
{
	struct taken *taken = arg;
	if (field->is_never_indexed)
		buf_append_char(&taken->text, '!');
	buf_append(&taken->text, field->name, field->name_len);
	buf_append_text(&taken->text, ": ");
	buf_append(&taken->text, field->value, field->value_len);
	buf_append_char(&taken->text, '\n');
	taken->last = *field;
	if (field->mark == NULL)
		return;
	taken->last_mark = *field->mark;
	if (taken->set_mark != 0)
		*field->mark = taken->set_mark;
}

/* Out of memory of its exact size. */
static bool decode(
    struct hpack_decoder *decoder, const void *block, size_t len, struct taken *taken)
{
	uint8_t *copy = xmalloc(len > 0 ? len : 1);
	memcpy(copy, block, len);
	buf_clear(&taken->text);
	bool is_sound = hpack_decode(decoder, copy, len, take, taken);
	free(copy);
	return is_sound;
}

static unsigned digit(char c)
{
	return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
}

static bool decode_hex(struct hpack_decoder *decoder, const char *hex, struct taken *taken)
{
	struct buf block = {0};
	for (; *hex != '\0'; hex += 2)
		buf_append_char(&block, (char)(uint8_t)(digit(hex[0]) << 4 | digit(hex[1])));
	bool is_sound = decode(decoder, buf_text(&block), block.len, taken);
	buf_free(&block);
	return is_sound;
}

/* --- the examples ----------------------------------------------------------------------------- */

struct step {
	const char *hex, *fields;
	size_t table_size, entries;
};

static void run(size_t table_max, const struct step *steps, size_t count)
{
	struct hpack_decoder decoder;
	struct taken taken = {0};
	hpack_decoder_init(&decoder, table_max);
	for (size_t i = 0; i < count; i++) {
		assert_true(decode_hex(&decoder, steps[i].hex, &taken));
		assert_string_equal(buf_text(&taken.text), steps[i].fields);
		assert_int_equal(decoder.table.size, steps[i].table_size);
		assert_int_equal(decoder.table.count, steps[i].entries);
	}
	hpack_decoder_free(&decoder);
	buf_free(&taken.text);
}
#define RUN(table_max, steps) run((table_max), (steps), sizeof(steps) / sizeof(steps)[0])

static void test_literals(void **state)
{
	(void)state;
	static const struct step c21[] = {{"400a637573746f6d2d6b65790d637573746f6d2d686561646572",
	    "custom-key: custom-header\n", 55, 1}};
	static const struct step c22[] = {
	    {"040c2f73616d706c652f70617468", ":path: /sample/path\n", 0, 0}};
	static const struct step c23[] = {
	    {"100870617373776f726406736563726574", "!password: secret\n", 0, 0}};
	static const struct step c24[] = {{"82", ":method: GET\n", 0, 0}};
	RUN(4096, c21);
	RUN(4096, c22);
	RUN(4096, c23);
	RUN(4096, c24);
}

#define REQUEST_1 ":method: GET\n:scheme: http\n:path: /\n:authority: www.example.com\n"
#define REQUEST_2 REQUEST_1 "cache-control: no-cache\n"
#define REQUEST_3                                                                                  \
	":method: GET\n:scheme: https\n:path: /index.html\n:authority: www.example.com\n"          \
	"custom-key: custom-value\n"

static void test_requests(void **state)
{
	(void)state;
	static const struct step raw[] = {
	    {"828684410f7777772e6578616d706c652e636f6d", REQUEST_1, 57, 1},
	    {"828684be58086e6f2d6361636865", REQUEST_2, 110, 2},
	    {"828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565", REQUEST_3, 164, 3},
	};
	static const struct step compressed[] = {
	    {"828684418cf1e3c2e5f23a6ba0ab90f4ff", REQUEST_1, 57, 1},
	    {"828684be5886a8eb10649cbf", REQUEST_2, 110, 2},
	    {"828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf", REQUEST_3, 164, 3},
	};
	RUN(4096, raw);
	RUN(4096, compressed);
}

#define ANSWER_REST                                                                                \
	"cache-control: private\ndate: Mon, 21 Oct 2013 20:13:21 GMT\n"                            \
	"location: https://www.example.com\n"
#define ANSWER_3                                                                                   \
	":status: 200\ncache-control: private\ndate: Mon, 21 Oct 2013 20:13:22 GMT\n"              \
	"location: https://www.example.com\ncontent-encoding: gzip\n"                              \
	"set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1\n"

/* A table of 256: entries leave. */
static void test_answers(void **state)
{
	(void)state;
	static const struct step raw[] = {
	    {"4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120"
	     "474d546e1768747470733a2f2f7777772e6578616d706c652e636f6d",
		":status: 302\n" ANSWER_REST, 222, 4},
	    {"4803333037c1c0bf", ":status: 307\n" ANSWER_REST, 222, 4},
	    {"88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a69707738"
	     "666f6f3d4153444a4b48514b425a584f5157454f50495541585157454f49553b206d61782d6167653d33"
	     "3630303b2076657273696f6e3d31",
		ANSWER_3, 215, 3},
	};
	static const struct step compressed[] = {
	    {"488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad1718"
	     "63c78f0b97c8e9ae82ae43d3",
		":status: 302\n" ANSWER_REST, 222, 4},
	    {"4883640effc1c0bf", ":status: 307\n" ANSWER_REST, 222, 4},
	    {"88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7"
	     "b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007",
		ANSWER_3, 215, 3},
	};
	RUN(256, raw);
	RUN(256, compressed);
}

/* --- what is refused -------------------------------------------------------------------------- */

static void test_refuses(void **state)
{
	(void)state;
	static const struct {
		const char *why, *hex;
	} cases[] = {
	    {"index 0", "80"},
	    {"an index beyond the static table of an empty one", "be"},
	    {"an index far beyond", "ffffffffff0f"},
	    {"a name beyond the table", "7e0161"},
	    {"a name beyond the table, not indexed", "0f2f0161"},
	    {"an index that is not whole", "ff"},
	    {"an index that is not whole, longer", "ff80"},
	    {"a literal that ends", "40"},
	    {"a literal that ends behind its name", "400161"},
	    {"a literal that ends behind an index", "44"},
	    {"a name that ends", "40036161"},
	    {"a value that ends", "440361"},
	    {"a compressed value that ends", "4483f1"},
	    {"a length that is not whole", "447f"},
	    {"a length of more than 32 bits", "447fffffffff0f"},
	    {"a length of six bytes", "447f80808080800161"},
	    {"an index of six bytes", "0f80808080800000"},
	    {"a length whose sum has 33 bits", "447f81ffffff0f"},
	    {"padding of zeros", "448118"},
	    {"padding of eight bits", "44836402ff"},
	    {"a name with padding of zeros", "408118016100"},
	    {"a size update behind a field", "8220"},
	    {"three size updates", "20202082"},
	    {"a size beyond the announced", "3fe21f"},
	    {"a size update that is not whole", "3f"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct hpack_decoder decoder;
		struct taken taken = {0};
		hpack_decoder_init(&decoder, 4096);
		if (decode_hex(&decoder, cases[i].hex, &taken))
			fail_msg("accepted: %s", cases[i].why);
		hpack_decoder_free(&decoder);
		buf_free(&taken.text);
	}
}

/* Just what is allowed. */
static void test_accepts(void **state)
{
	(void)state;
	static const struct step sound[] = {
	    {"", "", 0, 0},
	    {"20", "", 0, 0},
	    {"203fe11f82", ":method: GET\n", 0, 0},
	    {"bd", "www-authenticate: \n", 0, 0},
	    {"0f2e0161", "www-authenticate: a\n", 0, 0},
	    {"0f808080800000", "accept-charset: \n", 0, 0},
	    {"000000000000", ": \n: \n", 0, 0},
	    {"008080", ": \n", 0, 0},
	    {"400000", ": \n", 32, 1},
	    {"bebe", ": \n: \n", 32, 1},
	};
	RUN(4096, sound);
}

/* --- the table -------------------------------------------------------------------------------- */

static void test_marks(void **state)
{
	(void)state;
	struct hpack_decoder one, other;
	struct taken taken = {.set_mark = 7};
	hpack_decoder_init(&one, 4096);
	hpack_decoder_init(&other, 4096);
	assert_true(decode_hex(&one, "82", &taken));
	assert_int_equal(taken.last_mark, 0);
	assert_int_equal(taken.last.static_name, HPACK_METHOD);
	assert_true(decode_hex(&one, "82", &taken));
	assert_int_equal(taken.last_mark, 7);
	assert_true(decode_hex(&one, "83", &taken));
	assert_int_equal(taken.last_mark, 0);
	assert_int_equal(taken.last.static_name, HPACK_METHOD);
	assert_true(decode_hex(&other, "82", &taken));
	assert_int_equal(taken.last_mark, 0);

	taken.set_mark = 8;
	assert_true(decode_hex(&one, "57026f6b", &taken)); /* authorization: ok */
	assert_int_equal(taken.last_mark, 0);
	assert_int_equal(taken.last.static_name, HPACK_AUTHORIZATION);
	taken.set_mark = 9;
	assert_true(decode_hex(&one, "7e026b6f", &taken)); /* its name, by the entry */
	assert_int_equal(taken.last_mark, 0);
	assert_int_equal(taken.last.static_name, HPACK_AUTHORIZATION);
	assert_string_equal(buf_text(&taken.text), "authorization: ko\n");
	assert_int_equal(taken.last.name_mark, 8);
	taken.set_mark = 0;
	assert_true(decode_hex(&one, "bf", &taken));
	assert_int_equal(taken.last_mark, 8);
	assert_int_equal(taken.last.name_mark, 0);
	assert_true(decode_hex(&one, "be", &taken));
	assert_int_equal(taken.last_mark, 9);
	assert_int_equal(taken.last.static_name, HPACK_AUTHORIZATION);

	/* No entry holds these. */
	assert_true(decode_hex(&one, "0f2f026f6b", &taken));
	assert_null(taken.last.mark);
	assert_int_equal(taken.last.name_mark, 9);
	assert_true(decode_hex(&one, "1f08026f6b", &taken));
	assert_null(taken.last.mark);
	assert_true(taken.last.is_never_indexed);
	assert_int_equal(taken.last.static_name, HPACK_AUTHORIZATION);
	/* A name that is spelt is nobody's. */
	assert_true(decode_hex(&one, "40073a6d6574686f6403474554", &taken));
	assert_string_equal(buf_text(&taken.text), ":method: GET\n");
	assert_int_equal(taken.last.name_mark, 0);
	assert_int_equal(taken.last.static_name, 0);
	hpack_decoder_free(&one);
	hpack_decoder_free(&other);
	buf_free(&taken.text);
}

/* A literal with incremental indexing; index 0: `name` as it is. */
static void append_inserted(struct buf *out, uint8_t index, const char *name, size_t name_len,
    char letter, size_t value_len)
{
	struct buf field = {0};
	char *value = xmalloc(value_len + 1);
	memset(value, letter, value_len);
	hpack_append(&field, name, name_len, value, value_len, false);
	/* What stands before the value there is known. */
	buf_append_char(out, (char)(0x40 | index));
	size_t name_at = 1, value_at = 1 + (name_len < 127 ? 1u : 2u) + name_len;
	if (index == 0)
		buf_append(out, field.data + name_at, value_at - name_at);
	buf_append(out, field.data + value_at, field.len - value_at);
	buf_free(&field);
	free(value);
}

static void decode_inserted(struct hpack_decoder *decoder, uint8_t index, const char *name,
    char letter, size_t value_len, struct taken *taken)
{
	struct buf block = {0};
	append_inserted(&block, index, name, strlen(name), letter, value_len);
	assert_true(decode(decoder, block.data, block.len, taken));
	size_t name_len = strlen(name);
	assert_int_equal(taken->text.len, name_len + value_len + 3);
	assert_memory_equal(taken->text.data, name, name_len);
	for (size_t i = 0; i < value_len; i++)
		assert_int_equal(taken->text.data[name_len + 2 + i], letter);
	buf_free(&block);
}

static void test_larger_than_the_table(void **state)
{
	(void)state;
	struct hpack_decoder decoder;
	struct taken taken = {0};
	hpack_decoder_init(&decoder, 4096);
	decode_inserted(&decoder, 0, "name", 'v', 100, &taken);
	assert_int_equal(decoder.table.count, 1);
	decode_inserted(&decoder, 0, "name", 'w', 4096 - 32 - 4, &taken);
	assert_int_equal(decoder.table.count, 1);
	assert_int_equal(decoder.table.size, 4096);
	assert_non_null(taken.last.mark);
	/* Its name is that of the entry that leaves. */
	decode_inserted(&decoder, 62, "name", 'x', 4096 - 32 - 4 + 1, &taken);
	assert_int_equal(decoder.table.count, 0);
	assert_int_equal(decoder.table.size, 0);
	assert_null(taken.last.mark);
	assert_false(decode_hex(&decoder, "be", &taken));
	hpack_decoder_free(&decoder);
	buf_free(&taken.text);
}

/* 4.4: an entry whose name is that of one that it evicts; wherever the bytes are in their block. */
static void test_name_of_the_evicted(void **state)
{
	(void)state;
	for (size_t first = 0; first < 4064 - 4; first += 61) {
		for (size_t second = 3400; second <= 4064 - 4; second += 166) {
			struct hpack_decoder decoder;
			struct taken taken = {0};
			hpack_decoder_init(&decoder, 4096);
			decode_inserted(&decoder, 0, "name", 'a', first, &taken);
			decode_inserted(&decoder, 62, "name", 'b', second, &taken);
			decode_inserted(&decoder, 62, "name", 'c', 4064 - 4, &taken);
			assert_int_equal(decoder.table.count, 1);
			decode_inserted(&decoder, 62, "name", 'd', first, &taken);
			decode_inserted(&decoder, 62, "name", 'e', 10, &taken);
			hpack_decoder_free(&decoder);
			buf_free(&taken.text);
		}
	}
}

static void test_sizes(void **state)
{
	(void)state;
	static const struct step steps[] = {
	    {"4003616161017840036262620179", "aaa: x\nbbb: y\n", 72, 2},
	    {"3f28be", "bbb: y\n", 36, 1}, /* 71: one byte too few for both */
	    {"3f29be", "bbb: y\n", 36, 1}, /* 72, which brings nothing back */
	    {"7e017a", "bbb: z\n", 72, 2},
	    {"203fe11f", "", 0, 0}, /* emptied, and then as large as before */
	    {"40036161610178", "aaa: x\n", 36, 1},
	    {"3f05be", "aaa: x\n", 36, 1}, /* 36, just enough */
	};
	RUN(4096, steps);
	struct hpack_decoder decoder;
	struct taken taken = {0};
	hpack_decoder_init(&decoder, 4096);
	assert_true(decode_hex(&decoder, "40036161610178", &taken));
	assert_false(decode_hex(&decoder, "3f04be", &taken)); /* 35 */
	hpack_decoder_free(&decoder);
	buf_free(&taken.text);
}

/* SETTINGS of more than the default hold for what the peer says, not before. */
static void test_announced(void **state)
{
	(void)state;
	struct hpack_decoder decoder;
	struct taken taken = {0};
	hpack_decoder_init(&decoder, 16384);
	assert_int_equal(decoder.table.max, 4096);
	assert_true(decode_hex(&decoder, "3fe17f", &taken));
	assert_int_equal(decoder.table.max, 16384);
	decode_inserted(&decoder, 0, "name", 'v', 16000, &taken);
	assert_non_null(taken.last.mark);
	assert_false(decode_hex(&decoder, "3fe27f", &taken));
	hpack_decoder_free(&decoder);
	buf_free(&taken.text);
}

/* 5.1: 10, 1337 and what is around the ends of prefixes. */
static void test_integers(void **state)
{
	(void)state;
	static const struct {
		const char *hex;
		size_t size;
	} cases[] = {
	    {"2a", 10}, {"3f9a0a", 1337}, {"3e", 30}, {"3f00", 31}, {"3f60", 127}, {"3f8001", 159}};
	struct hpack_decoder decoder;
	struct taken taken = {0};
	hpack_decoder_init(&decoder, 4096);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		assert_true(decode_hex(&decoder, cases[i].hex, &taken));
		assert_int_equal(decoder.table.max, cases[i].size);
	}
	hpack_decoder_free(&decoder);
	buf_free(&taken.text);
}

static void test_nobody_takes(void **state)
{
	(void)state;
	struct hpack_decoder decoder;
	struct taken taken = {0};
	hpack_decoder_init(&decoder, 4096);
	static const uint8_t block[] = {0x82, 0x40, 1, 'a', 1, 'b', 0x00, 1, 'c', 1, 'd'};
	assert_true(hpack_decode(&decoder, block, sizeof block, NULL, NULL));
	assert_true(decode_hex(&decoder, "be", &taken));
	assert_string_equal(buf_text(&taken.text), "a: b\n");
	static const uint8_t unsound[] = {0xbf};
	assert_false(hpack_decode(&decoder, unsound, sizeof unsound, NULL, NULL));
	assert_true(hpack_decode(&decoder, NULL, 0, NULL, NULL));
	hpack_decoder_free(&decoder);
	buf_free(&taken.text);
}

/* No memory before the first entry, and none behind a peer that wants no table. */
static void test_memory(void **state)
{
	(void)state;
	struct hpack_decoder decoder;
	struct taken taken = {0};
	hpack_decoder_init(&decoder, 4096);
	assert_true(decode_hex(&decoder, "828684", &taken));
	assert_null(decoder.table.bytes);
	assert_null(decoder.table.entries);
	for (size_t i = 0; i < 300; i++) {
		decode_inserted(&decoder, 0, "n", 'v', i % 200, &taken);
		assert_true(decoder.table.byte_cap <= 4096);
		assert_true(decoder.table.entry_cap <= 128);
	}
	assert_true(decode_hex(&decoder, "20", &taken));
	assert_null(decoder.table.bytes);
	assert_null(decoder.table.entries);
	hpack_decoder_free(&decoder);
	buf_free(&taken.text);
}

/* --- what nghttp2 writes ---------------------------------------------------------------------- */

static uint32_t seed;

static uint32_t any(uint32_t below)
{
	seed = seed * 1664525u + 1013904223u;
	return (uint32_t)((uint64_t)seed * below >> 32);
}

/* Few names and few values, so that tables are hit, and some that are unlike all others. */
static size_t make_text(char *text, bool is_name)
{
	static const char *const names[] = {":path", ":status", "accept", "authorization", "cookie",
	    "content-type", "audit-id", "x-kubernetes-pf-flowschema-uid", "user-agent", ":method"};
	static const char *const values[] = {"", "/", "GET", "200", "gzip", "application/json",
	    "/api/v1/namespaces/default/pods?limit=500", "kubectl/v1.31.0 (linux/amd64)"};
	const char *known = is_name ? names[any(10)] : values[any(8)];
	if (any(3) > 0) {
		strcpy(text, known);
		return strlen(known);
	}
	size_t len = any(20) == 0 ? any(5000) : any(40);
	bool is_text = any(4) > 0;
	for (size_t i = 0; i < len; i++)
		text[i] = (char)(uint8_t)(is_text ? 'a' + any(26) : any(256));
	return len;
}

static size_t make_block(nghttp2_hd_deflater *deflater, uint8_t **block)
{
	static char texts[2 * 12][5000];
	nghttp2_nv fields[12];
	size_t count = any(13);
	for (size_t i = 0; i < count; i++) {
		char *name = texts[2 * i], *value = texts[2 * i + 1];
		fields[i].namelen = make_text(name, true);
		fields[i].valuelen = make_text(value, false);
		fields[i].name = (uint8_t *)name;
		fields[i].value = (uint8_t *)value;
		fields[i].flags = any(6) == 0 ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE;
	}
	size_t bound = nghttp2_hd_deflate_bound(deflater, fields, count);
	*block = xmalloc(bound);
	ssize_t len = nghttp2_hd_deflate_hd(deflater, *block, bound, fields, count);
	assert_true(len >= 0);
	*block = xrealloc(*block, (size_t)len + 1);
	return (size_t)len;
}

/* Each static entry, and its name alone. */
static void test_static_table(void **state)
{
	(void)state;
	struct hpack_both both;
	hpack_both_open(&both, HPACK_TABLE_DEFAULT);
	for (uint8_t index = 1; index <= HPACK_STATIC_COUNT; index++) {
		const uint8_t block[] = {0x80 | index, 0x40 | index, 1, 'v'};
		assert_true(hpack_both_decode(&both, block, sizeof block));
		assert_int_equal(both.fields, 2);
	}
	hpack_both_close(&both);
}

/* One connection: tables of any size, which change. */
static void talk(size_t table_max)
{
	struct hpack_both both;
	nghttp2_hd_deflater *deflater;
	hpack_both_open(&both, table_max);
	assert_int_equal(nghttp2_hd_deflate_new(&deflater, table_max), 0);
	for (size_t i = 0; i < 60; i++) {
		uint8_t *block;
		for (uint32_t changes = any(10) == 0 ? 1 + any(2) : 0; changes > 0; changes--)
			assert_int_equal(nghttp2_hd_deflate_change_table_size(
					     deflater, any((uint32_t)table_max + 1)),
			    0);
		size_t len = make_block(deflater, &block);
		assert_true(hpack_both_decode(&both, block, len));
		free(block);
	}
	nghttp2_hd_deflate_del(deflater);
	hpack_both_close(&both);
}

static void test_reads_what_nghttp2_writes(void **state)
{
	(void)state;
	for (seed = 1; seed <= 150; seed++) {
		uint32_t round = seed;
		talk(round % 3 == 0 ? 4096 + any(60000) : 4096);
		seed = round;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_literals),
	    cmocka_unit_test(test_requests),
	    cmocka_unit_test(test_answers),
	    cmocka_unit_test(test_refuses),
	    cmocka_unit_test(test_accepts),
	    cmocka_unit_test(test_marks),
	    cmocka_unit_test(test_larger_than_the_table),
	    cmocka_unit_test(test_name_of_the_evicted),
	    cmocka_unit_test(test_sizes),
	    cmocka_unit_test(test_announced),
	    cmocka_unit_test(test_integers),
	    cmocka_unit_test(test_nobody_takes),
	    cmocka_unit_test(test_memory),
	    cmocka_unit_test(test_static_table),
	    cmocka_unit_test(test_reads_what_nghttp2_writes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
