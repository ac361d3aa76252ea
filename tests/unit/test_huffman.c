/* The code of HPACK's strings: what is encoded decodes to itself, as nghttp2 has it, and padding is
 * judged strictly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

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

static void assert_comes_back(const char *text, size_t len)
{
	static char code[20000], again[20000];
	size_t code_len = huffman_encoded_len(text, len), again_len = 0;
	assert_true(code_len <= sizeof code);
	assert_ptr_equal(huffman_encode(code, text, len), code + code_len);
	assert_true(decode(code, code_len, again, &again_len));
	assert_int_equal(again_len, len);
	assert_memory_equal(again, text, len);
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
		char text[64], code[64];
		size_t text_len = 0, len = strlen(cases[i].text);
		assert_true(decode(cases[i].code, cases[i].len, text, &text_len));
		assert_int_equal(text_len, len);
		assert_memory_equal(text, cases[i].text, len);
		assert_int_equal(huffman_encoded_len(cases[i].text, len), cases[i].len);
		assert_ptr_equal(huffman_encode(code, cases[i].text, len), code + cases[i].len);
		assert_memory_equal(code, cases[i].code, cases[i].len);
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
			text[i] = kind == 0   ? (char)(uint8_t)any
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
	for (unsigned byte = 0; byte < 256; byte++) {
		char text[64];
		size_t len;
		const char code = (char)byte;
		/* One letter of 5 to 8 bits and ones, or nothing: no letter has ones alone. */
		bool is_sound = decode(&code, 1, text, &len);
		if (!is_sound)
			continue;
		char again[8];
		assert_int_equal(len, 1);
		assert_int_equal(huffman_encoded_len(text, len), 1);
		assert_ptr_equal(huffman_encode(again, text, len), again + 1);
		assert_int_equal(again[0], code);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_examples),
	    cmocka_unit_test(test_pairs),
	    cmocka_unit_test(test_lengths),
	    cmocka_unit_test(test_refuses),
	    cmocka_unit_test(test_padding),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
