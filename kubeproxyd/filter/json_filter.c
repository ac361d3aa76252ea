/* Lists and watches in JSON. Two machines over the same bytes: the outer one knows the few places
 * of a document where something is decided and moves from value to value; each value is first
 * framed (json_frame.h), which works in pieces, and read strictly once it is whole (json_facts.h).
 * What stands before the items of a list is held until they begin, for only they tell a list from a
 * single object; behind that, one item at a time. Called by filter.c. */
#include "kubeproxyd/filter/json_filter.h"

#include <string.h>

#include "common/xmem.h"
#include "kubeproxyd/filter/carry.h"
#include "kubeproxyd/filter/json_facts.h"
#include "kubeproxyd/filter/json_frame.h"

/* What is worked on at a time, and what is gathered before it is emitted. */
#define PIECE ((size_t)32 * 1024)
/* Of the white space before an item; more is left out. */
#define SPACE_MAX 1024

static const char too_long[] = "a part of it is longer than eksgate.proxy.limits.filtered_object";

enum state {
	BEFORE_DOCUMENT,
	BEFORE_KEY, /* or the end of the document */
	AFTER_COMMA, /* a key must follow */
	IN_KEY,
	BEFORE_COLON,
	BEFORE_VALUE,
	IN_VALUE, /* of a member that holds no objects */
	AFTER_VALUE,
	BEFORE_ITEM, /* or the end of the array */
	BEFORE_NEXT_ITEM, /* one must follow */
	IN_ITEM,
	AFTER_ITEM,
	AFTER_DOCUMENT,
	BEFORE_EVENT,
	IN_EVENT,
	FAILED,
};

enum member {
	MEMBER_KIND,
	MEMBER_API_VERSION,
	MEMBER_METADATA,
	MEMBER_COLUMNS,
	MEMBER_ITEMS,
	MEMBER_ROWS,
	MEMBER_OTHER,
};

struct json_filter {
	enum filter_body body;
	struct filter_limits limits;
	struct json_judge judge;
	struct filter_result result;
	enum state state;
	struct json_frame frame; /* of the key, value, item or event that is read */
	struct carry kept; /* what is needed of what came before */
	struct carry out; /* passes, and is not emitted yet */
	/* Offsets into the bytes that are worked on. */
	size_t at; /* is read next */
	size_t value_at; /* where what `frame` is about begins */
	size_t space_at; /* the white space before it */
	size_t done; /* up to here everything is in `out`, or dropped */
	enum member member;
	unsigned seen; /* a bit a member */
	bool is_list; /* its items have begun: what passes leaves */
	bool has_other; /* a member that lists have not */
	bool has_item; /* one has passed in this array */
	bool is_too_large; /* the item or event that is read; its bytes are gone */
};

/* The bytes that are worked on. */
struct window {
	const uint8_t *data;
	size_t len;
};

/* --- out ------------------------------------------------------------------------------------- */

static void flush(struct json_filter *filter)
{
	if (filter->out.len > 0)
		filter->judge.events->emit(filter->judge.arg, filter->out.data, filter->out.len);
	carry_free(&filter->out);
}

static void put(struct json_filter *filter, const uint8_t *data, size_t len)
{
	if (filter->out.len + len <= PIECE) {
		carry_append(&filter->out, data, len);
		return;
	}
	flush(filter);
	if (len > PIECE)
		filter->judge.events->emit(filter->judge.arg, data, len);
	else
		carry_append(&filter->out, data, len);
}

/* Everything up to `to` passes, from where the last that did or did not ended. */
static void pass(struct json_filter *filter, const struct window *window, size_t to)
{
	if (to <= filter->done)
		return;
	put(filter, window->data + filter->done, to - filter->done);
	filter->done = to;
}

/* The first problem is the one. */
static bool fail(struct json_filter *filter, const char *problem)
{
	filter->state = FAILED;
	if (filter->result.problem == NULL)
		filter->result.problem = problem;
	carry_free(&filter->out);
	return false;
}

/* Whether what is read is longer than it may be, in whatever pieces it came. */
static bool is_longer(const struct json_filter *filter, size_t from)
{
	return filter->at - from > filter->limits.item_max;
}

/* --- members of the document ----------------------------------------------------------------- */

static enum member member_of(const struct cursor_text *key)
{
	static const char *const names[] = {[MEMBER_KIND] = "kind",
	    [MEMBER_API_VERSION] = "apiVersion",
	    [MEMBER_METADATA] = "metadata",
	    [MEMBER_COLUMNS] = "columnDefinitions",
	    [MEMBER_ITEMS] = "items",
	    [MEMBER_ROWS] = "rows"};
	for (size_t i = 0; i < MEMBER_OTHER; i++) {
		if (cursor_text_is(key, names[i]))
			return (enum member)i;
	}
	return MEMBER_OTHER;
}

static bool end_key(struct json_filter *filter, const struct window *window)
{
	struct json_cursor cursor = {window->data + filter->value_at, window->data + filter->at};
	struct cursor_text key;
	if (!cursor_read_string(&cursor, &key) || !cursor_is_at_end(&cursor))
		return fail(filter, "a key in it cannot be read");
	filter->member = member_of(&key);
	bool is_other = filter->member == MEMBER_OTHER;
	if (!is_other && (filter->seen & 1u << filter->member) != 0)
		return fail(filter, "a key of it stands there twice");
	filter->seen |= 1u << filter->member;
	filter->has_other |= is_other;
	if (filter->is_list && filter->has_other)
		return fail(filter, "it is a list with more than items in it");
	filter->state = BEFORE_COLON;
	return true;
}

/* Of a list, between these offsets. */
static bool cut_metadata(
    struct json_filter *filter, const struct window *window, size_t from, size_t to)
{
	struct json_cut cut;
	bool is_page;
	if (!json_judge_metadata(window->data + from, to - from, &cut, &is_page))
		return false;
	if (is_page && !filter->limits.may_be_page)
		return fail(filter, FILTER_IS_PAGE);
	if (cut.to > cut.from) {
		pass(filter, window, from + cut.from);
		filter->done = from + cut.to;
	}
	return true;
}

/* Before the items begin nothing is known but that it is sound. */
static bool end_value(struct json_filter *filter, const struct window *window)
{
	struct json_cursor cursor = {window->data + filter->value_at, window->data + filter->at};
	bool is_sound = cursor_read_value(&cursor) && cursor_is_at_end(&cursor);
	if (is_sound && filter->is_list && filter->member == MEMBER_METADATA)
		is_sound = cut_metadata(filter, window, filter->value_at, filter->at);
	if (!is_sound)
		return fail(filter, "a part of it cannot be read");
	if (filter->is_list)
		pass(filter, window, filter->at);
	filter->state = AFTER_VALUE;
	return true;
}

/* --- the beginning of a list ----------------------------------------------------------------- */

/* Everything before the items, read once more now that it is known to belong to a list. */
static bool pass_beginning(struct json_filter *filter, const struct window *window)
{
	struct json_cursor cursor = {window->data, window->data + filter->value_at};
	struct cursor_text key;
	bool is_first = true;
	if (!cursor_read_char(&cursor, '{'))
		return false;
	while (cursor_next_member(&cursor, &is_first, &key) == CURSOR_NEXT) {
		if (cursor_is_at_end(&cursor))
			return true;
		size_t from = (size_t)(cursor.at - window->data);
		if (!cursor_read_value(&cursor))
			return false;
		size_t to = (size_t)(cursor.at - window->data);
		if (member_of(&key) == MEMBER_METADATA && !cut_metadata(filter, window, from, to))
			return false;
	}
	return false;
}

/* At the value of "items" or "rows": an array, or null. */
static bool begin_items(struct json_filter *filter, const struct window *window)
{
	bool is_array = window->data[filter->at] == '[';
	if (!is_array && window->data[filter->at] != 'n')
		return fail(filter, "its items are no list");
	if (filter->has_other)
		return fail(filter, "it is a list with more than items in it");
	if (!filter->is_list && !pass_beginning(filter, window))
		return fail(filter, "the beginning of it cannot be read");
	filter->is_list = true;
	filter->has_item = false;
	filter->state = is_array ? BEFORE_ITEM : IN_VALUE;
	filter->at += is_array;
	filter->space_at = filter->at;
	pass(filter, window, filter->at);
	return true;
}

static bool begin_value(struct json_filter *filter, const struct window *window)
{
	filter->frame = (struct json_frame){0};
	filter->value_at = filter->at;
	if (filter->member == MEMBER_ITEMS || filter->member == MEMBER_ROWS)
		return begin_items(filter, window);
	filter->state = IN_VALUE;
	return true;
}

/* --- items and events ------------------------------------------------------------------------ */

static enum json_verdict judge_value(const struct json_filter *filter, struct json_cursor *cursor)
{
	if (filter->body == FILTER_WATCH)
		return json_judge_event(&filter->judge, cursor);
	if (filter->member == MEMBER_ROWS)
		return json_judge_row(&filter->judge, cursor);
	return json_judge_item(&filter->judge, cursor);
}

/* It is framed. */
static enum json_verdict judge(const struct json_filter *filter, const struct window *window)
{
	struct json_cursor cursor = {window->data + filter->value_at, window->data + filter->at};
	if (filter->is_too_large || is_longer(filter, filter->value_at))
		return JSON_IS_UNREADABLE;
	enum json_verdict verdict = judge_value(filter, &cursor);
	return cursor_is_at_end(&cursor) ? verdict : JSON_IS_UNREADABLE;
}

static bool count(struct json_filter *filter, enum json_verdict verdict)
{
	filter->result.passed += verdict == JSON_PASSES;
	filter->result.dropped += verdict == JSON_IS_DROPPED;
	filter->result.unreadable += verdict == JSON_IS_UNREADABLE;
	return verdict == JSON_PASSES;
}

static void end_item(
    struct json_filter *filter, const struct window *window, enum json_verdict verdict)
{
	if (count(filter, verdict)) {
		if (filter->has_item)
			put(filter, (const uint8_t *)",", 1);
		filter->has_item = true;
		filter->done = filter->space_at;
		pass(filter, window, filter->at);
	}
	filter->done = filter->space_at = filter->at;
	filter->state = AFTER_ITEM;
}

/* The line end behind it may not have come yet, and a reader should not wait for it. */
static void end_event(
    struct json_filter *filter, const struct window *window, enum json_verdict verdict)
{
	if (count(filter, verdict)) {
		filter->done = filter->value_at;
		pass(filter, window, filter->at);
		put(filter, (const uint8_t *)"\n", 1);
	}
	filter->done = filter->at;
	filter->state = BEFORE_EVENT;
}

static void end_object(
    struct json_filter *filter, const struct window *window, enum json_verdict verdict)
{
	if (filter->state == IN_EVENT)
		end_event(filter, window, verdict);
	else
		end_item(filter, window, verdict);
}

/* Most items are there as a whole and sound: they need no frame. */
static bool read_at_once(struct json_filter *filter, const struct window *window)
{
	struct json_cursor cursor = {window->data + filter->value_at, window->data + window->len};
	enum json_verdict verdict = judge_value(filter, &cursor);
	size_t len = (size_t)(cursor.at - window->data) - filter->value_at;
	if (verdict == JSON_IS_UNREADABLE || len > filter->limits.item_max)
		return false;
	filter->at = (size_t)(cursor.at - window->data);
	end_object(filter, window, verdict);
	return true;
}

static void begin_item(struct json_filter *filter, enum state state)
{
	filter->frame = (struct json_frame){0};
	filter->value_at = filter->at;
	filter->is_too_large = false;
	filter->state = state;
}

/* --- the walk -------------------------------------------------------------------------------- */

static bool end_document(struct json_filter *filter, const struct window *window)
{
	filter->at++;
	filter->state = AFTER_DOCUMENT;
	if (filter->is_list) {
		pass(filter, window, filter->at);
		return true;
	}
	struct json_cursor cursor = {window->data, window->data + filter->at};
	enum json_verdict verdict = json_judge_single(&filter->judge, &cursor);
	(void)count(filter, verdict);
	filter->result.is_forbidden = verdict == JSON_IS_DROPPED;
	if (verdict == JSON_PASSES) {
		pass(filter, window, filter->at);
		return true;
	}
	return fail(filter, verdict == JSON_IS_DROPPED
				? "it is one object, which no role lets this user read"
				: "it is neither a list nor an object with a name");
}

/* Between values: one byte that is no white space. */
static bool read_mark(struct json_filter *filter, const struct window *window)
{
	uint8_t c = window->data[filter->at];
	if (!filter->is_list && is_longer(filter, 0))
		return fail(filter, too_long);
	switch (filter->state) {
	case BEFORE_DOCUMENT:
		filter->at += c == '{';
		filter->state = BEFORE_KEY;
		return c == '{' || fail(filter, "it does not begin as JSON objects do");
	case BEFORE_KEY:
		if (c == '}')
			return end_document(filter, window);
		/* fallthrough */
	case AFTER_COMMA:
		filter->frame = (struct json_frame){0};
		filter->value_at = filter->at;
		filter->state = IN_KEY;
		return c == '"' || fail(filter, "a key is missing in it");
	case BEFORE_COLON:
		filter->at++;
		filter->state = BEFORE_VALUE;
		return c == ':' || fail(filter, "a colon is missing in it");
	case BEFORE_VALUE:
		return begin_value(filter, window);
	case AFTER_VALUE:
		if (c == '}')
			return end_document(filter, window);
		filter->at++;
		filter->state = AFTER_COMMA;
		return c == ',' || fail(filter, "a comma is missing in it");
	default:
		return fail(filter, "something follows it");
	}
}

static bool end_items(struct json_filter *filter, const struct window *window)
{
	filter->done = filter->space_at;
	filter->at++;
	pass(filter, window, filter->at);
	filter->state = AFTER_VALUE;
	return true;
}

/* The same between items and between events. */
static bool read_item_mark(struct json_filter *filter, const struct window *window)
{
	uint8_t c = window->data[filter->at];
	switch (filter->state) {
	case BEFORE_ITEM:
		if (c == ']')
			return end_items(filter, window);
		begin_item(filter, IN_ITEM);
		return true;
	case BEFORE_NEXT_ITEM:
		begin_item(filter, IN_ITEM);
		return true;
	case AFTER_ITEM:
		if (c == ']')
			return end_items(filter, window);
		filter->space_at = ++filter->at;
		filter->state = BEFORE_NEXT_ITEM;
		return c == ',' || fail(filter, "a comma is missing between items");
	case BEFORE_EVENT:
		begin_item(filter, IN_EVENT);
		return c == '{' || fail(filter, "an event does not begin as JSON objects do");
	default:
		return read_mark(filter, window);
	}
}

static bool is_in_value(const struct json_filter *filter)
{
	return filter->state == IN_KEY || filter->state == IN_VALUE || filter->state == IN_ITEM ||
	       filter->state == IN_EVENT;
}

/* Reads on in what is framed; false when the window is used up, or on failure. */
static bool read_framed(struct json_filter *filter, const struct window *window)
{
	size_t used;
	bool is_new = filter->frame.state == FRAME_BEGIN;
	bool is_object = filter->state == IN_ITEM || filter->state == IN_EVENT;
	if (is_new && is_object && read_at_once(filter, window))
		return true;
	bool ends = json_frame_feed(
	    &filter->frame, window->data + filter->at, window->len - filter->at, &used);
	filter->at += used;
	if (!ends)
		return false;
	if (!is_object && is_longer(filter, filter->value_at))
		return fail(filter, too_long);
	switch (filter->state) {
	case IN_KEY:
		return end_key(filter, window);
	case IN_VALUE:
		return end_value(filter, window);
	default:
		end_object(filter, window, judge(filter, window));
		return true;
	}
}

static void skip_space(struct json_filter *filter, const struct window *window)
{
	while (filter->at < window->len && json_is_space(window->data[filter->at]))
		filter->at++;
}

static void walk(struct json_filter *filter, const struct window *window)
{
	bool goes_on = true;
	while (goes_on && filter->at < window->len) {
		if (is_in_value(filter)) {
			goes_on = read_framed(filter, window);
			continue;
		}
		skip_space(filter, window);
		goes_on = filter->at < window->len && read_item_mark(filter, window);
	}
}

/* --- from piece to piece --------------------------------------------------------------------- */

/* Commas and white space pass with the item behind them. */
static bool is_among_items(const struct json_filter *filter)
{
	return filter->state == BEFORE_ITEM || filter->state == BEFORE_NEXT_ITEM ||
	       filter->state == IN_ITEM || filter->state == AFTER_ITEM;
}

/* From where on the bytes are needed again. */
static size_t needed_from(const struct json_filter *filter)
{
	bool may_be_single = filter->body == FILTER_LIST && !filter->is_list;
	size_t from = is_in_value(filter) ? filter->value_at : filter->at;
	if (may_be_single && filter->state != AFTER_DOCUMENT)
		return 0;
	if (is_in_value(filter) && filter->is_too_large)
		return filter->at;
	return is_among_items(filter) && from - filter->space_at <= SPACE_MAX ? filter->space_at
									      : from;
}

/* Gives up the bytes of an item that is longer than items may be; a list cannot do without its
 * beginning. */
static bool bound(struct json_filter *filter, const struct window *window)
{
	bool is_object = filter->state == IN_ITEM || filter->state == IN_EVENT;
	size_t from = is_object ? filter->value_at : needed_from(filter);
	if (window->len - from <= filter->limits.item_max)
		return true;
	if (!is_object)
		return fail(filter, too_long);
	filter->is_too_large = true;
	return true;
}

static void shift(size_t *offset, size_t by)
{
	*offset -= *offset < by ? *offset : by;
}

static void keep(struct json_filter *filter, const struct window *window)
{
	size_t from = needed_from(filter);
	if (filter->body == FILTER_LIST && !is_among_items(filter))
		pass(filter, window, from);
	shift(&filter->done, from);
	shift(&filter->at, from);
	shift(&filter->value_at, from);
	shift(&filter->space_at, from);
	if (filter->kept.len > 0)
		carry_consume(&filter->kept, from);
	else
		carry_append(&filter->kept, window->data + from, window->len - from);
}

static bool feed_piece(struct json_filter *filter, const uint8_t *data, size_t len)
{
	struct window window = {data, len};
	bool is_kept = filter->kept.len > 0;
	if (is_kept) {
		carry_append(&filter->kept, data, len);
		window = (struct window){filter->kept.data, filter->kept.len};
	}
	walk(filter, &window);
	if (filter->state == FAILED || !bound(filter, &window))
		return false;
	keep(filter, &window);
	return true;
}

/* --- public ---------------------------------------------------------------------------------- */

struct json_filter *json_filter_new(enum filter_body body, const struct filter_limits *limits,
    const struct filter_events *events, void *arg)
{
	struct json_filter *filter = xcalloc(1, sizeof *filter);
	filter->body = body;
	filter->limits = *limits;
	filter->judge = (struct json_judge){events, arg};
	filter->state = body == FILTER_WATCH ? BEFORE_EVENT : BEFORE_DOCUMENT;
	return filter;
}

void json_filter_free(struct json_filter **filter)
{
	if (*filter == NULL)
		return;
	carry_free(&(*filter)->kept);
	carry_free(&(*filter)->out);
	xfree(filter);
}

bool json_filter_feed(struct json_filter *filter, const uint8_t *data, size_t len)
{
	if (filter->state == FAILED)
		return false;
	for (size_t at = 0; at < len; at += PIECE) {
		size_t piece = len - at < PIECE ? len - at : PIECE;
		if (!feed_piece(filter, data + at, piece))
			return false;
	}
	flush(filter);
	return true;
}

bool json_filter_end(struct json_filter *filter)
{
	if (filter->state == FAILED)
		return false;
	return filter->state == AFTER_DOCUMENT || filter->state == BEFORE_EVENT ||
	       fail(filter, "it is not complete");
}

const struct filter_result *json_filter_result(const struct json_filter *filter)
{
	return &filter->result;
}

size_t json_filter_memory(const struct json_filter *filter)
{
	return sizeof *filter + filter->kept.cap + filter->out.cap;
}
