/* The reader of a list in protobuf. Two messages are read as they come, the envelope
 * (runtime.Unknown) and the list in it; what a field of them holds is gathered only where it is to
 * be judged. What is not understood does not pass, what could be understood in two ways ends it.
 * Called by protobuf_filter.c. */
#include "kubeproxyd/filter/protobuf_list.h"

#include <string.h>

#include "kubeproxyd/filter/protobuf_object.h"

/* runtime.Unknown, and the lists of every kind. */
enum { UNKNOWN_TYPE_META = 1, UNKNOWN_RAW, UNKNOWN_ENCODING, UNKNOWN_CONTENT_TYPE };
enum { TYPE_META_API_VERSION = 1, TYPE_META_KIND };
enum { LIST_METADATA = 1, LIST_ITEMS };
enum { LIST_META_CONTINUE = 3, LIST_META_REMAINING };

/* Of a TypeMeta and of a content type: more is nothing that is understood. */
#define SMALL_MAX 1024
/* Sums of it cannot overflow. */
#define LENGTH_MAX ((uint64_t)1 << 48)
/* What is kept for the next item. */
#define GATHERED_KEPT ((size_t)64 * 1024)

static const uint8_t magic[] = {'k', '8', 's', 0};
static const char own_type[] = "application/vnd.kubernetes.protobuf";

struct input {
	const uint8_t *at;
	size_t len;
};

static void fail(struct protobuf_list *list, const char *why)
{
	list->result->problem = why;
}

static struct input take(struct input *input, uint64_t len)
{
	struct input taken = {input->at, len < input->len ? (size_t)len : input->len};
	input->at += taken.len;
	input->len -= taken.len;
	return taken;
}

static void pass_field(struct protobuf_list *list, const uint8_t *content, size_t len)
{
	protobuf_out_add(list->out, list->head_bytes, list->head.head_len);
	protobuf_out_add(list->out, content, len);
}

/* --- what was gathered ----------------------------------------------------------------------- */

static bool is_list(struct protobuf kind)
{
	static const char ending[] = "List";
	size_t len = strlen(ending);
	return kind.len >= len && memcmp(kind.at + kind.len - len, ending, len) == 0;
}

static void on_type(struct protobuf_list *list, struct protobuf meta)
{
	struct protobuf kind, version;
	bool is_sound;
	if (!protobuf_get(meta, TYPE_META_KIND, &kind, &is_sound) || kind.len == 0) {
		fail(list, "it does not say of what kind it is");
		return;
	}
	bool is_v1 = protobuf_get(meta, TYPE_META_API_VERSION, &version, &is_sound) &&
		     protobuf_is(version, "v1");
	if (!is_sound) {
		fail(list, "it does not say of what version it is");
		return;
	}
	list->content = is_list(kind)			       ? PROTOBUF_OF_LIST
			: is_v1 && protobuf_is(kind, "Status") ? PROTOBUF_OF_STATUS
							       : PROTOBUF_OF_OBJECT;
	pass_field(list, meta.at, meta.len);
}

static void on_content_type(struct protobuf_list *list, struct protobuf type)
{
	if (type.len > 0 && !protobuf_is(type, own_type))
		fail(list, "its content is not protobuf");
	else
		pass_field(list, type.at, type.len);
}

static void on_item(struct protobuf_list *list, struct protobuf item)
{
	enum protobuf_verdict verdict =
	    protobuf_object_judge(item, list->out->events, list->out->arg);
	protobuf_verdict_count(list->result, verdict);
	if (verdict == PROTOBUF_PASSED)
		pass_field(list, item.at, item.len);
}

/* Without how many objects the pages behind this one have: it counts those that may not be read. */
static bool strip_remaining(struct protobuf metadata, struct buf *out, bool *is_page)
{
	struct protobuf_field field;
	*is_page = false;
	for (const uint8_t *begin = metadata.at; protobuf_next(&metadata, &field);
	     begin = metadata.at) {
		*is_page |= field.number == LIST_META_CONTINUE && field.bytes.len > 0;
		if (field.number != LIST_META_REMAINING)
			buf_append(out, begin, (size_t)(metadata.at - begin));
	}
	return !metadata.is_bad;
}

static void on_metadata(struct protobuf_list *list, struct protobuf metadata)
{
	struct buf stripped = {0}, field = {0};
	bool is_page;
	if (!strip_remaining(metadata, &stripped, &is_page)) {
		fail(list, "its metadata cannot be read");
	} else if (is_page && !list->limits->may_be_page) {
		fail(list, FILTER_IS_PAGE);
	} else if (stripped.len == metadata.len) {
		pass_field(list, metadata.at, metadata.len);
	} else {
		protobuf_add_bytes(&field, LIST_METADATA, stripped.data, stripped.len);
		protobuf_out_add(list->out, field.data, field.len);
	}
	buf_free(&stripped);
	buf_free(&field);
}

static void on_object(struct protobuf_list *list, struct protobuf object)
{
	enum protobuf_verdict verdict =
	    protobuf_object_judge(object, list->out->events, list->out->arg);
	protobuf_verdict_count(list->result, verdict);
	if (verdict == PROTOBUF_PASSED)
		pass_field(list, object.at, object.len);
	else
		fail(list, "it is one object that may not be read");
	list->result->is_forbidden = verdict == PROTOBUF_DROPPED;
}

static void on_gathered(struct protobuf_list *list, const uint8_t *data, size_t len)
{
	struct protobuf content = {.at = data, .len = len};
	if (list->place == PROTOBUF_IN_LIST && list->head.number == LIST_METADATA)
		on_metadata(list, content);
	else if (list->place == PROTOBUF_IN_LIST)
		on_item(list, content);
	else if (list->head.number == UNKNOWN_TYPE_META)
		on_type(list, content);
	else if (list->head.number == UNKNOWN_CONTENT_TYPE)
		on_content_type(list, content);
	else
		on_object(list, content);
}

/* --- fields ---------------------------------------------------------------------------------- */

/* Asked for once. */
static void expect_once(struct protobuf_list *list, bool *has)
{
	if (!list->head.is_bytes || *has)
		fail(list, "a field of it stands there twice, or as another type");
	*has = true;
}

static void gather(struct protobuf_list *list, uint64_t max)
{
	list->fate = PROTOBUF_GATHER;
	if (list->head.content_len > max)
		fail(list, "a part of it is too long");
}

static void pass(struct protobuf_list *list)
{
	list->fate = PROTOBUF_PASS;
	protobuf_out_add(list->out, list->head_bytes, list->head.head_len);
}

static void skip(struct protobuf_list *list)
{
	list->fate = PROTOBUF_SKIP;
	list->result->unreadable++;
}

static void begin_raw(struct protobuf_list *list)
{
	if (!list->has_type)
		fail(list, "it does not say of what kind it is before it begins");
	else if (list->content == PROTOBUF_OF_STATUS)
		pass(list);
	else if (list->content == PROTOBUF_OF_OBJECT)
		gather(list, list->limits->item_max);
	else {
		list->place = PROTOBUF_IN_LIST;
		list->list_left = list->head.content_len;
		list->fate = PROTOBUF_IS_HEAD;
		protobuf_out_begin_list(list->out, UNKNOWN_RAW);
	}
}

static void begin_in_envelope(struct protobuf_list *list)
{
	switch (list->head.number) {
	case UNKNOWN_TYPE_META:
		expect_once(list, &list->has_type);
		gather(list, SMALL_MAX);
		break;
	case UNKNOWN_RAW:
		expect_once(list, &list->has_raw);
		begin_raw(list);
		break;
	case UNKNOWN_ENCODING:
		expect_once(list, &list->has_encoding);
		if (list->head.content_len > 0)
			fail(list, "it is encoded once more");
		pass(list);
		break;
	case UNKNOWN_CONTENT_TYPE:
		expect_once(list, &list->has_content_type);
		gather(list, SMALL_MAX);
		break;
	default:
		skip(list);
	}
}

static void begin_in_list(struct protobuf_list *list)
{
	uint64_t size = list->head.head_len + list->head.content_len;
	if (size > list->list_left) {
		fail(list, "a field of the list is longer than the list");
		return;
	}
	list->list_left -= size;
	if (list->head.number == LIST_METADATA) {
		expect_once(list, &list->has_metadata);
		gather(list, list->limits->item_max);
	} else if (list->head.number == LIST_ITEMS && list->head.is_bytes &&
		   list->head.content_len <= list->limits->item_max) {
		gather(list, list->limits->item_max);
	} else {
		skip(list);
	}
}

static void end_field(struct protobuf_list *list)
{
	list->fate = PROTOBUF_IS_HEAD;
	list->head_read = 0;
	list->gathered.len = 0;
	if (list->gathered.cap > GATHERED_KEPT)
		carry_free(&list->gathered);
}

static void end_list_when_read(struct protobuf_list *list)
{
	if (list->place != PROTOBUF_IN_LIST || list->list_left > 0 ||
	    list->fate != PROTOBUF_IS_HEAD)
		return;
	protobuf_out_end_list(list->out);
	list->place = PROTOBUF_IN_ENVELOPE;
}

static void begin_field(struct protobuf_list *list)
{
	list->left = list->head.content_len;
	if (list->left > LENGTH_MAX) {
		fail(list, "a field of it is longer than anything");
		return;
	}
	if (list->place == PROTOBUF_IN_LIST)
		begin_in_list(list);
	else
		begin_in_envelope(list);
	if (list->fate == PROTOBUF_IS_HEAD)
		list->head_read = 0;
}

/* --- bytes ----------------------------------------------------------------------------------- */

static void read_magic(struct protobuf_list *list, struct input *input)
{
	struct input part = take(input, sizeof magic - list->magic_read);
	if (memcmp(part.at, magic + list->magic_read, part.len) != 0) {
		fail(list, "it does not begin as Kubernetes' protobuf does");
		return;
	}
	list->magic_read += part.len;
	if (list->magic_read < sizeof magic)
		return;
	protobuf_out_add(list->out, magic, sizeof magic);
	list->place = PROTOBUF_IN_ENVELOPE;
}

/* Heads are gathered byte by byte where they are cut, else read where they stand. */
static void read_head(struct protobuf_list *list, struct input *input)
{
	size_t before = list->head_read;
	size_t most = PROTOBUF_HEAD_MAX - before;
	size_t part = input->len < most ? input->len : most;
	memcpy(list->head_bytes + before, input->at, part);
	enum protobuf_read read = protobuf_read_head(list->head_bytes, before + part, &list->head);
	size_t used = read == PROTOBUF_READ ? list->head.head_len - before : part;
	(void)take(input, used);
	list->head_read = before + used;
	if (read == PROTOBUF_BAD)
		fail(list, "a field of it is malformed");
	else if (read == PROTOBUF_READ)
		begin_field(list);
	else if (list->place == PROTOBUF_IN_LIST && list->head_read >= list->list_left)
		fail(list, "a field of the list is longer than the list");
}

static void gather_content(struct protobuf_list *list, struct input part)
{
	if (list->left == 0 && list->gathered.len == 0) {
		on_gathered(list, part.at, part.len);
		return;
	}
	carry_append(&list->gathered, part.at, part.len);
	if (list->left == 0)
		on_gathered(list, list->gathered.data, list->gathered.len);
}

static void read_content(struct protobuf_list *list, struct input *input)
{
	struct input part = take(input, list->left);
	list->left -= part.len;
	if (list->fate == PROTOBUF_PASS)
		protobuf_out_add(list->out, part.at, part.len);
	else if (list->fate == PROTOBUF_GATHER)
		gather_content(list, part);
	if (list->left == 0)
		end_field(list);
}

/* --- public ---------------------------------------------------------------------------------- */

static bool is_waiting_for_bytes(const struct protobuf_list *list)
{
	return list->fate == PROTOBUF_IS_HEAD || list->left > 0;
}

void protobuf_list_feed(struct protobuf_list *list, const uint8_t *data, size_t len)
{
	struct input input = {data, len};
	while (list->result->problem == NULL && (input.len > 0 || !is_waiting_for_bytes(list))) {
		if (list->place == PROTOBUF_AT_MAGIC)
			read_magic(list, &input);
		else if (list->fate == PROTOBUF_IS_HEAD)
			read_head(list, &input);
		else
			read_content(list, &input);
		end_list_when_read(list);
	}
}

bool protobuf_list_is_whole(const struct protobuf_list *list)
{
	return list->place == PROTOBUF_IN_ENVELOPE && list->fate == PROTOBUF_IS_HEAD &&
	       list->head_read == 0 && list->has_raw;
}

void protobuf_list_free(struct protobuf_list *list)
{
	carry_free(&list->gathered);
}
