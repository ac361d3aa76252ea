/* AWS Organizations as far as discovery reads it: which accounts an organization, or a part of its
 * tree, has. Pure halves, and the call that joins them; one page a call. */
#ifndef EKSGATE_AWS_ORGANIZATIONS_H
#define EKSGATE_AWS_ORGANIZATIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"
#include "common/aws_call.h"

enum organizations_operation {
	ORGANIZATIONS_LIST_ACCOUNTS, /* of the whole organization */
	ORGANIZATIONS_LIST_ROOTS,
	ORGANIZATIONS_LIST_UNITS, /* directly below a parent */
	ORGANIZATIONS_LIST_ACCOUNTS_OF, /* directly below a parent */
};
/* "organizations:ListAccounts". */
const char *organizations_operation_text(enum organizations_operation operation);

/* Ids: of accounts that are active, of roots or of organizational units. A page may be empty and
 * not be the last. */
struct organizations_page {
	char **ids;
	size_t count;
	char *next_token; /* NULL: last */
};
/* False: *error says what is wrong with the answer, or that it is about another organization than
 * `organization` (free()). */
bool organizations_parse_page(enum organizations_operation operation, const char *organization,
    const char *body, size_t len, struct organizations_page *page, char **error) MUST_USE;
void organizations_page_free(struct organizations_page *page);

struct organizations_call;
/* `page` is NULL when reply->outcome is not AWS_OK. Borrowed. */
typedef void organizations_page_fn(
    void *arg, const struct aws_reply *reply, const struct organizations_page *page);

struct organizations_request {
	enum organizations_operation operation;
	const char *organization; /* its id */
	const char *parent; /* the last two operations */
	const char *next_token; /* NULL: the first page */
};
/* `region` chooses the partition: its one endpoint is asked. */
struct organizations_call *organizations_get_page(struct aws_context *aws,
    struct aws_provider *provider, const char *region, const struct organizations_request *request,
    organizations_page_fn *fn, void *arg);
void organizations_call_cancel(struct organizations_call **call);

#endif
