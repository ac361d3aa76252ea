/* Compiler attributes that contracts are written in. */
#ifndef EKSGATE_ATTR_H
#define EKSGATE_ATTR_H

/* The result says whether it worked: ignoring it is a bug. */
#define MUST_USE __attribute__((warn_unused_result))
/* Argument `fmt` is a printf format whose first value is argument `args`. */
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

#endif
