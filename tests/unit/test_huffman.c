/* The code of HPACK's strings: what nghttp2 encodes decodes to what it was, padding is judged
 * strictly, and a decoder that goes bit by bit makes the same of anything. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <nghttp2/nghttp2.h>

#include "common/xmem.h"
#include "kubeproxyd/http/huffman.h"

/* Into memory of exactly the size that is asked for. */
static bool decode(const char *code, size_t len, char *text, size_t *text_len)
{
	char *out = xmalloc(huffman_decode_room(len));
	uint8_t *in = xmalloc(len > 0 ? len : 1);
	memcpy(in, code, len);
	bool is_sound = huffman_decode(out, text_len, in, len);
	if (is_sound)
		memcpy(text, out, *text_len);
	free(in);
	free(out);
	return is_sound;
}

/* Letters of five bits, enough of them that nghttp2 compresses whatever stands between. */
#define SHORT "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

/* As nghttp2 writes it; `code` has room. It must have compressed it. */
static size_t encode(char *code, size_t room, const char *text, size_t len)
{
	static uint8_t block[40000];
	nghttp2_hd_deflater *deflater;
	assert_int_equal(nghttp2_hd_deflate_new(&deflater, 0), 0);
	nghttp2_nv field = {.name = (uint8_t[]){'x'},
	    .namelen = 1,
	    .value = (uint8_t *)(uintptr_t)text,
	    .valuelen = len,
	    .flags = NGHTTP2_NV_FLAG_NO_INDEX};
	ssize_t written = nghttp2_hd_deflate_hd(deflater, block, sizeof block, &field, 1);
	assert_true(written > 0);
	nghttp2_hd_deflate_del(deflater);
	/* A size update, since the table has none; a literal, its name and the value. */
	const uint8_t *at = block, *end = block + written;
	while ((*at & 0xe0) == 0x20)
		at++;
	assert_memory_equal(at, "\x10\x01x", 3);
	at += 3;
	assert_true((*at & 0x80) != 0);
	size_t code_len = *at++ & 0x7f;
	for (unsigned shift = 0; code_len >= 0x7f; shift += 7) {
		code_len += (size_t)(*at & 0x7f) << shift;
		if ((*at++ & 0x80) == 0)
			break;
	}
	assert_int_equal(code_len, end - at);
	assert_true(code_len <= room);
	memcpy(code, at, code_len);
	return code_len;
}

/* Behind up to seven bits of other letters, and with more behind it. */
static void assert_comes_back(const char *text, size_t len)
{
	static char code[20000], again[20000], whole[20000];
	size_t again_len = 0, begin = strlen(SHORT), whole_len = begin + len;
	memcpy(whole, SHORT, begin);
	memcpy(whole + begin, text, len);
	size_t code_len = encode(code, sizeof code, whole, whole_len);
	assert_true(decode(code, code_len, again, &again_len));
	assert_int_equal(again_len, whole_len);
	assert_memory_equal(again, whole, whole_len);
}

/* Appendix C.4 and C.6. */
static void test_examples(void **state)
{
	(void)state;
	static const struct {
		const char *text, *code;
		size_t len;
	} cases[] = {
	    {"", "", 0},
	    {"www.example.com", "\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff", 12},
	    {"no-cache", "\xa8\xeb\x10\x64\x9c\xbf", 6},
	    {"302", "\x64\x02", 2},
	    {"307", "\x64\x0e\xff", 3},
	    {"private", "\xae\xc3\x77\x1a\x4b", 5},
	    {"https://www.example.com",
		"\x9d\x29\xad\x17\x18\x63\xc7\x8f\x0b\x97\xc8\xe9\xae\x82\xae\x43\xd3", 17},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char text[64];
		size_t text_len = 0, len = strlen(cases[i].text);
		assert_true(decode(cases[i].code, cases[i].len, text, &text_len));
		assert_int_equal(text_len, len);
		assert_memory_equal(text, cases[i].text, len);
	}
}

/* Every pair of letters, with what stands around it moving the code by each number of bits. */
static void test_pairs(void **state)
{
	(void)state;
	for (unsigned one = 0; one < 256; one++) {
		for (unsigned two = 0; two < 256; two++) {
			const char text[] = {(char)one, (char)two, (char)one};
			assert_comes_back(text, 2);
			assert_comes_back(text, 3);
		}
	}
}

static void test_lengths(void **state)
{
	(void)state;
	static char text[4096];
	srandom(1);
	for (size_t round = 0; round < 6000; round++) {
		size_t len = round < 2000 ? round % 40 : (size_t)random() % sizeof text;
		unsigned kind = (unsigned)random() % 3;
		for (size_t i = 0; i < len; i++) {
			unsigned any = (unsigned)random();
			static const char usual[] = "aceiost012-/. =Bearer{}<\\@\"";
			text[i] = kind == 0   ? any % 16 > 0 ? 'e' : (char)(uint8_t)(any >> 8)
				    : kind == 1 ? (char)(' ' + any % 95)
					      : usual[any % (sizeof usual - 1)];
		}
		assert_comes_back(text, len);
	}
}

static void test_refuses(void **state)
{
	(void)state;
	static const struct {
		const char *why, *code;
		size_t len;
	} cases[] = {
	    {"eight bits of padding alone", "\xff", 1},
	    {"eight bits of padding", "\x64\x02\xff", 3},
	    {"padding of zeros behind five bits", "\x18", 1},
	    {"padding with a zero", "\x1e", 1},
	    {"a code that is not whole", "\xfe", 1},
	    {"a long code that is not whole", "\xff\xff\xfe", 3},
	    {"the end of the string", "\xff\xff\xff\xff", 4},
	    {"the end of the string in the middle", "\x1f\xff\xff\xff\xff\x1f\x1f\x1f\x1f\x1f", 10},
	    {"the end of the string behind a long one",
		"\x00\x00\x00\x00\x00\x00\x00\x00\x07\xff\xff\xff\xff\xff", 14},
	    {"much padding behind a long one", "\x00\x00\x00\x00\x00\x00\x00\x00\x07\xff\xff", 11},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char text[64];
		size_t len;
		if (decode(cases[i].code, cases[i].len, text, &len))
			fail_msg("accepted: %s", cases[i].why);
	}
}

/* Behind five to eleven bits, each padding but the one that is ones. */
static void test_padding(void **state)
{
	(void)state;
	unsigned accepted = 0;
	for (unsigned byte = 0; byte < 256; byte++) {
		char text[64];
		size_t len;
		const char code = (char)byte;
		/* One letter of 5 to 8 bits and ones, or nothing: no letter has ones alone. */
		bool is_sound = decode(&code, 1, text, &len);
		if (!is_sound)
			continue;
		assert_int_equal(len, 1);
		accepted++;
	}
	assert_int_equal(accepted, 10 + 26 + 32 + 6); /* so many have 5, 6, 7 and 8 bits */
}

/* --- the obvious decoder ------------------------------------------------------------------------
 */

/* Of each letter, the last bit lowest: as nghttp2 writes them. */
static uint32_t codes[256];
static unsigned lengths[256];

static unsigned bit_at(const uint8_t *code, size_t at)
{
	return code[at / 8] >> (7 - at % 8) & 1;
}

/* The letter stands between letters of which the last is 00011, then there are ones. */
static void learn_code(unsigned letter)
{
	char text[sizeof SHORT + 1] = SHORT, code[64];
	text[strlen(SHORT)] = (char)letter;
	text[strlen(SHORT) + 1] = 'a';
	size_t end = encode(code, sizeof code, text, strlen(SHORT) + 2) * 8;
	while (bit_at((const uint8_t *)code, end - 1) == 1)
		end--;
	end -= 3;
	lengths[letter] = (unsigned)(end - 5 * strlen(SHORT));
	codes[letter] = 0;
	for (size_t at = 5 * strlen(SHORT); at < end; at++)
		codes[letter] = codes[letter] << 1 | bit_at((const uint8_t *)code, at);
}

static int learn_codes(void **state)
{
	(void)state;
	for (unsigned letter = 0; letter < 256; letter++)
		learn_code(letter);
	return 0;
}

/* 256: none is whole. */
static unsigned find_letter(const uint8_t *code, size_t at, size_t end)
{
	uint32_t bits = 0;
	for (unsigned len = 1; len <= 30 && at + len <= end; len++) {
		bits = bits << 1 | bit_at(code, at + len - 1);
		for (unsigned letter = 0; letter < 256; letter++) {
			if (lengths[letter] == len && codes[letter] == bits)
				return letter;
		}
	}
	return 256;
}

static bool decode_slowly(const uint8_t *code, size_t len, char *text, size_t *text_len)
{
	size_t at = 0, end = len * 8;
	*text_len = 0;
	for (;;) {
		unsigned letter = find_letter(code, at, end);
		if (letter == 256)
			break;
		text[(*text_len)++] = (char)letter;
		at += lengths[letter];
	}
	if (end - at > 7)
		return false;
	while (at < end && bit_at(code, at) == 1)
		at++;
	return at == end;
}

/* Whether it is sound. */
static bool assert_same(const uint8_t *code, size_t len)
{
	char ours[256], theirs[256];
	size_t our_len = 0, their_len = 0;
	assert_true(len < 100);
	bool is_sound = decode((const char *)code, len, ours, &our_len);
	assert_int_equal(is_sound, decode_slowly(code, len, theirs, &their_len));
	if (!is_sound)
		return false;
	assert_int_equal(our_len, their_len);
	assert_memory_equal(ours, theirs, our_len);
	return true;
}

struct bits {
	uint8_t bytes[100];
	size_t count;
};

static void append_bit(struct bits *bits, unsigned bit)
{
	assert_true(bits->count < 8 * sizeof bits->bytes);
	uint8_t mask = (uint8_t)(0x80 >> bits->count % 8);
	bits->bytes[bits->count / 8] &= (uint8_t)~mask;
	if (bit != 0)
		bits->bytes[bits->count / 8] |= mask;
	bits->count++;
}

static void append_letter(struct bits *bits, unsigned letter)
{
	for (unsigned i = lengths[letter]; i-- > 0;)
		append_bit(bits, codes[letter] >> i & 1);
}

/* So many bytes, after ones to a whole one. */
static size_t finish(struct bits *bits)
{
	while (bits->count % 8 != 0)
		append_bit(bits, 1);
	return bits->count / 8;
}

/* All of one byte and of two. */
static void test_every_short_code(void **state)
{
	(void)state;
	unsigned sound = 0;
	for (unsigned code = 0; code < 65536; code++) {
		const uint8_t bytes[] = {(uint8_t)(code >> 8), (uint8_t)code};
		sound += assert_same(bytes, 2);
		if ((code & 0xff) == 0)
			sound += assert_same(bytes, 1);
	}
	assert_true(sound > 1000);
}

/* Each letter behind each number of bits that a window can hold: with its padding, with more of it,
 * cut off, and with one of the last bits another. */
static void test_every_end(void **state)
{
	(void)state;
	/* Five, six and seven bits. */
	static const char before[] = "a=aaP=aaaPa==P";
	for (unsigned letter = 0; letter < 256; letter++) {
		for (size_t n = 0; n < sizeof before; n++) {
			struct bits bits = {0};
			for (size_t i = 0; i < n; i++)
				append_letter(&bits, (uint8_t)before[i]);
			append_letter(&bits, letter);
			size_t end = bits.count, len = finish(&bits);
			assert_true(assert_same(bits.bytes, len));
			for (size_t less = 1; less <= 4 && less <= len; less++)
				(void)assert_same(bits.bytes, len - less);
			memset(bits.bytes + len, 0xff, 5);
			for (size_t more = 1; more <= 5; more++)
				assert_false(assert_same(bits.bytes, len + more));
			for (size_t at = end >= 8 ? end - 8 : 0; at < len * 8; at++) {
				uint8_t mask = (uint8_t)(0x80 >> at % 8);
				bits.bytes[at / 8] ^= mask;
				(void)assert_same(bits.bytes, len);
				bits.bytes[at / 8] ^= mask;
			}
		}
	}
}

/* Letters of all kinds, or bytes of any, of each length. */
static void test_anything(void **state)
{
	(void)state;
	unsigned sound = 0;
	srandom(2);
	for (unsigned round = 0; round < 20000; round++) {
		struct bits bits = {0};
		unsigned kind = (unsigned)random() % 4;
		size_t room = 8 * ((size_t)random() % 40);
		while (bits.count < room) {
			unsigned any = (unsigned)random();
			if (kind == 0)
				append_bit(&bits, any & 1);
			else
				append_letter(&bits, kind == 1 ? any % 256 : ' ' + any % 95);
		}
		size_t len = finish(&bits);
		if (kind == 3 && len > 0)
			bits.bytes[(size_t)random() % len] ^= (uint8_t)(1 << random() % 8);
		sound += assert_same(bits.bytes, len);
	}
	assert_true(sound > 5000 && sound < 19000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_examples),
	    cmocka_unit_test(test_pairs),
	    cmocka_unit_test(test_lengths),
	    cmocka_unit_test(test_refuses),
	    cmocka_unit_test(test_padding),
	    cmocka_unit_test(test_every_short_code),
	    cmocka_unit_test(test_every_end),
	    cmocka_unit_test(test_anything),
	};
	return cmocka_run_group_tests(tests, learn_codes, NULL);
}
