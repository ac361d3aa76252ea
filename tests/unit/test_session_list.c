/* Sessions as `sessions` prints them: live ones and recordings merged by id, chosen, sorted, and
 * the table that people read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/xmem.h"
#include "kubeproxyd/record/cast_file.h"
#include "kubeproxyd/session_list.h"

static char directory[] = "/tmp/test_session_list.XXXXXX";

static int set_up(void **state)
{
	(void)state;
	strcpy(directory + strlen(directory) - 6, "XXXXXX");
	return mkdtemp(directory) != NULL ? 0 : -1;
}

static void remove_file(void *arg, const char *id, const char *path, bool is_part)
{
	(void)arg;
	(void)id;
	(void)is_part;
	(void)remove(path);
}

static int tear_down(void **state)
{
	char *error = NULL;
	(void)state;
	if (!cast_directory_each(directory, remove_file, NULL, &error))
		return -1;
	return rmdir(directory);
}

/* With a header about `user` that began at `timestamp`, and `events`. */
static void record(const char *name, const char *user, int timestamp, const char *events)
{
	char *path = xasprintf("%s/%s", directory, name);
	FILE *file = fopen(path, "we");
	assert_non_null(file);
	fprintf(file,
	    "{\"version\":2,\"width\":80,\"height\":24,\"timestamp\":%d,\"command\":\"sh\","
	    "\"eksgate\":{\"kind\":\"exec\",\"user\":\"%s\",\"cluster\":\"prod\","
	    "\"namespace\":\"web\",\"pod\":\"p\",\"container\":\"\",\"instance\":\"main\"}}\n%s",
	    timestamp, user, events);
	fclose(file);
	free(path);
}

static void add_live(struct session_list *list, const char *id, const char *since)
{
	char *text = xasprintf(
	    "{\"instance\":\"second\",\"sessions\":[{\"id\":\"%s\",\"kind\":\"port-forward\","
	    "\"user\":\"alice\",\"cluster\":\"prod\",\"namespace\":\"web\",\"pod\":\"p\","
	    "\"container\":null,\"command\":null,\"ports\":[\"80\",\"443\"],\"since\":\"%s\","
	    "\"bytes_in\":1500,\"bytes_out\":20}]}",
	    id, since);
	struct json_object *answer = json_tokener_parse(text);
	assert_true(session_list_add_live(list, answer));
	json_object_put(answer);
	free(text);
}

static const struct session_filter everything = {.has_live = true, .has_kept = true};

/* "id:state:ended ..." */
static void expect(struct session_list *list, const struct session_filter *filter, const char *text)
{
	struct json_object *rows = session_list_take(list, filter);
	struct buf out = {0};
	for (size_t i = 0; i < json_object_array_length(rows); i++) {
		struct json_object *row = json_object_array_get_idx(rows, i);
		const char *ended = json_object_get_string(json_object_object_get(row, "ended"));
		buf_printf(&out, "%s:%s:%s ",
		    json_object_get_string(json_object_object_get(row, "id")),
		    json_object_get_string(json_object_object_get(row, "state")),
		    ended != NULL ? ended : "-");
	}
	assert_string_equal(buf_text(&out), text);
	buf_free(&out);
	json_object_put(rows);
}

static void test_merge(void **state)
{
	(void)state;
	struct session_list *list = session_list_new();
	char *error = NULL;
	add_live(list, "a1", "2026-01-02T03:04:05.000Z");
	add_live(list, "a2", "2026-01-02T03:04:06.000Z"); /* ended since it was asked for */
	add_live(list, "a3", "2026-01-02T03:04:04.000Z"); /* recorded, its header not yet written */
	record("a2.cast", "alice", 1767323046, "[1,\"m\",\"exit 7\"]\n");
	record("b1.cast", "bob", 1700000000, "[2.5,\"m\",\"ended: lost laptop\"]\n");
	record("b2.cast.part", "bob", 1700000001, "[2.5,\"o\",\"x\"]\n");
	char *path = xasprintf("%s/a3.cast.part", directory);
	fclose(fopen(path, "we"));
	free(path);
	record("c1.cast", "carol", 1600000000, "no event\n");
	assert_true(session_list_add_kept(list, directory, &error));
	expect(list, &everything,
	    "a2:kept:exit 7 a1:live:- a3:live:- b2:unfinished:- b1:kept:lost laptop "
	    "c1:unreadable:- ");
	expect(list, &(struct session_filter){.has_live = true}, "a1:live:- a3:live:- ");
	expect(list, &(struct session_filter){.has_kept = true, .user = "bob"},
	    "b2:unfinished:- b1:kept:lost laptop c1:unreadable:- ");
	expect(list, &(struct session_filter){.has_live = true, .cluster = "other"}, "");
	expect(list, &(struct session_filter){.has_kept = true, .instance = "second"},
	    "a2:kept:exit 7 c1:unreadable:- ");
	expect(list,
	    &(struct session_filter){.has_live = true, .has_kept = true, .since = {1767323046000}},
	    "a2:kept:exit 7 c1:unreadable:- ");
	session_list_free(&list);
}

static void test_answers_that_are_none(void **state)
{
	(void)state;
	static const char *const answers[] = {"{}", "[]", "{\"sessions\":{}}",
	    "{\"sessions\":[{}]}", "{\"sessions\":[1]}", "{\"sessions\":[{\"id\":\"a\"}]}",
	    "{\"sessions\":[{\"id\":\"a\",\"since\":\"soon\"}]}"};
	for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
		struct session_list *list = session_list_new();
		struct json_object *answer = json_tokener_parse(answers[i]);
		assert_false(session_list_add_live(list, answer));
		json_object_put(answer);
		session_list_free(&list);
	}
}

static void test_table(void **state)
{
	(void)state;
	struct session_list *list = session_list_new();
	char *error = NULL;
	record("0123456789aa.cast", "bob", 1700000000, "[4000.5,\"m\",\"exit 0\"]\n");
	record("0123456789ab.cast", "bob", 1700000001, "[75,\"m\",\"exit 1\"]\n");
	assert_true(session_list_add_kept(list, directory, &error));
	struct json_object *rows = session_list_take(list, &everything);
	struct buf out = {0};
	session_list_table(rows, &out);
	/* As many characters of the ids as it takes. */
	assert_string_equal(buf_text(&out),
	    "ID            STATE  KIND  USER  CLUSTER  POD    COMMAND  SINCE                TOOK   "
	    "IN  OUT  FILE  ENDED\n"
	    "0123456789ab  kept   exec  bob   prod     web/p  sh       2023-11-14 22:13:21  1m15s  "
	    "-   -    210   exit 1\n"
	    "0123456789aa  kept   exec  bob   prod     web/p  sh       2023-11-14 22:13:20  1h06m  "
	    "-   -    214   exit 0\n");
	buf_free(&out);
	json_object_put(rows);
	session_list_free(&list);

	list = session_list_new();
	add_live(list, "ffff", "2026-01-02T03:04:05.000Z");
	rows = session_list_take(list, &everything);
	session_list_table(rows, &out);
	assert_non_null(
	    strstr(buf_text(&out), "ffff  live   port-forward  alice  prod     web/p  80, 443  "));
	assert_non_null(strstr(buf_text(&out), "  1.5K  20   -     -\n"));
	buf_free(&out);
	json_object_put(rows);
	session_list_free(&list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_merge, set_up, tear_down),
	    cmocka_unit_test(test_answers_that_are_none),
	    cmocka_unit_test_setup_teardown(test_table, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
