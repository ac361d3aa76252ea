/* The scripted organization of fake_organizations.h. */
#include "tests/unit/fake_organizations.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/xmem.h"

struct fake_organizations fake_organizations;

struct organizations_call {
	struct deferred answer;
	char *request;
	organizations_page_fn *fn;
	void *arg;
};

const char *organizations_operation_text(enum organizations_operation operation)
{
	static const char *const texts[] = {"accounts", "roots", "units", "accounts-of"};
	return texts[operation];
}

static const struct fake_listing *find_listing(const char *request)
{
	const struct fake_listing *listing = fake_organizations.listings;
	while (
	    listing != NULL && listing->request != NULL && strcmp(listing->request, request) != 0)
		listing++;
	return listing != NULL && listing->request != NULL ? listing : NULL;
}

static void answer(const struct organizations_call *call, const struct fake_listing *listing)
{
	struct aws_reply reply = {.outcome = AWS_OK, .status = 200, .body = ""};
	struct organizations_page page = {.next_token = xstrdup_or_null(listing->next_token)};
	for (const char *ids = listing->ids; *ids != '\0';) {
		size_t len = strcspn(ids, " ");
		page.ids = xreallocarray(page.ids, page.count + 1, sizeof *page.ids);
		page.ids[page.count++] = xstrndup(ids, len);
		ids += len + (ids[len] == ' ');
	}
	call->fn(call->arg, &reply, &page);
	for (size_t i = 0; i < page.count; i++)
		free(page.ids[i]);
	free(page.ids);
	free(page.next_token);
}

static void on_answer(void *arg)
{
	struct organizations_call *call = arg;
	const struct fake_listing *listing = find_listing(call->request);
	struct aws_reply reply = {.outcome = fake_organizations.outcome,
	    .status = 400,
	    .code = "SomeException",
	    .message = "scripted",
	    .body = ""};
	if (reply.outcome == AWS_OK && listing == NULL)
		reply.outcome = AWS_FAILED;
	if (reply.outcome != AWS_OK)
		call->fn(call->arg, &reply, NULL);
	else
		answer(call, listing);
	free(call->request);
	free(call);
}

struct organizations_call *organizations_get_page(struct aws_context *aws,
    struct aws_provider *provider, const char *region, const struct organizations_request *request,
    organizations_page_fn *fn, void *arg)
{
	(void)aws;
	(void)provider;
	(void)region;
	struct fake_organizations *fake = &fake_organizations;
	struct organizations_call *call = xcalloc(1, sizeof *call);
	call->answer = (struct deferred){.fn = on_answer, .arg = call};
	call->request = xasprintf("%s %s %s", organizations_operation_text(request->operation),
	    request->parent != NULL ? request->parent : "-",
	    request->next_token != NULL ? request->next_token : "-");
	call->fn = fn;
	call->arg = arg;
	fake->calls++;
	size_t len = strlen(fake->asked);
	snprintf(fake->asked + len, sizeof fake->asked - len, "%s%s", len > 0 ? ", " : "",
	    call->request);
	loop_defer(fake->loop, &call->answer);
	return call;
}

void organizations_call_cancel(struct organizations_call **call)
{
	if (*call == NULL)
		return;
	loop_undefer(fake_organizations.loop, &(*call)->answer);
	free((*call)->request);
	xfree(call);
}
