/* An organization as the tests of discoveryd need it: stands in for aws_organizations.o at link
 * time and answers from a script at the end of the turn. */
#ifndef EKSGATE_FAKE_ORGANIZATIONS_H
#define EKSGATE_FAKE_ORGANIZATIONS_H

#include "common/loop.h"
#include "discoveryd/aws_organizations.h"

/* One page of an answer: what "OPERATION PARENT TOKEN" gives, '-' for none of the latter two. */
struct fake_listing {
	const char *request; /* "accounts - -", "roots - -", "units r-1 -", "accounts-of r-1 2" */
	const char *ids; /* space-separated */
	const char *next_token;
};

struct fake_organizations {
	struct loop *loop;
	const struct fake_listing *listings; /* ends with a request NULL; others are not found */
	enum aws_outcome outcome;
	unsigned calls;
	char asked[4096]; /* the requests, joined by ", " */
};
extern struct fake_organizations fake_organizations;

#endif
