/* Heads on the wire. What may not be written aborts, which a child process shows. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/log.h"
#include "kubeproxyd/http/h1_rules.h"
#include "kubeproxyd/http/head.h"

static struct http_head request(const char *method, const char *target)
{
	struct http_head head = {.keep_alive = true};
	http_head_set_method(&head, method);
	http_head_set_target(&head, target, strlen(target));
	http_head_set_authority(&head, "api.example:443", strlen("api.example:443"));
	return head;
}

static void expect_request(struct http_head *head, const char *wanted)
{
	struct buf out = {0};
	http_head_write_request(head, &out);
	assert_string_equal(buf_text(&out), wanted);
	buf_free(&out);
	http_head_free(head);
}

static void expect_response(struct http_head head, const char *wanted)
{
	struct buf out = {0};
	http_head_write_response(&head, &out);
	assert_string_equal(buf_text(&out), wanted);
	buf_free(&out);
	http_head_free(&head);
}

static void writes_requests(void **state)
{
	(void)state;
	struct http_head head = request("GET", "/api?watch=1");
	fields_add_text(&head.fields, "Accept", "application/json");
	expect_request(&head, "GET /api?watch=1 HTTP/1.1\r\nHost: api.example:443\r\n"
			      "Accept: application/json\r\n\r\n");

	head = request("POST", "/x");
	head.body = HTTP_BODY_LENGTH;
	head.content_length = UINT64_MAX;
	expect_request(&head, "POST /x HTTP/1.1\r\nHost: api.example:443\r\n"
			      "Content-Length: 18446744073709551615\r\n\r\n");

	head = request("PATCH", "/x");
	head.body = HTTP_BODY_CHUNKED;
	head.keep_alive = false;
	expect_request(&head, "PATCH /x HTTP/1.1\r\nHost: api.example:443\r\n"
			      "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n");

	head = request("GET", "/exec");
	head.is_upgrade = true;
	fields_add_text(&head.fields, "Upgrade", "websocket");
	expect_request(&head, "GET /exec HTTP/1.1\r\nHost: api.example:443\r\n"
			      "Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
}

static void writes_responses(void **state)
{
	(void)state;
	expect_response(
	    (struct http_head){
		.status = 200, .keep_alive = true, .body = HTTP_BODY_LENGTH, .content_length = 2},
	    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n");
	expect_response((struct http_head){.status = 200, .keep_alive = true},
	    "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	expect_response((struct http_head){.status = 200, .keep_alive = true, .content_length = 7},
	    "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n");
	expect_response((struct http_head){.status = 204, .keep_alive = true},
	    "HTTP/1.1 204 No Content\r\n\r\n");
	expect_response((struct http_head){.status = 304, .keep_alive = true, .content_length = 7},
	    "HTTP/1.1 304 Not Modified\r\n\r\n");
	expect_response((struct http_head){.status = 100}, "HTTP/1.1 100 Continue\r\n\r\n");
	expect_response((struct http_head){.status = 200, .body = HTTP_BODY_TO_CLOSE},
	    "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
	expect_response(
	    (struct http_head){.status = 299, .keep_alive = true, .body = HTTP_BODY_CHUNKED},
	    "HTTP/1.1 299 \r\nTransfer-Encoding: chunked\r\n\r\n");
	struct http_head head = {.status = 101, .is_upgrade = true};
	fields_add_text(&head.fields, "Upgrade", "SPDY/3.1");
	expect_response(head, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: SPDY/3.1\r\n"
			      "Connection: Upgrade\r\n\r\n");
}

static void clearing_empties_all(void **state)
{
	(void)state;
	struct http_head head = request("GET", "/");
	fields_add_text(&head.fields, "a", "b");
	head.is_upgrade = head.expects_continue = true;
	http_head_clear(&head);
	assert_null(head.target);
	assert_null(head.authority);
	assert_int_equal(head.fields.count, 0);
	assert_false(head.is_upgrade || head.expects_continue || head.keep_alive);
	http_head_set_method(&head, "A-METHOD-WITH-A-NAME-OF-MORE-THAN-ITS-ROOM");
	assert_int_equal(strlen(head.method), sizeof head.method - 1);
	http_head_free(&head);
}

static void frames_chunks(void **state)
{
	(void)state;
	static const struct {
		size_t len;
		const char *wanted;
	} rows[] = {{1, "1\r\n"}, {15, "f\r\n"}, {16, "10\r\n"}, {0xabcdef, "abcdef\r\n"},
	    {SIZE_MAX, "ffffffffffffffff\r\n"}, {0, "0\r\n"}};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char prefix[HTTP_CHUNK_PREFIX_MAX];
		size_t len = http_chunk_prefix(rows[i].len, prefix);
		assert_int_equal(len, strlen(rows[i].wanted));
		assert_memory_equal(prefix, rows[i].wanted, len);
	}
}

static bool aborts(struct http_head *head)
{
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		setrlimit(RLIMIT_CORE, &(struct rlimit){0});
		signal(SIGABRT, SIG_DFL);
		struct buf out = {0};
		http_head_write_request(head, &out);
		_exit(0);
	}
	int status = 0;
	assert_int_equal(waitpid(child, &status, 0), child);
	http_head_free(head);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void never_writes_what_splits_a_message(void **state)
{
	(void)state;
	static const struct {
		const char *name, *value;
	} rows[] = {
	    {"Host", "x"},
	    {"content-length", "1"},
	    {"TRANSFER-ENCODING", "chunked"},
	    {"Connection", "close"},
	    {"Impersonate-User", "a\r\nX: y"},
	    {"Impersonate-User", "a\nb"},
	    {"Impersonate-User", "a\x7f"},
	    {"X\r\nY", "b"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct http_head head = request("GET", "/");
		fields_add_text(&head.fields, rows[i].name, rows[i].value);
		assert_true(aborts(&head));
	}
	struct http_head nul = request("GET", "/");
	fields_add(&nul.fields, "X", 1, "a\0b", 3);
	assert_true(aborts(&nul));
	struct http_head target = request("GET", "/a\r\nb");
	assert_true(aborts(&target));
	struct http_head legal = request("GET", "/a");
	fields_add_text(&legal.fields, "X", "tab\there \xff");
	assert_false(aborts(&legal));
}

/* Nothing changes but the room; and it grows again. */
static void trims(void **state)
{
	(void)state;
	struct http_head head = request("GET", "/api/v1/namespaces/default/pods?watch=true");
	fields_add_text(&head.fields, "Accept", "application/json");
	fields_add_text(&head.fields, "User-Agent", "kubectl");
	size_t cap = head.fields.block_cap;
	http_head_trim(&head);
	assert_true(head.fields.block_cap < cap);
	assert_int_equal(head.fields.cap, 2);
	assert_int_equal(head.target_text.cap, strlen(head.target) + 1);
	assert_string_equal(head.target, "/api/v1/namespaces/default/pods?watch=true");
	assert_string_equal(fields_get(&head.fields, "accept"), "application/json");
	assert_string_equal(fields_get(&head.fields, "User-Agent"), "kubectl");
	http_head_trim(&head);
	fields_add_text(&head.fields, "X-More", "of it");
	http_head_set_target(&head, "/a/longer/target/than/that/one/was/and/longer/still", 51);
	assert_string_equal(fields_get(&head.fields, "x-more"), "of it");
	assert_string_equal(fields_get(&head.fields, "Accept"), "application/json");
	assert_int_equal(strlen(head.target), 51);
	http_head_clear(&head);
	http_head_trim(&head);
	assert_null(head.target);
	http_head_free(&head);
}

static void knows_what_tokens_and_authorities_are_made_of(void **state)
{
	(void)state;
	for (unsigned c = 1; c < 256; c++) {
		char text[] = "a?1";
		bool is_alnum = ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || (c >= '0' && c <= '9');
		bool is_token = is_alnum || strchr("!#$%&'*+-.^_`|~", (int)c) != NULL;
		text[1] = (char)c;
		assert_int_equal(h1_is_token(text, 3), is_token);
		assert_int_equal(
		    h1_is_authority(text), is_token || strchr("()=;:[]", (int)c) != NULL);
	}
	assert_false(h1_is_token("a\0b", 3));
	assert_false(h1_is_token("a", 0));
	assert_true(h1_is_authority("[2001:db8::1]:443"));
	assert_false(h1_is_authority("user@host"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(writes_requests),
	    cmocka_unit_test(writes_responses),
	    cmocka_unit_test(clearing_empties_all),
	    cmocka_unit_test(trims),
	    cmocka_unit_test(frames_chunks),
	    cmocka_unit_test(knows_what_tokens_and_authorities_are_made_of),
	    cmocka_unit_test(never_writes_what_splits_a_message),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
