/* Audit files of several instances as one log. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/buf.h"
#include "common/xmem.h"
#include "kubeproxyd/record/audit_merge.h"

#define BY(second, id, user, uri, more)                                                            \
	"{\"auditID\":\"" id "\",\"stageTimestamp\":\"2026-01-02T03:04:" second                    \
	".000000Z\",\"user\":{\"username\":\"" user "\"},\"requestURI\":\"" uri "\"" more "}\n"
#define AT(second, id, more) BY(second, id, "v", "/x", more)
#define DENIED(upgrade, session)                                                                   \
	",\"annotations\":{\"authorization.k8s.io/decision\":\"forbid\",\"eksgate.io/upgrade\":"   \
	"\"" upgrade "\",\"eksgate.io/kubectl-session\":\"" session "\"}"

#define IN(cluster, upgrade, session)                                                              \
	",\"annotations\":{\"authorization.k8s.io/decision\":\"forbid\",\"eksgate.io/upgrade\":"   \
	"\"" upgrade "\",\"eksgate.io/kubectl-session\":\"" session                                \
	"\",\"eksgate.io/cluster\":\"" cluster "\"}"

/* Writes the texts to files of their own, merges them, and returns "id id+ …": '+' stands for two
 * attempts. */
static const char *merge(const char *const *texts, size_t count, size_t *bad)
{
	static char line[512];
	struct audit_merge *merge = audit_merge_new();
	char *error = NULL, *paths[4];
	for (size_t i = 0; i < count; i++) {
		paths[i] = xstrdup("/tmp/eksgate-merge-XXXXXX");
		int fd = mkstemp(paths[i]);
		assert_true(fd >= 0);
		assert_int_equal(write(fd, texts[i], strlen(texts[i])), strlen(texts[i]));
		close(fd);
		assert_true(audit_merge_add(merge, paths[i], &error));
	}
	struct json_object *event;
	line[0] = '\0';
	while ((event = audit_merge_next(merge)) != NULL) {
		size_t len = strlen(line);
		snprintf(line + len, sizeof line - len, "%s%s%s", len > 0 ? " " : "",
		    audit_text(event, "auditID"),
		    audit_annotation(event, "eksgate.io/attempts") != NULL ? "+" : "");
		json_object_put(event);
	}
	const char *first;
	*bad = audit_merge_bad_lines(merge, &first);
	audit_merge_free(&merge);
	for (size_t i = 0; i < count; i++) {
		unlink(paths[i]);
		free(paths[i]);
	}
	return line;
}

static void test_order(void **state)
{
	(void)state;
	static const char *const texts[] = {
	    AT("01", "a", "") AT("04", "d", "") AT("59", "f", ""),
	    AT("02", "b", "") "torn {\"\n" AT("03", "c", "") AT("05", "e", ""),
	    "",
	};
	size_t bad;
	assert_string_equal(merge(texts, 3, &bad), "a b c d e f");
	assert_int_equal(bad, 1);
}

static void test_pairs(void **state)
{
	(void)state;
	static const struct {
		const char *texts[2];
		const char *merged;
	} rows[] = {
	    {{AT("01", "ws", DENIED("websocket", "s")) AT("02", "b", ""),
		 AT("03", "spdy", DENIED("SPDY/3.1", "s"))},
		"ws+ b"},
	    /* Another run of kubectl. */
	    {{AT("01", "ws", DENIED("websocket", "s")), AT("03", "spdy", DENIED("SPDY/3.1", "t"))},
		"ws spdy"},
	    /* Another user; another target; of two clusters. */
	    {{AT("01", "ws", DENIED("websocket", "s")),
		 BY("03", "spdy", "w", "/x", DENIED("SPDY/3.1", "s"))},
		"ws spdy"},
	    {{AT("01", "ws", DENIED("websocket", "s")),
		 BY("03", "spdy", "v", "/y", DENIED("SPDY/3.1", "s"))},
		"ws spdy"},
	    {{AT("01", "ws", IN("c1", "websocket", "s")),
		 AT("03", "spdy", IN("c2", "SPDY/3.1", "s"))},
		"ws spdy"},
	    {{AT("01", "ws", IN("c1", "websocket", "s")),
		 AT("03", "spdy", IN("c1", "SPDY/3.1", "s"))},
		"ws+"},
	    /* Allowed. */
	    {{AT("01", "ws", DENIED("websocket", "s")),
		 AT("03", "spdy", ",\"annotations\":{\"eksgate.io/upgrade\":\"SPDY/3.1\"}")},
		"ws spdy"},
	    /* Too late. */
	    {{AT("01", "ws", DENIED("websocket", "s")), AT("30", "spdy", DENIED("SPDY/3.1", "s"))},
		"ws spdy"},
	    /* By itself; the wrong way round. */
	    {{AT("01", "spdy", DENIED("SPDY/3.1", "s")), AT("03", "ws", DENIED("websocket", "s"))},
		"spdy ws"},
	    /* Two runs, two pairs. */
	    {{AT("01", "w1", DENIED("websocket", "s")) AT("02", "w2", DENIED("websocket", "s")),
		 AT("03", "s1", DENIED("SPDY/3.1", "s")) AT("04", "s2", DENIED("SPDY/3.1", "s"))},
		"w1+ w2+"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		size_t bad;
		assert_string_equal(merge(rows[i].texts, 2, &bad), rows[i].merged);
	}
}

static void test_no_file(void **state)
{
	(void)state;
	struct audit_merge *merge = audit_merge_new();
	char *error = NULL;
	assert_false(audit_merge_add(merge, "/nonexistent", &error));
	assert_string_equal(error, "/nonexistent: No such file or directory");
	free(error);
	audit_merge_free(&merge);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_order),
	    cmocka_unit_test(test_pairs),
	    cmocka_unit_test(test_no_file),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
