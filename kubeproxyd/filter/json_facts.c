/* Objects read for what decides about them. A key that stands twice makes an object unreadable
 * wherever it matters, since readers differ in which of the two counts. Called by json_filter.c. */
#include "kubeproxyd/filter/json_facts.h"

#include <stdlib.h>
#include <string.h>

/* Names and namespaces end at 253 characters, those of RBAC a little later. */
#define NAME_BYTES 512
#define WORD_BYTES 64
#define TABLE_API  "meta.k8s.io/"

struct name {
	char text[NAME_BYTES];
	bool is_there;
};

struct facts {
	struct name name, namespace;
	bool has_kind, has_api_version, has_metadata, has_rows;
	bool is_status, is_table, is_core_api, is_meta_api;
	bool is_internal_error; /* by its code */
	struct json_cursor rows; /* of a Table; read once all of the object is known */
};

/* What is known of everything that an event holds. */
struct subjects {
	size_t nameless, allowed, forbidden;
};

static bool once(bool *seen)
{
	bool is_first = !*seen;
	*seen = true;
	return is_first;
}

static bool read_name(struct json_cursor *cursor, struct name *name)
{
	struct cursor_text text;
	return once(&name->is_there) && cursor_read_string(cursor, &text) &&
	       cursor_text_copy(&text, name->text, sizeof name->text);
}

/* Reads the value of a member, whatever it is. */
typedef bool member_fn(struct json_cursor *cursor, const struct cursor_text *key, void *arg);

static bool read_members(struct json_cursor *cursor, member_fn *fn, void *arg)
{
	struct cursor_text key;
	enum cursor_step step;
	bool is_first = true;
	if (!cursor_read_char(cursor, '{'))
		return false;
	while ((step = cursor_next_member(cursor, &is_first, &key)) == CURSOR_NEXT) {
		if (!fn(cursor, &key, arg))
			return false;
	}
	return step == CURSOR_END;
}

static bool of_metadata(struct json_cursor *cursor, const struct cursor_text *key, void *arg)
{
	struct facts *facts = arg;
	if (cursor_text_is(key, "name"))
		return read_name(cursor, &facts->name);
	if (cursor_text_is(key, "namespace"))
		return read_name(cursor, &facts->namespace);
	return cursor_read_value(cursor);
}

static bool read_word(struct json_cursor *cursor, char word[WORD_BYTES])
{
	struct cursor_text text;
	if (!cursor_read_string(cursor, &text))
		return false;
	/* What is longer is none of those that are looked for. */
	if (!cursor_text_copy(&text, word, WORD_BYTES))
		word[0] = '\0';
	return true;
}

static bool read_kind(struct json_cursor *cursor, struct facts *facts)
{
	char word[WORD_BYTES];
	if (!once(&facts->has_kind) || !read_word(cursor, word))
		return false;
	facts->is_status = strcmp(word, "Status") == 0;
	facts->is_table = strcmp(word, "Table") == 0;
	return true;
}

static bool read_api_version(struct json_cursor *cursor, struct facts *facts)
{
	char word[WORD_BYTES];
	if (!once(&facts->has_api_version) || !read_word(cursor, word))
		return false;
	facts->is_core_api = strcmp(word, "v1") == 0;
	facts->is_meta_api = strncmp(word, TABLE_API, strlen(TABLE_API)) == 0;
	return true;
}

static bool read_code(struct json_cursor *cursor, struct facts *facts)
{
	if (cursor_peek(cursor) == '\0')
		return false;
	const uint8_t *begin = cursor->at;
	if (!cursor_read_value(cursor))
		return false;
	char text[WORD_BYTES], *end = text;
	size_t len = (size_t)(cursor->at - begin);
	if (len >= sizeof text)
		return true;
	memcpy(text, begin, len);
	text[len] = '\0';
	facts->is_internal_error |= strtod(text, &end) == FILTER_INTERNAL_ERROR && *end == '\0';
	return true;
}

static bool read_rows(struct json_cursor *cursor, struct facts *facts)
{
	facts->rows.at = cursor->at;
	bool is_sound = once(&facts->has_rows) && cursor_read_value(cursor);
	facts->rows.end = cursor->at;
	return is_sound;
}

static bool of_object(struct json_cursor *cursor, const struct cursor_text *key, void *arg)
{
	struct facts *facts = arg;
	if (cursor_text_is(key, "metadata"))
		return once(&facts->has_metadata) && read_members(cursor, of_metadata, facts);
	if (cursor_text_is(key, "kind"))
		return read_kind(cursor, facts);
	if (cursor_text_is(key, "apiVersion"))
		return read_api_version(cursor, facts);
	if (cursor_text_is(key, "rows"))
		return read_rows(cursor, facts);
	if (cursor_text_is(key, "code"))
		return read_code(cursor, facts);
	return cursor_read_value(cursor);
}

static bool read_object(struct json_cursor *cursor, struct facts *facts)
{
	return read_members(cursor, of_object, facts);
}

static bool is_status(const struct facts *facts)
{
	return facts->is_status && facts->is_core_api && !facts->is_internal_error;
}

static bool may_read(const struct json_judge *judge, const struct facts *facts)
{
	return judge->events->may_read(judge->arg, facts->namespace.text, facts->name.text);
}

static void add_subject(
    const struct json_judge *judge, const struct facts *facts, struct subjects *subjects)
{
	if (facts->name.text[0] == '\0' && facts->namespace.text[0] == '\0')
		subjects->nameless++;
	else if (may_read(judge, facts))
		subjects->allowed++;
	else
		subjects->forbidden++;
}

struct row {
	struct facts facts; /* of its object, whose cells are made from it */
	bool has_object;
};

static bool of_row(struct json_cursor *cursor, const struct cursor_text *key, void *arg)
{
	struct row *row = arg;
	if (cursor_text_is(key, "object"))
		return once(&row->has_object) && read_object(cursor, &row->facts);
	return cursor_read_value(cursor);
}

static bool read_row(struct json_cursor *cursor, struct row *row)
{
	*row = (struct row){0};
	return read_members(cursor, of_row, row) && row->has_object;
}

static bool add_rows(
    const struct json_judge *judge, struct json_cursor rows, struct subjects *subjects)
{
	struct row row;
	enum cursor_step step;
	bool is_first = true;
	if (!cursor_read_char(&rows, '['))
		return false;
	while ((step = cursor_next_element(&rows, &is_first)) == CURSOR_NEXT) {
		if (!read_row(&rows, &row))
			return false;
		add_subject(judge, &row.facts, subjects);
	}
	return step == CURSOR_END;
}

/* --- items, rows, single objects ------------------------------------------------------------- */

static enum json_verdict judge_named(const struct json_judge *judge, const struct facts *facts)
{
	if (facts->name.text[0] == '\0')
		return JSON_IS_UNREADABLE;
	return may_read(judge, facts) ? JSON_PASSES : JSON_IS_DROPPED;
}

enum json_verdict json_judge_item(const struct json_judge *judge, struct json_cursor *cursor)
{
	struct facts facts = {0};
	return read_object(cursor, &facts) ? judge_named(judge, &facts) : JSON_IS_UNREADABLE;
}

enum json_verdict json_judge_row(const struct json_judge *judge, struct json_cursor *cursor)
{
	struct row row;
	return read_row(cursor, &row) ? judge_named(judge, &row.facts) : JSON_IS_UNREADABLE;
}

enum json_verdict json_judge_single(const struct json_judge *judge, struct json_cursor *cursor)
{
	struct facts facts = {0};
	if (!read_object(cursor, &facts))
		return JSON_IS_UNREADABLE;
	return is_status(&facts) ? JSON_PASSES : judge_named(judge, &facts);
}

/* --- events ---------------------------------------------------------------------------------- */

struct event {
	char type[WORD_BYTES];
	bool has_type, has_object;
	struct facts facts; /* of its object */
};

static bool of_event(struct json_cursor *cursor, const struct cursor_text *key, void *arg)
{
	struct event *event = arg;
	if (cursor_text_is(key, "type"))
		return once(&event->has_type) && read_word(cursor, event->type);
	if (cursor_text_is(key, "object"))
		return once(&event->has_object) && read_object(cursor, &event->facts);
	return cursor_read_value(cursor);
}

static bool read_event(struct json_cursor *cursor, struct event *event)
{
	return read_members(cursor, of_event, event) && event->has_type && event->has_object;
}

static bool is_change(const char *type)
{
	return strcmp(type, "ADDED") == 0 || strcmp(type, "MODIFIED") == 0 ||
	       strcmp(type, "DELETED") == 0;
}

static enum json_verdict judge_subjects(const struct event *event, const struct subjects *subjects)
{
	bool is_bookmark = strcmp(event->type, "BOOKMARK") == 0;
	if (!is_bookmark && !is_change(event->type))
		return JSON_IS_UNREADABLE;
	if (subjects->forbidden > 0)
		return JSON_IS_DROPPED;
	bool is_sound = is_bookmark || (subjects->nameless == 0 && subjects->allowed > 0);
	return is_sound ? JSON_PASSES : JSON_IS_UNREADABLE;
}

enum json_verdict json_judge_event(const struct json_judge *judge, struct json_cursor *cursor)
{
	struct event event = {0};
	struct subjects subjects = {0};
	if (!read_event(cursor, &event))
		return JSON_IS_UNREADABLE;
	if (strcmp(event.type, "ERROR") == 0)
		return is_status(&event.facts) ? JSON_PASSES : JSON_IS_UNREADABLE;
	if (!event.facts.is_table || !event.facts.is_meta_api)
		add_subject(judge, &event.facts, &subjects);
	else if (!event.facts.has_rows || !add_rows(judge, event.facts.rows, &subjects))
		return JSON_IS_UNREADABLE;
	return judge_subjects(&event, &subjects);
}

/* --- metadata of lists ----------------------------------------------------------------------- */

/* "" says that nothing follows; what is no text is no token. */
static bool read_token(struct json_cursor *cursor, bool *is_page)
{
	struct cursor_text text;
	if (cursor_peek(cursor) != '"')
		return cursor_read_value(cursor);
	bool is_sound = cursor_read_string(cursor, &text);
	*is_page |= is_sound && text.len > 0;
	return is_sound;
}

bool json_judge_metadata(const uint8_t *text, size_t len, struct json_cut *cut, bool *is_page)
{
	struct json_cursor cursor = {text, text + len};
	struct cursor_text key;
	enum cursor_step step;
	bool is_first = true, has_count = false, is_cut_open = false;
	*cut = (struct json_cut){0};
	*is_page = false;
	if (!cursor_read_char(&cursor, '{'))
		return false;
	for (;;) {
		if (cursor_peek(&cursor) == '\0')
			return false;
		size_t from = (size_t)(cursor.at - text);
		bool was_first = is_first;
		step = cursor_next_member(&cursor, &is_first, &key);
		if (step != CURSOR_NEXT)
			break;
		/* The first pair goes with the comma behind it, any other with the one before. */
		if (is_cut_open)
			cut->to = from + 1;
		bool is_count = cursor_text_is(&key, "remainingItemCount");
		bool is_sound = cursor_text_is(&key, "continue") ? read_token(&cursor, is_page)
								 : cursor_read_value(&cursor);
		if (!is_sound || (is_count && !once(&has_count)))
			return false;
		if (is_count)
			*cut = (struct json_cut){from, (size_t)(cursor.at - text)};
		is_cut_open = is_count && was_first;
	}
	return step == CURSOR_END && cursor_is_at_end(&cursor);
}
