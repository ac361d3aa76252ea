/* Names out of objects and watch events in protobuf. A decoder of Go's merges a message that stands
 * twice and takes the last of what is no message: both are unreadable here, so that nobody reads
 * another name than was judged. Called by the filters of lists and watches. */
#include "kubeproxyd/filter/protobuf_object.h"

#include <string.h>

#include "common/utf8.h"

/* Longer than any name or namespace: those are segments of a path in etcd. */
#define WORD_MAX 1024

/* metav1: every object, ObjectMeta, WatchEvent, RawExtension. */
enum { OBJECT_METADATA = 1 };
enum { METADATA_NAME = 1, METADATA_NAMESPACE = 3 };
enum { EVENT_TYPE = 1, EVENT_OBJECT };
enum { EXTENSION_RAW = 1 };
enum { STATUS_CODE = 6 };

struct word {
	char text[WORD_MAX + 1]; /* "" when it is absent */
};

bool protobuf_is(struct protobuf bytes, const char *text)
{
	return bytes.len == strlen(text) && memcmp(bytes.at, text, bytes.len) == 0;
}

/* False: unreadable. */
static bool read_word(struct protobuf metadata, uint32_t number, struct word *word)
{
	struct protobuf bytes;
	bool is_sound;
	word->text[0] = '\0';
	if (!protobuf_get(metadata, number, &bytes, &is_sound))
		return is_sound;
	if (bytes.len > WORD_MAX || memchr(bytes.at, '\0', bytes.len) != NULL ||
	    !utf8_is_sound((const char *)bytes.at, bytes.len))
		return false;
	memcpy(word->text, bytes.at, bytes.len);
	word->text[bytes.len] = '\0';
	return true;
}

static bool read_names(struct protobuf object, struct word *namespace, struct word *name)
{
	struct protobuf metadata;
	bool is_sound;
	namespace->text[0] = name->text[0] = '\0';
	if (!protobuf_get(object, OBJECT_METADATA, &metadata, &is_sound))
		return is_sound;
	return read_word(metadata, METADATA_NAME, name) &&
	       read_word(metadata, METADATA_NAMESPACE, namespace);
}

enum protobuf_verdict protobuf_object_judge(
    struct protobuf object, const struct filter_events *events, void *arg)
{
	struct word namespace, name;
	if (!read_names(object, &namespace, &name) || name.text[0] == '\0')
		return PROTOBUF_UNREADABLE;
	return events->may_read(arg, namespace.text, name.text) ? PROTOBUF_PASSED
								: PROTOBUF_DROPPED;
}

/* --- watches --------------------------------------------------------------------------------- */

/* A bookmark holds a version and annotations; if it named an object, that would be asked about. */
static enum protobuf_verdict judge_bookmark(
    struct protobuf object, const struct filter_events *events, void *arg)
{
	struct word namespace, name;
	if (!read_names(object, &namespace, &name))
		return PROTOBUF_UNREADABLE;
	if (name.text[0] == '\0' && namespace.text[0] == '\0')
		return PROTOBUF_PASSED;
	return protobuf_object_judge(object, events, arg);
}

static bool is_internal_error(struct protobuf status)
{
	struct protobuf_field field;
	bool is = false;
	while (protobuf_next(&status, &field))
		is |= field.number == STATUS_CODE && (int32_t)field.value == FILTER_INTERNAL_ERROR;
	return is || status.is_bad;
}

enum protobuf_verdict protobuf_event_judge(
    struct protobuf event, const struct filter_events *events, void *arg)
{
	struct protobuf type, extension, raw, kind, object;
	bool is_sound;
	if (!protobuf_get(event, EVENT_TYPE, &type, &is_sound) ||
	    !protobuf_get(event, EVENT_OBJECT, &extension, &is_sound) ||
	    !protobuf_get(extension, EXTENSION_RAW, &raw, &is_sound) ||
	    !protobuf_open(raw.at, raw.len, &kind, &object))
		return PROTOBUF_UNREADABLE;
	if (protobuf_is(type, "ADDED") || protobuf_is(type, "MODIFIED") ||
	    protobuf_is(type, "DELETED"))
		return protobuf_object_judge(object, events, arg);
	if (protobuf_is(type, "BOOKMARK"))
		return judge_bookmark(object, events, arg);
	bool is_error =
	    protobuf_is(type, "ERROR") && protobuf_is(kind, "Status") && !is_internal_error(object);
	return is_error ? PROTOBUF_PASSED : PROTOBUF_UNREADABLE;
}
