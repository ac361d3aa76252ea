/* Unsigned integers as text, where a request's path is too hot for printf. */
#ifndef EKSGATE_DECIMAL_H
#define EKSGATE_DECIMAL_H

#include <stddef.h>
#include <stdint.h>

/* "18446744073709551615" and a NUL. */
#define DECIMAL_TEXT 21

/* Writes the digits and a NUL; returns how many digits. */
static inline size_t decimal_write(char text[DECIMAL_TEXT], uint64_t value)
{
	size_t count = 1;
	for (uint64_t rest = value; rest >= 10; rest /= 10)
		count++;
	text[count] = '\0';
	for (size_t i = count; i > 0; value /= 10)
		text[--i] = (char)('0' + value % 10);
	return count;
}

#endif
