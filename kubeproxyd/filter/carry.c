/* The carried bytes. Many are pages of their own, which grow without being copied and are gone when
 * they are given back; fewer are copied and wiped. Called by the filters. */
#include "kubeproxyd/filter/carry.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "common/xmem.h"

#define STEP_LEAST ((size_t)32 * 1024)
#define STEP_MOST  ((size_t)64 * 1024)
#define PAGES_FROM ((size_t)256 * 1024)

static void release(struct carry *carry)
{
	if (carry->cap >= PAGES_FROM) {
		munmap(carry->data, carry->cap);
		return;
	}
	if (carry->data != NULL)
		explicit_bzero(carry->data, carry->cap);
	free(carry->data);
}

static uint8_t *make_pages(size_t cap)
{
	return mmap(NULL, cap, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void resize(struct carry *carry, size_t cap)
{
	bool is_paged = carry->cap >= PAGES_FROM;
	uint8_t *data = is_paged	    ? mremap(carry->data, carry->cap, cap, MREMAP_MAYMOVE)
			: cap >= PAGES_FROM ? make_pages(cap)
					    : xmalloc(cap);
	if (data == MAP_FAILED)
		abort();
	if (!is_paged && carry->len > 0)
		memcpy(data, carry->data, carry->len);
	if (!is_paged)
		release(carry);
	carry->data = data;
	carry->cap = cap;
}

static void grow(struct carry *carry, size_t want)
{
	size_t step = want / 8;
	if (step < STEP_LEAST)
		step = STEP_LEAST;
	if (step > STEP_MOST)
		step = STEP_MOST;
	resize(carry, (want + step - 1) / step * step);
}

void carry_append(struct carry *carry, const uint8_t *data, size_t len)
{
	if (len == 0)
		return;
	if (carry->len + len > carry->cap)
		grow(carry, carry->len + len);
	memcpy(carry->data + carry->len, data, len);
	carry->len += len;
}

void carry_consume(struct carry *carry, size_t len)
{
	if (len >= carry->len) {
		carry_free(carry);
		return;
	}
	if (len == 0)
		return;
	memmove(carry->data, carry->data + len, carry->len - len);
	carry->len -= len;
}

void carry_free(struct carry *carry)
{
	release(carry);
	*carry = (struct carry){0};
}
