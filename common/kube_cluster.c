/* One EKS cluster as a resource: its fields by table, so that free, copy, compare and both
 * directions of the JSON form know the same members. Pure. Built by discoveryd from what AWS says;
 * read from the bus, the registry and the cache file by both daemons. */
#include "common/kube_cluster.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/bytes16.h"
#include "common/json.h"
#include "common/kube_cluster_check.h"
#include "common/xmem.h"

#define KIND	   "kube_cluster"
#define VERSION	   "v3"
#define LABELS_MAX 256
#define VALUE_MAX  1024 /* AWS allows 256 characters in a tag's value */

typedef bool check_fn(const char *text);

/* One string of the resource. */
struct field {
	const char *object; /* the path of the object that it stands in */
	const char *key;
	size_t offset; /* of a char * in struct kube_cluster */
	bool is_required;
	check_fn *check;
	const char *expected;
};

static const struct field fields[] = {
    {"metadata", "name", offsetof(struct kube_cluster, name), true, kube_cluster_name_is_valid,
	"letters, digits, '.', '_' and '-', starting with a letter or digit, at most 253"},
    {"metadata", "description", offsetof(struct kube_cluster, description), false, check_text,
	"at most 4096 bytes without control characters"},
    {"spec.aws", "name", offsetof(struct kube_cluster, aws.name), true, check_eks_name,
	"the name of an EKS cluster"},
    {"spec.aws", "account_id", offsetof(struct kube_cluster, aws.account_id), true,
	check_account_id, "twelve digits"},
    {"spec.aws", "region", offsetof(struct kube_cluster, aws.region), true, check_region,
	"the name of a region"},
    {"spec.aws", "arn", offsetof(struct kube_cluster, aws.arn), true, check_eks_arn,
	"arn:PARTITION:eks:REGION:ACCOUNT:cluster/NAME"},
    {"spec.aws", "cluster_id", offsetof(struct kube_cluster, aws.cluster_id), false,
	check_cluster_id, "letters, digits, '-' and '_', at most 128"},
    {"spec.aws", "serving_role", offsetof(struct kube_cluster, aws.serving_role), false,
	check_role_arn, "arn:PARTITION:iam::ACCOUNT:role/NAME"},
    {"spec", "endpoint", offsetof(struct kube_cluster, endpoint), true, check_endpoint,
	"https://HOST or https://HOST:PORT and nothing else"},
    {"spec", "certificate_authority", offsetof(struct kube_cluster, certificate_authority), true,
	check_certificate_authority, "base64 of one or more certificates in PEM form"},
    {"spec", "authentication_mode", offsetof(struct kube_cluster, authentication_mode), true,
	check_word, "API, API_AND_CONFIG_MAP or CONFIG_MAP"},
    {"status", "phase", offsetof(struct kube_cluster, status.phase), true, check_word,
	"ready, removing or orphaned"},
    {"status", "reason", offsetof(struct kube_cluster, status.reason), false, check_text,
	"at most 4096 bytes without control characters"},
    {"status", "access", offsetof(struct kube_cluster, status.access), false, check_text,
	"at most 4096 bytes without control characters"},
};

#define FIELD_COUNT (sizeof(fields) / sizeof(fields[0]))

/* The members that are no strings, for telling known from unknown. */
static const struct {
	const char *object, *key;
} other_members[] = {
    {"", "kind"},
    {"", "version"},
    {"", "metadata"},
    {"", "spec"},
    {"", "status"},
    {"metadata", "labels"},
    {"metadata", "revision"},
    {"spec", "aws"},
    {"spec.aws", "created_at"},
};

/* The objects of the document, outer before inner. */
static const char *const objects[] = {"", "metadata", "spec", "spec.aws", "status"};
#define OBJECT_COUNT (sizeof(objects) / sizeof(objects[0]))

static char **field_of(struct kube_cluster *cluster, const struct field *field)
{
	return (char **)((char *)cluster + field->offset);
}

static const char *text_of(const struct kube_cluster *cluster, const struct field *field)
{
	return *(char *const *)((const char *)cluster + field->offset);
}

/* --- the value -------------------------------------------------------------------------------- */

void kube_cluster_free(struct kube_cluster **cluster)
{
	if (*cluster == NULL)
		return;
	for (size_t i = 0; i < FIELD_COUNT; i++)
		free(*field_of(*cluster, &fields[i]));
	labels_free(&(*cluster)->labels);
	json_object_put((*cluster)->unknown);
	free(*cluster);
	*cluster = NULL;
}

struct kube_cluster *kube_cluster_copy(const struct kube_cluster *cluster)
{
	struct kube_cluster *copy = xcalloc(1, sizeof(*copy));
	for (size_t i = 0; i < FIELD_COUNT; i++)
		*field_of(copy, &fields[i]) = xstrdup_or_null(text_of(cluster, &fields[i]));
	labels_copy(&copy->labels, &cluster->labels);
	copy->revision = cluster->revision;
	copy->aws.created_at = cluster->aws.created_at;
	copy->unknown = json_object_get(cluster->unknown);
	return copy;
}

static bool is_same_text(const char *a, const char *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return strcmp(a, b) == 0;
}

bool kube_cluster_equal(const struct kube_cluster *a, const struct kube_cluster *b)
{
	for (size_t i = 0; i < FIELD_COUNT; i++)
		if (!is_same_text(text_of(a, &fields[i]), text_of(b, &fields[i])))
			return false;
	return a->aws.created_at.ms == b->aws.created_at.ms &&
	       labels_equal(&a->labels, &b->labels) && json_object_equal(a->unknown, b->unknown);
}

bool kube_cluster_is_same(const struct kube_cluster *a, const struct kube_cluster *b)
{
	return strcmp(a->aws.arn, b->aws.arn) == 0 && a->aws.created_at.ms == b->aws.created_at.ms;
}

/* What does not stand in names. */
static inline bytes16 find_foreign(bytes16 bytes)
{
	const bytes16 lower = bytes16_or(bytes, (bytes16){} + ' ');
	const bytes16 in_letters = (lower >= 'a') & (lower <= 'z');
	const bytes16 in_digits = (bytes >= '0') & (bytes <= '9');
	const bytes16 in_marks = bytes16_or(bytes == '_', bytes16_or(bytes == '-', bytes == '.'));
	return ~bytes16_or(in_letters, bytes16_or(in_digits, in_marks));
}

bool kube_cluster_name_is_valid(const char *name)
{
	size_t len = strlen(name);
	return len > 0 && len <= KUBE_CLUSTER_NAME_MAX && name[0] != '.' && name[0] != '_' &&
	       name[0] != '-' && bytes16_are_free_of(find_foreign, name, len);
}

/* --- ARN -------------------------------------------------------------------------------------- */

/* Copies up to `stop` and moves behind it; false when it is not there or the part is empty or too
 * long. */
static bool take_part(const char **at, const char *stop, char *part, size_t size)
{
	const char *end = strstr(*at, stop);
	if (end == NULL || end == *at || (size_t)(end - *at) >= size)
		return false;
	memcpy(part, *at, (size_t)(end - *at));
	part[end - *at] = '\0';
	*at = end + strlen(stop);
	return true;
}

bool eks_arn_parse(const char *arn, struct eks_arn *parts)
{
	const char *at = arn;
	if (strncmp(at, "arn:", 4) != 0)
		return false;
	at += 4;
	if (!take_part(&at, ":eks:", parts->partition, sizeof(parts->partition)) ||
	    !take_part(&at, ":", parts->region, sizeof(parts->region)) ||
	    !take_part(&at, ":cluster/", parts->account_id, sizeof(parts->account_id)))
		return false;
	if (!check_eks_name(at))
		return false;
	memcpy(parts->name, at, strlen(at) + 1);
	return strncmp(parts->partition, "aws", 3) == 0 && check_region(parts->partition) &&
	       check_region(parts->region) && check_account_id(parts->account_id);
}

/* --- to JSON ---------------------------------------------------------------------------------- */

static struct json_object *add_object(struct json_object *parent, const char *key)
{
	struct json_object *object = json_object_new_object();
	json_object_object_add(parent, key, object);
	return object;
}

/* The object at one of the paths in `objects`; NULL when it is missing or is none. */
static struct json_object *find_object(struct json_object *document, const char *path)
{
	struct json_object *object = document;
	char copy[16], *rest = copy, *key;
	snprintf(copy, sizeof(copy), "%s", path);
	while ((key = strsep(&rest, ".")) != NULL && *key != '\0')
		if (!json_object_object_get_ex(object, key, &object))
			return NULL;
	return json_object_is_type(object, json_type_object) ? object : NULL;
}

static void add_unknown(struct json_object *document, struct json_object *unknown)
{
	for (size_t i = 0; i < OBJECT_COUNT; i++) {
		struct json_object *members;
		if (!json_object_object_get_ex(unknown, objects[i], &members))
			continue;
		struct json_object *object = find_object(document, objects[i]);
		struct json_object_iterator at = json_object_iter_begin(members);
		struct json_object_iterator end = json_object_iter_end(members);
		for (; !json_object_iter_equal(&at, &end); json_object_iter_next(&at))
			json_object_object_add(object, json_object_iter_peek_name(&at),
			    json_object_get(json_object_iter_peek_value(&at)));
	}
}

static void add_labels(struct json_object *metadata, const struct labels *labels)
{
	struct json_object *object = add_object(metadata, "labels");
	for (size_t i = 0; i < labels->count; i++)
		json_add_string(object, labels->items[i].key, labels->items[i].value);
}

struct json_object *kube_cluster_to_json(const struct kube_cluster *cluster)
{
	char created_at[UNIX_TIME_TEXT];
	struct json_object *document = json_object_new_object();
	json_add_string(document, "kind", KIND);
	json_add_string(document, "version", VERSION);
	struct json_object *metadata = add_object(document, "metadata");
	struct json_object *spec = add_object(document, "spec");
	struct json_object *aws = add_object(spec, "aws");
	add_object(document, "status");
	for (size_t i = 0; i < FIELD_COUNT; i++)
		json_add_string(find_object(document, fields[i].object), fields[i].key,
		    text_of(cluster, &fields[i]));
	add_labels(metadata, &cluster->labels);
	json_object_object_add(metadata, "revision", json_object_new_int64(cluster->revision));
	if (cluster->aws.created_at.ms != 0)
		json_add_string(
		    aws, "created_at", unix_time_text(cluster->aws.created_at, created_at));
	if (cluster->unknown != NULL)
		add_unknown(document, cluster->unknown);
	return document;
}

char *kube_cluster_to_text(const struct kube_cluster *cluster)
{
	struct buf text = {0};
	struct json_object *document = kube_cluster_to_json(cluster);
	json_write_canonical(&text, document);
	json_object_put(document);
	return buf_take(&text);
}

/* --- from JSON -------------------------------------------------------------------------------- */

static bool is_known(const char *object, const char *key)
{
	for (size_t i = 0; i < FIELD_COUNT; i++)
		if (strcmp(fields[i].object, object) == 0 && strcmp(fields[i].key, key) == 0)
			return true;
	for (size_t i = 0; i < sizeof(other_members) / sizeof(other_members[0]); i++)
		if (strcmp(other_members[i].object, object) == 0 &&
		    strcmp(other_members[i].key, key) == 0)
			return true;
	return false;
}

/* Keeps one object's unknown members under its path. */
static void keep_unknown(struct kube_cluster *cluster, struct json_object *object, const char *path)
{
	struct json_object *kept = NULL;
	struct json_object_iterator at = json_object_iter_begin(object);
	struct json_object_iterator end = json_object_iter_end(object);
	for (; !json_object_iter_equal(&at, &end); json_object_iter_next(&at)) {
		const char *key = json_object_iter_peek_name(&at);
		if (is_known(path, key))
			continue;
		if (cluster->unknown == NULL)
			cluster->unknown = json_object_new_object();
		if (kept == NULL)
			kept = add_object(cluster->unknown, path);
		json_object_object_add(
		    kept, key, json_object_get(json_object_iter_peek_value(&at)));
	}
}

static bool check_shape(struct json_object *document, char error[JSON_ERROR_TEXT])
{
	const char *kind, *version;
	struct json_object *object, *spec;
	if (!json_get_string(document, "", "kind", &kind, error) ||
	    !json_get_string(document, "", "version", &version, error))
		return false;
	if (strcmp(kind, KIND) != 0 || strcmp(version, VERSION) != 0) {
		snprintf(error, JSON_ERROR_TEXT,
		    "kind and version are \"%.60s\" and \"%.60s\", "
		    "wanted \"" KIND "\" and \"" VERSION "\"",
		    kind, version);
		return false;
	}
	return json_get_object(document, "", "metadata", &object, error) &&
	       json_get_object(document, "", "spec", &spec, error) &&
	       json_get_object(spec, "spec", "aws", &object, error) &&
	       json_get_object(document, "", "status", &object, error);
}

static bool read_field(struct kube_cluster *cluster, const struct field *field,
    struct json_object *document, char error[JSON_ERROR_TEXT])
{
	const char *text;
	struct json_object *object = find_object(document, field->object);
	bool ok = field->is_required
		      ? json_get_string(object, field->object, field->key, &text, error)
		      : json_get_optional_string(object, field->object, field->key, &text, error);
	if (!ok || text == NULL)
		return ok;
	if (!field->check(text)) {
		snprintf(error, JSON_ERROR_TEXT, "%s.%s: \"%.40s%s\" is not %s", field->object,
		    field->key, text, strlen(text) > 40 ? "..." : "", field->expected);
		return false;
	}
	*field_of(cluster, field) = xstrdup(text);
	return true;
}

static bool read_labels(
    struct kube_cluster *cluster, struct json_object *document, char error[JSON_ERROR_TEXT])
{
	struct json_object *labels;
	struct json_object *metadata = find_object(document, "metadata");
	if (!json_get_object(metadata, "metadata", "labels", &labels, error))
		return false;
	if (json_object_object_length(labels) > LABELS_MAX) {
		snprintf(error, JSON_ERROR_TEXT, "metadata.labels: more than %d", LABELS_MAX);
		return false;
	}
	struct json_object_iterator at = json_object_iter_begin(labels);
	struct json_object_iterator end = json_object_iter_end(labels);
	for (; !json_object_iter_equal(&at, &end); json_object_iter_next(&at)) {
		const char *text, *key = json_object_iter_peek_name(&at);
		if (!json_get_string(labels, "metadata.labels", key, &text, error))
			return false;
		if (!label_key_is_valid(key) || strlen(text) > VALUE_MAX) {
			snprintf(error, JSON_ERROR_TEXT,
			    "metadata.labels: \"%.60s\" is no valid label", key);
			return false;
		}
		labels_set(&cluster->labels, key, text);
	}
	return true;
}

static bool read_numbers(
    struct kube_cluster *cluster, struct json_object *document, char error[JSON_ERROR_TEXT])
{
	const char *created_at;
	struct json_object *metadata = find_object(document, "metadata");
	struct json_object *aws = find_object(document, "spec.aws");
	if (!json_get_int(metadata, "metadata", "revision", &cluster->revision, error) ||
	    !json_get_string(aws, "spec.aws", "created_at", &created_at, error))
		return false;
	if (cluster->revision < 0) {
		snprintf(error, JSON_ERROR_TEXT, "metadata.revision: must not be negative");
		return false;
	}
	if (!unix_time_parse(created_at, &cluster->aws.created_at) ||
	    cluster->aws.created_at.ms <= 0) {
		snprintf(error, JSON_ERROR_TEXT,
		    "spec.aws.created_at: \"%.40s\" is not a time (RFC 3339)", created_at);
		return false;
	}
	return true;
}

static bool check_consistency(const struct kube_cluster *cluster, char error[JSON_ERROR_TEXT])
{
	struct eks_arn parts;
	if (eks_arn_parse(cluster->aws.arn, &parts) && strcmp(parts.name, cluster->aws.name) == 0 &&
	    strcmp(parts.region, cluster->aws.region) == 0 &&
	    strcmp(parts.account_id, cluster->aws.account_id) == 0)
		return true;
	snprintf(error, JSON_ERROR_TEXT,
	    "spec.aws.arn: names another cluster than spec.aws.name, region and account_id");
	return false;
}

static bool read_all(
    struct kube_cluster *cluster, struct json_object *document, char error[JSON_ERROR_TEXT])
{
	if (!check_shape(document, error))
		return false;
	for (size_t i = 0; i < FIELD_COUNT; i++)
		if (!read_field(cluster, &fields[i], document, error))
			return false;
	if (!read_labels(cluster, document, error) || !read_numbers(cluster, document, error) ||
	    !check_consistency(cluster, error))
		return false;
	for (size_t i = 0; i < OBJECT_COUNT; i++)
		keep_unknown(cluster, find_object(document, objects[i]), objects[i]);
	return true;
}

struct kube_cluster *kube_cluster_from_json(struct json_object *document, char **error)
{
	char text[JSON_ERROR_TEXT];
	struct kube_cluster *cluster = xcalloc(1, sizeof(*cluster));
	if (read_all(cluster, document, text))
		return cluster;
	*error = cluster->name != NULL ? xasprintf(KIND " \"%s\": %s", cluster->name, text)
				       : xasprintf(KIND ": %s", text);
	kube_cluster_free(&cluster);
	return NULL;
}

struct kube_cluster *kube_cluster_from_text(const char *text, size_t len, char **error)
{
	char reason[JSON_ERROR_TEXT];
	if (len > KUBE_CLUSTER_JSON_MAX) {
		*error =
		    xasprintf(KIND ": %zu bytes, at most %u are read", len, KUBE_CLUSTER_JSON_MAX);
		return NULL;
	}
	struct json_object *document = json_parse(text, len, reason);
	if (document == NULL) {
		*error = xasprintf(KIND ": %s", reason);
		return NULL;
	}
	struct kube_cluster *cluster = kube_cluster_from_json(document, error);
	json_object_put(document);
	return cluster;
}
