/* Locks: their file both ways, what is refused of it, and whom they keep out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/xmem.h"
#include "kubeproxyd/gate/identity.h"
#include "kubeproxyd/gate/locks.h"

#define T(text) ((char *)(uintptr_t)(text))
#define NOW	((struct unix_time){INT64_C(1767323045000)})

static void test_serials(void **state)
{
	(void)state;
	static const char *const rows[][2] = {{"0A:1b", "A1B"}, {"0x00ff", "FF"}, {"10", "10"},
	    {"", NULL}, {"00", NULL}, {"g", NULL}, {"1 2", NULL}};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char *serial = lock_serial(rows[i][0]);
		if (rows[i][1] == NULL)
			assert_null(serial);
		else
			assert_string_equal(serial, rows[i][1]);
		free(serial);
	}
}

static void expect_refused(const char *text, const char *part)
{
	char *error = NULL;
	struct locks *locks = locks_parse(text, strlen(text), &error);
	if (locks != NULL)
		fail_msg("taken: %s", text);
	if (strstr(error, part) == NULL)
		fail_msg("\"%s\" says nothing of \"%s\"", error, part);
	free(error);
}

#define FILE_OF(locks) "{\"version\":1,\"locks\":[" locks "]}"

static void test_refuses_what_it_does_not_understand(void **state)
{
	(void)state;
	expect_refused("", "ends too early");
	expect_refused("{}", "version is missing");
	expect_refused("{\"version\":2,\"locks\":[]}", "version of the file is not 1");
	expect_refused("{\"version\":1}", "locks is missing");
	expect_refused(FILE_OF("1"), "a lock is no object");
	expect_refused(FILE_OF("{}"), "kind is missing");
	expect_refused(FILE_OF("{\"kind\":\"user\"}"), "name is missing");
	expect_refused(FILE_OF("{\"kind\":\"pod\",\"name\":\"a\"}"), "is not what can be locked");
	expect_refused(FILE_OF("{\"kind\":\"user\",\"name\":\"\"}"), "is empty");
	expect_refused(FILE_OF("{\"kind\":\"certificate\",\"name\":\"x\"}"), "no serial number");
	expect_refused(
	    FILE_OF("{\"kind\":\"user\",\"name\":\"a\",\"expires\":\"soon\"}"), "is no time");
	expect_refused(
	    FILE_OF("{\"kind\":\"user\",\"name\":\"a\"},{\"kind\":\"user\"}"), "missing");
}

static void test_both_ways(void **state)
{
	(void)state;
	char *error = NULL;
	struct locks *locks = locks_new();
	struct lock lock = {
	    .kind = LOCK_USER, .name = T("a\"b"), .message = T("m"), .created = NOW};
	locks_add(locks, &lock);
	locks_add(locks,
	    &(struct lock){
		.kind = LOCK_ROLE, .name = T("r"), .expires = unix_add(NOW, duration_seconds(60))});
	locks_add(locks, &(struct lock){.kind = LOCK_GROUP, .name = T("old"), .expires = NOW});
	locks_add(locks, &lock);
	assert_int_equal(locks_count(locks), 3);
	char *text = locks_text(locks, NOW);
	struct locks *again = locks_parse(text, strlen(text), &error);
	assert_non_null(again);
	assert_int_equal(locks_count(again), 2);
	const struct lock *found = locks_find(again, LOCK_USER, "a\"b", NOW);
	assert_string_equal(found->message, "m");
	assert_int_equal(found->created.ms, NOW.ms);
	assert_non_null(locks_find(again, LOCK_ROLE, "r", NOW));
	assert_null(locks_find(again, LOCK_ROLE, "r", unix_add(NOW, duration_seconds(61))));
	assert_true(locks_remove(again, LOCK_USER, "a\"b"));
	assert_false(locks_remove(again, LOCK_USER, "a\"b"));
	free(text);
	locks_free(&again);
	locks_free(&locks);
}

static void test_whom_they_keep_out(void **state)
{
	(void)state;
	char *groups[] = {T("g1"), T("g2")};
	struct identity alice = {.user = T("alice"),
	    .groups = groups,
	    .group_count = 2,
	    .certificate_serial = T("0A1B")};
	const char *const roles[] = {"r1", "r2", NULL};
	static const struct {
		enum lock_kind kind;
		const char *name;
		bool keeps_out;
	} rows[] = {{LOCK_USER, "alice", true}, {LOCK_USER, "Alice", false},
	    {LOCK_USER, "g1", false}, {LOCK_GROUP, "g2", true}, {LOCK_GROUP, "g", false},
	    {LOCK_ROLE, "r2", true}, {LOCK_ROLE, "alice", false}, {LOCK_CERTIFICATE, "A1B", true},
	    {LOCK_CERTIFICATE, "A1", false}};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct locks *locks = locks_new();
		locks_add(locks, &(struct lock){.kind = rows[i].kind, .name = T(rows[i].name)});
		const struct lock *lock = locks_on(locks, &alice, roles, NOW);
		if ((lock != NULL) != rows[i].keeps_out)
			fail_msg("row %zu", i);
		locks_free(&locks);
	}
	char *sentence = lock_sentence(
	    &(struct lock){.kind = LOCK_USER, .name = T("alice"), .message = T("why")});
	assert_non_null(strstr(sentence, "locked for the user \"alice\": why; ask"));
	free(sentence);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_serials),
	    cmocka_unit_test(test_refuses_what_it_does_not_understand),
	    cmocka_unit_test(test_both_ways),
	    cmocka_unit_test(test_whom_they_keep_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
