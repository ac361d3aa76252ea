/* The edit distance by dynamic programming over three rows. */
#include "common/edit_distance.h"

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

size_t edit_distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t rows[3][EDIT_DISTANCE_MAX + 1];
	size_t *before = rows[0], *above = rows[1], *now = rows[2];
	if (a_len > EDIT_DISTANCE_MAX || b_len > EDIT_DISTANCE_MAX)
		return EDIT_DISTANCE_MAX;
	for (size_t k = 0; k <= b_len; k++)
		above[k] = k;
	for (size_t i = 1; i <= a_len; i++) {
		now[0] = i;
		for (size_t k = 1; k <= b_len; k++) {
			size_t change = above[k - 1] + (a[i - 1] == b[k - 1] ? 0 : 1);
			now[k] = smaller(change, smaller(above[k], now[k - 1]) + 1);
			if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1])
				now[k] = smaller(now[k], before[k - 2] + 1);
		}
		size_t *oldest = before;
		before = above;
		above = now;
		now = oldest;
	}
	return above[b_len];
}
