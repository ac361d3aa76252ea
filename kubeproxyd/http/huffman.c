/* The Huffman code of HPACK. It is canonical (RFC 7541, appendix B): the lengths of its codes say
 * it all, and the tables are made of them before main(). The decoder looks at twelve bits at a
 * time, which are up to two letters, out of a window of 64; the few letters with longer codes are
 * found by the length of theirs. There is no encoder: see hpack.c. Used by hpack_decode. */
#include "kubeproxyd/http/huffman.h"

#include <string.h>

#define SYMBOLS	    257
#define END	    256 /* of the string: never sent */
#define LONGEST	    30
#define WINDOW	    64
#define LOOK	    12
#define LOOKS	    4 /* between two refills, which leave at least 56 bits */
#define PADDING_MAX 7

/* By letter. */
static const uint8_t lengths[SYMBOLS] = {
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, /* 0 */
    28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28, /* 16 */
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, /* ' ' */
    5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, /* '0' */
    13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, /* '@' */
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, /* 'P' */
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, /* '`' */
    6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, /* 'p' */
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, /* 128 */
    24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, /* 144 */
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, /* 160 */
    21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, /* 176 */
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, /* 192 */
    19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, /* 208 */
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, /* 224 */
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, /* 240 */
    30, /* end of the string */
};

/* What some bits begin with. */
struct look {
	char letters[2];
	uint8_t bits; /* of all its letters */
	uint8_t count; /* 0, as `bits`: a letter whose code is longer than this look */
};
static struct look looks[1u << LOOK];

/* By length: from where on codes are longer, with their first bit highest; and, for the code of
 * such a length, counted from 0, which place in `ordered` it has. */
static uint32_t beyond[LONGEST + 1];
static uint32_t place[LONGEST + 1];
static uint16_t ordered[SYMBOLS];

/* By letter, the last bit lowest. Codes of a length are in the order of their letters and continue
 * where shorter ones ended. */
static void assign_codes(uint32_t codes[SYMBOLS])
{
	uint32_t code = 0, count = 0;
	for (unsigned len = 1; len <= LONGEST; len++) {
		code <<= 1;
		place[len] = count - code;
		for (unsigned symbol = 0; symbol < SYMBOLS; symbol++) {
			if (lengths[symbol] != len)
				continue;
			codes[symbol] = code++;
			ordered[count++] = (uint16_t)symbol;
		}
		beyond[len] = code << (32 - len);
	}
}

/* Every look that begins with `code`, of `bits` bits. */
static void fill_looks(uint32_t code, unsigned bits, struct look look)
{
	uint32_t first = code << (LOOK - bits);
	for (uint32_t i = 0; i < 1u << (LOOK - bits); i++)
		looks[first + i] = look;
}

__attribute__((constructor)) static void make_tables(void)
{
	uint32_t codes[SYMBOLS];
	assign_codes(codes);
	for (unsigned one = 0; one < END; one++) {
		unsigned bits = lengths[one];
		if (bits > LOOK)
			continue;
		fill_looks(codes[one], bits,
		    (struct look){.letters = {(char)one}, .bits = (uint8_t)bits, .count = 1});
		for (unsigned two = 0; two < END; two++) {
			unsigned both = bits + lengths[two];
			if (both > LOOK)
				continue;
			fill_looks(codes[one] << lengths[two] | codes[two], both,
			    (struct look){.letters = {(char)one, (char)two},
				.bits = (uint8_t)both,
				.count = 2});
		}
	}
}

struct reader {
	const uint8_t *at, *end;
	size_t len; /* of all the code */
	uint64_t window; /* the next bit is the highest */
	unsigned held; /* so many of them are known to count; what is below is right, or 0 */
	char *out;
};

static inline uint64_t load_eight(const uint8_t *code)
{
	uint64_t word;
	memcpy(&word, code, sizeof word);
	return __builtin_bswap64(word);
}

static inline uint64_t load_four(const uint8_t *code)
{
	uint32_t word;
	memcpy(&word, code, sizeof word);
	return __builtin_bswap32(word);
}

/* The last bytes, fewer than eight, with zeros behind them. Some are read twice. */
static inline uint64_t load_last(const struct reader *reader, size_t left)
{
	const uint8_t *at = reader->at, *end = reader->end;
	if (left == 0)
		return 0;
	if (reader->len >= 8)
		return load_eight(end - 8) << (8 * (8 - left));
	if (left >= 4)
		return load_four(at) << 32 | load_four(end - 4) << (8 * (8 - left));
	return (uint64_t)at[0] << 56 | (uint64_t)at[left / 2] << (56 - 8 * (left / 2)) |
	       (uint64_t)end[-1] << (64 - 8 * left);
}

/* To at least 56 bits, or to all there are. */
static inline void refill(struct reader *reader)
{
	size_t left = (size_t)(reader->end - reader->at);
	unsigned room = (WINDOW - 1 - reader->held) / 8;
	if (left >= 8) {
		reader->window |= load_eight(reader->at) >> reader->held;
		reader->at += room;
		reader->held |= WINDOW - 8;
		return;
	}
	unsigned taken = left < room ? (unsigned)left : room;
	reader->window |= load_last(reader, left) >> reader->held;
	reader->at += taken;
	reader->held += 8 * taken;
}

static inline void drop(struct reader *reader, unsigned bits)
{
	reader->window <<= bits;
	reader->held -= bits;
}

/* The first letter of a window whose code is longer than a look, if it is whole. */
struct found {
	uint16_t symbol;
	uint16_t bits;
};

static struct found find_long(uint64_t window)
{
	uint32_t bits = (uint32_t)(window >> 32);
	unsigned len = LOOK + 1;
	while (len < LONGEST && bits >= beyond[len])
		len++;
	uint16_t symbol = ordered[(uint32_t)(place[len] + (bits >> (32 - len)))];
	return (struct found){.symbol = symbol, .bits = (uint16_t)len};
}

/* False: it is not whole, or the end of the string. */
static inline bool take_long(struct reader *reader)
{
	struct found found = find_long(reader->window);
	if (found.bits > reader->held || found.symbol == END)
		return false;
	*reader->out++ = (char)found.symbol;
	drop(reader, found.bits);
	return true;
}

/* The next look's letters, which are all held. False: there are none, and nothing happened. */
static inline bool take_look(struct reader *reader)
{
	const struct look *look = &looks[reader->window >> (WINDOW - LOOK)];
	memcpy(reader->out, look->letters, sizeof look->letters);
	reader->out += look->count;
	drop(reader, look->bits);
	return look->count > 0;
}

/* Where there are no letters, the looks behind it find the same. */
static inline bool take_four_looks(struct reader *reader)
{
	(void)take_look(reader);
	(void)take_look(reader);
	(void)take_look(reader);
	return take_look(reader);
}

/* A letter of the last bits, of which the padding may look like the beginning of one. */
static inline bool take_one(struct reader *reader)
{
	const struct look *look = &looks[reader->window >> (WINDOW - LOOK)];
	if (look->count == 0)
		return take_long(reader);
	unsigned bits = lengths[(uint8_t)look->letters[0]];
	if (bits > reader->held)
		return false;
	*reader->out++ = look->letters[0];
	drop(reader, bits);
	return true;
}

bool huffman_decode(char *out, size_t *out_len, const uint8_t *code, size_t len)
{
	struct reader reader = {.at = code, .end = code + len, .len = len, .out = out};
	for (;;) {
		refill(&reader);
		if (reader.held < LOOKS * LOOK)
			break;
		if (take_four_looks(&reader))
			continue;
		refill(&reader);
		if (!take_long(&reader))
			return false;
	}
	while (reader.held >= LOOK && take_look(&reader))
		continue;
	for (;;) {
		/* Zeros came in from below. */
		reader.window |= UINT64_MAX >> reader.held;
		if (reader.held <= PADDING_MAX && reader.window == UINT64_MAX)
			break;
		if (!take_one(&reader))
			return false;
	}
	*out_len = (size_t)(reader.out - out);
	return true;
}
