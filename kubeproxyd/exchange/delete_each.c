/* Deletes a collection object by object: all pages of the list first (names and uids are kept, up
 * to eksgate.proxy.limits.deletes_per_request, beyond which nothing is deleted), then a few deletes
 * at a time. Each has the listed uid as its precondition, so that what was made anew meanwhile
 * stays. Owned by its exchange, which ends it when the client leaves. */
#include "kubeproxyd/exchange/delete_each.h"

#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "common/loop.h"
#include "common/metrics.h"
#include "common/settings.h"
#include "common/xmem.h"
#include "kubeproxyd/exchange/caller.h"
#include "kubeproxyd/exchange/delete_answer.h"
#include "kubeproxyd/exchange/delete_options.h"
#include "kubeproxyd/exchange/delete_targets.h"
#include "kubeproxyd/exchange/exchange_private.h"
#include "kubeproxyd/exchange/own_request.h"
#include "kubeproxyd/net/holdings.h"

#define AT_A_TIME 8
/* Of metadata alone: some kilobytes each. */
#define PAGE_OBJECTS   200
#define PAGE_BYTES_MAX ((size_t)4 * 1024 * 1024)
/* Of names, although all answers together fill their memory. */
#define NAMES_IN_ANY_CASE ((size_t)256 * 1024)
/* Of a delete's answer, of which only a message is of interest. */
#define ANSWER_BYTES_MAX ((size_t)16 * 1024)
/* How often one delete is sent again after 429, and how long is waited at most. */
#define TRIES_MAX	  5
#define RETRY_SECONDS_MAX 10

struct record {
	struct delete_object object; /* in the arena */
	bool is_deleted;
};

struct slot {
	struct delete_each *each;
	struct own_request *request; /* NULL: free, or waiting */
	size_t index; /* of the record */
	unsigned tries;
	bool is_waiting; /* to be sent again */
};

struct delete_each {
	struct exchange *exchange;
	struct delete_options options;
	struct delete_part part;
	struct arena names;
	struct record *records;
	size_t count, cap;
	size_t name_bytes, counted; /* what all that takes, and what the holdings have of it */
	unsigned page;
	struct buf token; /* of the next page */
	struct own_request *list;
	bool has_more; /* than the client asks for at a time */
	bool is_too_many, is_misplaced;
	struct slot slots[AT_A_TIME];
	size_t next; /* the first record that no slot had */
	size_t under_way, deleted;
	struct timer *pause; /* set: the API server asked to wait */
	struct delete_failures failures;
};

/* --- the end --------------------------------------------------------------------------------- */

/* Ends the exchange, and `each` with it. */
static void fail(struct delete_each *each, unsigned status, const char *message)
{
	exchange_answer(each->exchange, status, message);
}

static void answer_list(struct delete_each *each)
{
	struct admission *admission = &each->exchange->admission;
	struct buf next = {0};
	if (each->has_more)
		delete_part_token(&next, each->records[each->count - 1].object.name);
	delete_list_begin(&admission->document, buf_text(&next));
	buf_free(&next);
	for (size_t i = 0; i < each->count; i++) {
		if (each->records[i].is_deleted)
			delete_list_add(&admission->document, &each->records[i].object);
	}
	delete_list_end(&admission->document);
	admission->status = 200;
	free(admission->message);
	admission->message = xasprintf("%zu deleted", each->deleted);
}

static void answer_failures(struct delete_each *each)
{
	struct admission *admission = &each->exchange->admission;
	const struct request_info *info = &admission->info;
	admission->status = each->failures.status;
	free(admission->message);
	admission->message = delete_failures_sentence(&each->failures, info->resource,
	    &(struct delete_tally){each->deleted, each->count, each->count - each->next});
	delete_failures_write(&admission->document, &each->failures, info->api_group,
	    info->resource, admission->message);
}

/* The same. */
static void answer(struct delete_each *each)
{
	struct exchange *exchange = each->exchange;
	exchange->admission.document_type = "application/json";
	if (each->failures.count > 0)
		answer_failures(each);
	else
		answer_list(each);
	exchange_answer_refused(exchange);
}

/* --- deletes --------------------------------------------------------------------------------- */

static void go_on(struct delete_each *each);

static void note_outcome(struct delete_each *each, size_t index, const struct own_answer *result)
{
	struct record *record = &each->records[index];
	/* Gone already is what was wanted, as the API server itself sees it. */
	if (result->status == 404)
		return;
	record->is_deleted = result->status >= 200 && result->status < 300;
	each->deleted += record->is_deleted;
	if (record->is_deleted)
		return;
	bool was_cut = result->status == 0;
	delete_failures_add(&each->failures, each->exchange->admission.info.resource,
	    &record->object, was_cut ? 503 : result->status, result->body, result->body_len);
}

static bool may_try_again(const struct slot *slot, const struct own_answer *result)
{
	return result->status == 429 && slot->tries < TRIES_MAX;
}

static void wait_as_asked(struct delete_each *each, const struct own_answer *result)
{
	unsigned seconds = result->retry_after > 0 ? result->retry_after : 1;
	if (seconds > RETRY_SECONDS_MAX)
		seconds = RETRY_SECONDS_MAX;
	if (!timer_is_set(each->pause))
		timer_set(each->pause, duration_seconds(seconds));
}

static void on_deleted(void *arg, const struct own_answer *result)
{
	struct slot *slot = arg;
	struct delete_each *each = slot->each;
	slot->request = NULL;
	each->under_way--;
	slot->is_waiting = may_try_again(slot, result);
	if (slot->is_waiting)
		wait_as_asked(each, result);
	else
		note_outcome(each, slot->index, result);
	go_on(each);
}

static void send_delete(struct delete_each *each, struct slot *slot)
{
	struct exchange *exchange = each->exchange;
	const struct delete_object *object = &each->records[slot->index].object;
	struct buf target = {0}, body = {0};
	delete_object_target(&target, exchange->request->target, object->name);
	delete_options_write(&each->options, object->uid, &body);
	struct own_request_input input = {
	    .client = exchange->request,
	    .method = "DELETE",
	    .target = buf_text(&target),
	    .accept = "application/json",
	    .content_type = delete_options_type(&each->options),
	    .body = &body,
	    .answer_max = ANSWER_BYTES_MAX,
	};
	slot->is_waiting = false;
	slot->tries++;
	each->under_way++;
	slot->request =
	    own_request_start(exchange->all, exchange->caller, &input, on_deleted, slot);
	buf_free(&target);
	buf_free(&body);
}

/* An API server that fails so often would fail for hours. */
static bool has_failed(const struct delete_each *each)
{
	return each->failures.count >= DELETE_CAUSES_MAX;
}

static bool take_next(struct delete_each *each, struct slot *slot)
{
	if (slot->is_waiting)
		return true;
	if (each->next == each->count || has_failed(each))
		return false;
	slot->index = each->next++;
	slot->tries = 0;
	return true;
}

static bool has_waiting(const struct delete_each *each)
{
	bool has = false;
	for (size_t i = 0; i < AT_A_TIME; i++)
		has |= each->slots[i].is_waiting;
	return has;
}

static void go_on(struct delete_each *each)
{
	if (timer_is_set(each->pause))
		return;
	for (size_t i = 0; i < AT_A_TIME; i++) {
		struct slot *slot = &each->slots[i];
		if (slot->request == NULL && take_next(each, slot))
			send_delete(each, slot);
	}
	if (each->under_way == 0 && !has_waiting(each))
		answer(each);
}

static void on_pause_over(void *arg)
{
	go_on(arg);
}

/* --- the list -------------------------------------------------------------------------------- */

/* Both the right to delete collections and the right to delete it. */
static bool may_delete(const struct exchange *exchange, const struct delete_object *object)
{
	const struct admission *admission = &exchange->admission;
	struct request_info info = admission->info;
	struct decision decision = {0};
	if (!policy_may_read_object(&admission->decision, object->namespace, object->name))
		return false;
	info.verb = "delete";
	info.name = object->name;
	admission_ask(admission, admission->grants->grants, &info, &decision);
	bool may = decision_is_whole(&decision);
	decision_clear(&decision);
	return may;
}

static const char *keep(struct delete_each *each, const char *text)
{
	size_t len = strlen(text);
	each->name_bytes += len + 1;
	return arena_strndup(&each->names, text, len);
}

static void on_object(void *arg, const struct delete_object *object)
{
	struct delete_each *each = arg;
	const struct exchange *exchange = each->exchange;
	size_t most = exchange->all->with.settings->proxy.limits.deletes_per_request;
	each->is_misplaced |= strcmp(object->namespace, exchange->admission.info.namespace) != 0;
	if (each->is_misplaced || each->is_too_many || each->has_more ||
	    strcmp(object->name, each->part.after) <= 0 || !may_delete(exchange, object))
		return;
	if (each->part.limit > 0 && each->count == each->part.limit) {
		each->has_more = true;
		return;
	}
	if (each->count == most) {
		each->is_too_many = true;
		return;
	}
	if (each->count == each->cap) {
		each->cap = each->cap > 0 ? each->cap * 2 : 64;
		each->records = xreallocarray(each->records, each->cap, sizeof *each->records);
	}
	each->records[each->count++] =
	    (struct record){.object = {keep(each, object->namespace), keep(each, object->name),
				keep(each, object->uid)}};
}

static void get_page(struct delete_each *each);

static void refuse_too_many(struct delete_each *each)
{
	const struct exchange *exchange = each->exchange;
	char *message = xasprintf(
	    "nothing was deleted: there are more than %zu %s that you may delete, as many as "
	    "eksgate.proxy.limits.deletes_per_request allows in one request: narrow it with a "
	    "label or "
	    "field selector, or with limit=%zu",
	    each->count, exchange->admission.info.resource, each->count);
	fail(each, 413, message);
	free(message);
}

/* Names wait until all are deleted, which may take minutes. */
static bool has_room(struct delete_each *each)
{
	struct holdings *holdings = each->exchange->all->with.holdings;
	size_t held = each->name_bytes + each->cap * sizeof *each->records;
	holdings_count(holdings, &each->counted, held);
	if (held <= NAMES_IN_ANY_CASE)
		return true;
	holdings_make_room(holdings, 0);
	return holdings_have_room(holdings, 0);
}

static void refuse_crowded(struct delete_each *each)
{
	metric_add(each->exchange->all->metrics.refused, 1, "answers_in_hand");
	exchange_answer_after(each->exchange, 503,
	    "nothing was deleted: answers fill the memory that there is for them "
	    "(eksgate.proxy.limits.answers_in_hand): try again later, or narrow it with a label or "
	    "field selector, or with limit=1000",
	    1);
}

static void refuse_unlisted(struct delete_each *each, const struct own_answer *result)
{
	char *why = delete_answer_message(result->body, result->body_len);
	char *message = xasprintf(
	    "nothing was deleted: where a role is for some names or namespaces, what is to be "
	    "deleted is listed first, and that failed with %u%s%s",
	    result->status, why[0] != '\0' ? ": " : "", why);
	fail(each, result->status >= 400 ? result->status : 502, message);
	free(message);
	free(why);
}

/* Objects may be large even in their metadata. */
static void get_smaller_page(struct delete_each *each)
{
	if (each->page <= 1) {
		fail(each, 502,
		    "nothing was deleted: the list of what is there is too long to be held");
		return;
	}
	each->page = (each->page + 3) / 4;
	get_page(each);
}

static void take_page(struct delete_each *each, const struct own_answer *result)
{
	bool is_read =
	    delete_page_read(result->body, result->body_len, on_object, each, &each->token);
	if (!is_read || each->is_misplaced)
		fail(each, 502, "nothing was deleted: the list of what is there cannot be read");
	else if (each->is_too_many)
		refuse_too_many(each);
	else if (!has_room(each))
		refuse_crowded(each);
	else if (each->token.len > 0 && !each->has_more)
		get_page(each);
	else
		go_on(each);
}

static void on_page(void *arg, const struct own_answer *result)
{
	struct delete_each *each = arg;
	each->list = NULL;
	if (result->is_too_long)
		get_smaller_page(each);
	else if (result->status != 200 || !result->is_whole)
		refuse_unlisted(each, result);
	else
		take_page(each, result);
}

static void get_page(struct delete_each *each)
{
	struct exchange *exchange = each->exchange;
	struct buf target = {0};
	delete_list_target(&target, exchange->request->target, each->page,
	    each->token.len > 0 ? buf_text(&each->token) : NULL);
	struct own_request_input input = {
	    .client = exchange->request,
	    .method = "GET",
	    .target = buf_text(&target),
	    .accept = DELETE_LIST_ACCEPT,
	    .answer_max = PAGE_BYTES_MAX,
	    .needs_whole = true,
	};
	each->list = own_request_start(exchange->all, exchange->caller, &input, on_page, each);
	buf_free(&target);
}

/* --- public ---------------------------------------------------------------------------------- */

void delete_each_start(struct exchange *exchange)
{
	struct delete_each *each = xcalloc(1, sizeof *each);
	const struct buf *body = &exchange->relay.kept;
	const char *query = strchr(exchange->request->target, '?');
	const char *error = NULL;
	exchange->each = each;
	each->exchange = exchange;
	each->page = PAGE_OBJECTS;
	each->pause = timer_new(exchange->all->with.loop, on_pause_over, each);
	for (size_t i = 0; i < AT_A_TIME; i++)
		each->slots[i].each = each;
	enum body_format format =
	    body_format_of(fields_get(&exchange->request->fields, "Content-Type"));
	unsigned status = 400;
	if (delete_part_read(exchange->request->target, &each->part, &status, &error) &&
	    delete_options_read(format, buf_text(body), body->len, query != NULL ? query + 1 : "",
		&each->options, &error))
		get_page(each);
	else
		fail(each, status, error);
}

static void free_each(void *object)
{
	struct delete_each *each = object;
	delete_options_free(&each->options);
	delete_part_free(&each->part);
	delete_failures_free(&each->failures);
	arena_free(&each->names);
	buf_free(&each->token);
	free(each->records);
	free(each);
}

void delete_each_free(struct delete_each **each)
{
	static const char reason[] = "the request for all of them ended";
	if (*each == NULL)
		return;
	struct delete_each *dead = *each;
	*each = NULL;
	holdings_count(dead->exchange->all->with.holdings, &dead->counted, 0);
	timer_free(&dead->pause);
	own_request_cancel(&dead->list, reason);
	for (size_t i = 0; i < AT_A_TIME; i++)
		own_request_cancel(&dead->slots[i].request, reason);
	/* It may be on the stack. */
	loop_free_later(dead->exchange->all->with.loop, free_each, dead);
}
