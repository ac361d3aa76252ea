/* The cache file's format, both directions: a first line
 *     EKSGATE-CACHE 1 <SHA-256 of the rest, hex> <fresh_at in ms, 16 digits>
 * then one JSON document {group, epoch, sequence, items, renames}. The time stands outside of the
 * hash, since it is renewed in place while nothing else changes. */
#include "kubeproxyd/directory/cache.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/xmem.h"
#include "proto/json_text.h"

#define MAGIC	   "EKSGATE-CACHE 1 "
#define MAGIC_LEN  16
#define HASH_LEN   64
#define TIME_AT	   (MAGIC_LEN + HASH_LEN + 1)
#define TIME_LEN   16
#define FIRST_LINE (TIME_AT + TIME_LEN + 1)
#define FILE_MAX   (1024LL * 1024 * 1024)
#define GROUP_MAX  1024

static void hash_text(const char *text, size_t len, char hex[HASH_LEN + 1])
{
	unsigned char hash[32];
	if (EVP_Digest(text, len, hash, NULL, EVP_sha256(), NULL) != 1)
		abort();
	for (size_t i = 0; i < sizeof hash; i++)
		snprintf(hex + 2 * i, 3, "%02x", hash[i]);
}

/* --- writing */

static void write_member(struct json_writer *writer, const char *name, const char *text, size_t len)
{
	json_write(writer, name);
	json_write_string(writer, text, len);
}

static void write_items(struct json_writer *writer, const struct directory_table *table)
{
	struct directory_item *item = NULL;
	const char *separator = "";
	while ((item = directory_table_next(table, item)) != NULL) {
		json_write(writer, separator);
		separator = ",\n";
		write_member(writer, "{\"name\":", item->name, strlen(item->name));
		json_write(writer, ",\"revision\":");
		json_write_int(writer, item->revision);
		write_member(writer, ",\"resource\":", item->resource, item->resource_len);
		if (item->readable != NULL)
			write_member(
			    writer, ",\"readable\":", item->readable, strlen(item->readable));
		json_write(writer, "}");
	}
}

static void write_renames(struct json_writer *writer, const struct renames *renames)
{
	for (size_t i = 0; i < renames->count; i++) {
		const struct rename *rename = &renames->items[i];
		json_write(writer, i > 0 ? "," : "");
		write_member(writer, "{\"from\":", rename->from, strlen(rename->from));
		write_member(writer, ",\"to\":", rename->to, strlen(rename->to));
		json_write(writer, ",\"at\":");
		json_write_int(writer, rename->at.ms);
		json_write(writer, "}");
	}
}

static void write_first_line(
    char line[FIRST_LINE + 1], const char hex[HASH_LEN + 1], struct unix_time fresh_at)
{
	snprintf(line, FIRST_LINE + 1, MAGIC "%*s %016" PRIu64 "\n", HASH_LEN, hex,
	    (uint64_t)fresh_at.ms);
}

char *cache_make(const char *group, const struct cache_facts *facts,
    const struct directory_table *table, const struct renames *renames, size_t *len)
{
	char hex[HASH_LEN + 1] = "", first_line[FIRST_LINE + 1];
	struct json_writer writer = {0};
	write_first_line(first_line, hex, facts->fresh_at); /* its room */
	json_write(&writer, first_line);
	write_member(&writer, "{\"group\":", group, strlen(group));
	json_write(&writer, ",\"epoch\":");
	json_write_int(&writer, (int64_t)facts->epoch);
	json_write(&writer, ",\"sequence\":");
	json_write_int(&writer, facts->sequence);
	json_write(&writer, ",\"items\":[\n");
	write_items(&writer, table);
	json_write(&writer, "],\n\"renames\":[");
	write_renames(&writer, renames);
	json_write(&writer, "]}\n");
	hash_text(writer.data + FIRST_LINE, writer.len - FIRST_LINE, hex);
	write_first_line(first_line, hex, facts->fresh_at);
	memcpy(writer.data, first_line, FIRST_LINE);
	*len = writer.len;
	return writer.data;
}

static bool write_all(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t written = write(fd, text, len);
		if (written < 0 && errno != EINTR)
			return false;
		text += written > 0 ? written : 0;
		len -= written > 0 ? (size_t)written : 0;
	}
	return true;
}

static bool write_file(const char *path, const char *text, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return false;
	bool is_good = write_all(fd, text, len) && fsync(fd) == 0;
	int reason = errno;
	close(fd);
	errno = reason;
	return is_good;
}

/* The rename itself is durable only with its directory. */
static void sync_directory(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return;
	(void)!fsync(fd);
	close(fd);
}

int cache_write(const struct cache_place *place, const char *text, size_t len)
{
	if (write_file(place->temporary, text, len) && rename(place->temporary, place->path) == 0) {
		sync_directory(place->directory);
		return 0;
	}
	int error = errno;
	unlink(place->temporary);
	return error;
}

void cache_touch(const char *path, struct unix_time fresh_at)
{
	char digits[TIME_LEN + 1];
	int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return;
	snprintf(digits, sizeof digits, "%016" PRIu64, (uint64_t)fresh_at.ms);
	(void)!pwrite(fd, digits, TIME_LEN, TIME_AT);
	close(fd);
}

/* --- reading */

struct parse {
	struct json_reader reader;
	struct cache_facts *facts;
	struct directory_table *table;
	struct renames *renames;
	char *group;
};

static void read_text_member(struct json_reader *reader, char **value, size_t *len, size_t max)
{
	free(*value);
	*value = NULL;
	(void)!json_read_string(reader, value, len, max);
}

/* A text that cannot be read serves nothing now and comes anew from the bus. */
static void add_item(struct directory_table *table, const char *name, int64_t revision,
    const char *resource, size_t len, const char *readable)
{
	char *error = NULL;
	struct kube_cluster *old = NULL;
	struct directory_item *item;
	if (readable != NULL) {
		item = directory_table_put(table, name, revision, readable, strlen(readable));
		if (!directory_item_read(item, &old, &error))
			xfree(&error);
	}
	item = directory_table_put(table, name, revision, resource, len);
	if (!directory_item_read(item, &old, &error))
		free(error);
	kube_cluster_free(&old);
}

static void read_item(struct parse *parse)
{
	char key[JSON_TEXT_KEY], *name = NULL, *resource = NULL, *readable = NULL;
	int64_t revision = 0;
	size_t len = 0, ignored;
	struct json_reader *reader = &parse->reader;
	bool is_object = json_read_object(reader);
	while (is_object && json_read_member(reader, key)) {
		if (strcmp(key, "name") == 0)
			read_text_member(reader, &name, &ignored, MESSAGE_NAME_MAX);
		else if (strcmp(key, "revision") == 0)
			(void)!json_read_int(reader, &revision);
		else if (strcmp(key, "resource") == 0)
			read_text_member(reader, &resource, &len, MESSAGE_ITEM_MAX);
		else if (strcmp(key, "readable") == 0)
			read_text_member(reader, &readable, &ignored, MESSAGE_ITEM_MAX);
		else
			json_skip(reader);
	}
	if (!reader->is_bad && (name == NULL || resource == NULL))
		json_reader_fail(reader, "an item without name or resource");
	if (!reader->is_bad)
		add_item(parse->table, name, revision, resource, len, readable);
	free(name);
	free(resource);
	free(readable);
}

static void read_rename(struct parse *parse)
{
	char key[JSON_TEXT_KEY], *from = NULL, *to = NULL;
	struct unix_time at = {0};
	size_t ignored;
	struct json_reader *reader = &parse->reader;
	bool is_object = json_read_object(reader);
	while (is_object && json_read_member(reader, key)) {
		if (strcmp(key, "from") == 0)
			read_text_member(reader, &from, &ignored, MESSAGE_NAME_MAX);
		else if (strcmp(key, "to") == 0)
			read_text_member(reader, &to, &ignored, MESSAGE_NAME_MAX);
		else if (strcmp(key, "at") == 0)
			(void)!json_read_int(reader, &at.ms);
		else
			json_skip(reader);
	}
	if (!reader->is_bad && from != NULL && to != NULL)
		renames_add(parse->renames, from, to, at);
	free(from);
	free(to);
}

static void read_list(struct parse *parse, void (*read_one)(struct parse *parse))
{
	bool is_array = json_read_array(&parse->reader);
	while (is_array && json_read_element(&parse->reader))
		read_one(parse);
}

static void read_document(struct parse *parse)
{
	char key[JSON_TEXT_KEY];
	int64_t epoch = 0;
	size_t ignored;
	struct json_reader *reader = &parse->reader;
	bool is_object = json_read_object(reader);
	while (is_object && json_read_member(reader, key)) {
		if (strcmp(key, "group") == 0)
			read_text_member(reader, &parse->group, &ignored, GROUP_MAX);
		else if (strcmp(key, "epoch") == 0)
			(void)!json_read_int(reader, &epoch);
		else if (strcmp(key, "sequence") == 0)
			(void)!json_read_int(reader, &parse->facts->sequence);
		else if (strcmp(key, "items") == 0)
			read_list(parse, read_item);
		else if (strcmp(key, "renames") == 0)
			read_list(parse, read_rename);
		else
			json_skip(reader);
	}
	parse->facts->epoch = (uint64_t)epoch;
}

static bool check_first_line(const char *text, size_t len, struct unix_time *fresh_at)
{
	char hex[HASH_LEN + 1], digits[TIME_LEN + 1];
	if (len < FIRST_LINE || memcmp(text, MAGIC, MAGIC_LEN) != 0 || text[FIRST_LINE - 1] != '\n')
		return false;
	hash_text(text + FIRST_LINE, len - FIRST_LINE, hex);
	memcpy(digits, text + TIME_AT, TIME_LEN);
	digits[TIME_LEN] = '\0';
	fresh_at->ms = strtoll(digits, NULL, 10);
	return memcmp(text + MAGIC_LEN, hex, HASH_LEN) == 0 &&
	       strspn(digits, "0123456789") == TIME_LEN;
}

/* NULL: not to be used; *reason says why. */
static char *read_file(int fd, size_t *len, const char **reason)
{
	struct stat status;
	if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode) || status.st_size > FILE_MAX) {
		*reason = "it is no regular file of a sensible size";
		return NULL;
	}
	if (status.st_uid != geteuid() || (status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
		*reason = "others could have written to it";
		return NULL;
	}
	char *text = xmalloc((size_t)status.st_size + 1);
	*len = 0;
	while (*len < (size_t)status.st_size) {
		ssize_t got = read(fd, text + *len, (size_t)status.st_size - *len);
		if (got <= 0 && !(got < 0 && errno == EINTR))
			break;
		*len += got > 0 ? (size_t)got : 0;
	}
	return text;
}

/* NULL when the text is a sound cache of `group`; else why not. */
static const char *parse_text(struct parse *parse, const char *group, const char *text, size_t len)
{
	if (!check_first_line(text, len, &parse->facts->fresh_at))
		return "its checksum does not match";
	parse->reader = (struct json_reader){.text = text + FIRST_LINE, .len = len - FIRST_LINE};
	read_document(parse);
	if (!json_read_end(&parse->reader))
		return parse->reader.error;
	if (parse->group == NULL || strcmp(parse->group, group) != 0)
		return "it is of another discovery group";
	return NULL;
}

enum cache_result cache_read(const char *path, const char *group, struct cache_facts *facts,
    struct directory_table **table, struct renames *renames, char **error)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 && errno == ENOENT)
		return CACHE_ABSENT;
	struct parse parse = {.facts = facts, .table = directory_table_new(), .renames = renames};
	const char *reason = fd < 0 ? strerror(errno) : NULL;
	size_t len = 0;
	char *text = fd >= 0 ? read_file(fd, &len, &reason) : NULL;
	if (text != NULL)
		reason = parse_text(&parse, group, text, len);
	if (fd >= 0)
		close(fd);
	if (reason != NULL) {
		*error = xasprintf("%s: %s", path, reason);
		directory_table_free(&parse.table);
		renames_free(renames);
	}
	*table = parse.table;
	free(parse.group);
	free(text);
	return reason == NULL ? CACHE_READ : CACHE_BAD;
}
