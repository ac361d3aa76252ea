/* Milliseconds and bytes, as the bounds of rows count them. */
#ifndef EKSGATE_SETTINGS_UNITS_H
#define EKSGATE_SETTINGS_UNITS_H

#include <stddef.h>
#include <stdint.h>

#define SECOND ((int64_t)1000)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)
#define KIB    ((int64_t)1024)
#define MIB    (1024 * KIB)

#define ROW_COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))
#define ROWS_OF(rows)                                                                              \
	{                                                                                          \
		(rows), ROW_COUNT(rows)                                                            \
	}

#endif
