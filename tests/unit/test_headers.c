/* Heads in both directions: each row of what may pass, what is dropped, what is refused (reference
 * kube.md 2.2, 2.4), and answers that must not bind the client's browser or send it elsewhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/buf.h"
#include "common/xmem.h"
#include "kubeproxyd/gate/headers.h"
#include "tests/unit/field_lines.h"

#define TOKEN "k8s-aws-v1.abc"
#define OURS                                                                                       \
	"Authorization: Bearer " TOKEN                                                             \
	"\nImpersonate-User: alice\nImpersonate-Group: dev\nImpersonate-Group: "                   \
	"o,p s\nAudit-ID: id-1\nX-Forwarded-For: 203.0.113.7\n"

static const char *const groups[] = {"dev", "o,p s"};

static char *lines_of(const struct http_fields *fields)
{
	struct buf out = {0};
	for (size_t i = 0; i < fields->count; i++)
		buf_printf(&out, "%s: %s\n", fields_name(fields, i), fields_value(fields, i));
	return buf_take(&out);
}

static struct headers_input input_for(const struct http_head *client)
{
	return (struct headers_input){
	    .client = client,
	    .target = "/api/v1/pods",
	    .authority = "abc.eks.amazonaws.com",
	    .token = TOKEN,
	    .user = "alice",
	    .groups = groups,
	    .group_count = 2,
	    .audit_id = "id-1",
	    .client_address = "203.0.113.7",
	};
}

static void set_up_client(struct http_head *client, const char *lines)
{
	*client = (struct http_head){.body = HTTP_BODY_LENGTH, .content_length = 3};
	http_head_set_method(client, "PATCH");
	add_lines(&client->fields, lines);
}

struct pass {
	const char *sent, *passed;
};

static const struct pass passes[] = {
    {"Accept: application/json\nUser-Agent: kubectl/v1.34\n",
	"Accept: application/json\nUser-Agent: kubectl/v1.34\n"},
    {"Content-Type: application/merge-patch+json\nAccept-Encoding: gzip\nKubectl-Session: x\n",
	"Content-Type: application/merge-patch+json\nAccept-Encoding: gzip\nKubectl-Session: x\n"},
    {"Authorization: Bearer evil\nauthorization: Basic x\n", ""},
    {"Proxy-Authorization: Basic x\nCookie: a=b\ncookie2: c\n", ""},
    {"Impersonate-User: root\nIMPERSONATE-GROUP: system:masters\nImpersonate-Uid: 0\n", ""},
    {"Impersonate-Extra-Scopes: x\nimpersonate-extra-a%2fb: y\nImpersonate: z\nImpersonateUser: "
     "q\n",
	""},
    {"X-Remote-User: root\nx-remote-group: system:masters\nX-Remote-Extra-A: b\nX-Remote-Uid: 0\n",
	""},
    {"X-Forwarded-For: 1.2.3.4\nX-Forwarded-Proto: http\nX-Forwarded-Uri: /x\nForwarded: for=1\n",
	""},
    {"X-Real-Ip: 1.2.3.4\nX-Client-Cert: x\nX-Client-Ip: 1\nX-Amz-Security-Token: "
     "t\nX-Amzn-Trace-Id: r\n",
	""},
    {"Audit-Id: forged\nAudit-ID: twice\nFront-Proxy-User: x\n", ""},
    {"Impersonate_User: root\nX_Remote_User: r\nTransfer_Encoding: chunked\n", ""},
    {"Connection: Impersonate-User\n", ""},
    {"Connection: close , Impersonate-User,Authorization\nConnection: impersonate-group\n", ""},
    {"Connection: keep-alive, X-Custom\nX-Custom: 1\nKeep-Alive: 5\n", ""},
    {"Connection: Audit-ID, X-Forwarded-For, Host\n", ""},
    {"Proxy-Connection: close\nTE: trailers\nTrailer: X\nHTTP2-Settings: x\nExpect: 100-continue\n",
	""},
    {"Upgrade: websocket\nSec-WebSocket-Key: k\n", "Sec-WebSocket-Key: k\n"},
    {"My_Header: 1\n", "My_Header: 1\n"},
    {"Audit-Id: forged\nA: 1\nB: 2\nCookie: c\nHost: h\nC: 3\nTE: trailers\n",
	"A: 1\nB: 2\nC: 3\n"},
    {"A: 1\nSec-WebSocket-Protocol: p, base64url.bearer.authorization.k8s.io.abc, q\nB: 2\n",
	"A: 1\nSec-WebSocket-Protocol: p, q\nB: 2\n"},
};

static void test_passes_only_what_is_harmless(void **state)
{
	(void)state;
	struct http_head upstream = {0};
	for (size_t i = 0; i < sizeof passes / sizeof passes[0]; i++) {
		struct http_head client;
		set_up_client(&client, passes[i].sent);
		struct headers_input input = input_for(&client);
		assert_true(headers_build_request(&input, &upstream));
		char *seen = lines_of(&upstream.fields);
		char *expected = xasprintf("%s" OURS, passes[i].passed);
		assert_string_equal(seen, expected);
		free(seen);
		free(expected);
		assert_string_equal(upstream.method, "PATCH");
		assert_string_equal(upstream.target, "/api/v1/pods");
		assert_string_equal(upstream.authority, "abc.eks.amazonaws.com");
		assert_int_equal(upstream.content_length, 3);
		assert_true(upstream.keep_alive);
		assert_false(upstream.is_upgrade);
		http_head_free(&client);
	}
	http_head_free(&upstream);
}

static void test_serialises_without_the_clients_tokens(void **state)
{
	(void)state;
	struct http_head client, upstream = {0};
	struct buf out = {0};
	set_up_client(&client, "Connection: close, Impersonate-User\n");
	struct headers_input input = input_for(&client);
	assert_true(headers_build_request(&input, &upstream));
	http_head_write_request(&upstream, &out);
	assert_null(strcasestr(buf_text(&out), "Connection:"));
	assert_non_null(strstr(buf_text(&out), "\r\nImpersonate-User: alice\r\n"));
	buf_free(&out);
	http_head_free(&upstream);
	http_head_free(&client);
}

static void test_cookies_only_for_proxied_applications(void **state)
{
	(void)state;
	struct http_head client, upstream = {0};
	set_up_client(&client, "Cookie: session=1\n");
	struct headers_input input = input_for(&client);
	input.is_proxy_subresource = true;
	assert_true(headers_build_request(&input, &upstream));
	assert_string_equal(fields_get(&upstream.fields, "Cookie"), "session=1");
	http_head_free(&upstream);
	http_head_free(&client);
}

static void expect_upgrade_in(
    bool is_proxy_subresource, const char *lines, bool is_upgrade, const char *passed)
{
	struct http_head client, upstream = {0};
	set_up_client(&client, lines);
	client.is_upgrade = true;
	struct headers_input input = input_for(&client);
	input.is_proxy_subresource = is_proxy_subresource;
	assert_true(headers_build_request(&input, &upstream));
	assert_int_equal(upstream.is_upgrade, is_upgrade);
	char *seen = lines_of(&upstream.fields);
	char *expected = xasprintf("%s" OURS, passed);
	assert_string_equal(seen, expected);
	free(seen);
	free(expected);
	http_head_free(&upstream);
	http_head_free(&client);
}

static void expect_upgrade(const char *lines, bool is_upgrade, const char *passed)
{
	expect_upgrade_in(false, lines, is_upgrade, passed);
}

static void test_upgrades(void **state)
{
	(void)state;
	expect_upgrade(
	    "Connection: Upgrade\nUpgrade: WebSocket\nSec-WebSocket-Key: k\nSec-WebSocket-Version: "
	    "13\nSec-WebSocket-Protocol: v5.channel.k8s.io\n",
	    true,
	    "Sec-WebSocket-Key: k\nSec-WebSocket-Version: 13\nSec-WebSocket-Protocol: "
	    "v5.channel.k8s.io\n"
	    "Upgrade: websocket\n");
	expect_upgrade("Connection: Upgrade, Impersonate-User\nUpgrade: websocket\n", true,
	    "Upgrade: websocket\n");
	expect_upgrade(
	    "Connection: Upgrade, HTTP2-Settings\nUpgrade: h2c\nHTTP2-Settings: x\n", false, "");
	expect_upgrade("Connection: Upgrade\nUpgrade: spdy/3.1\nX-Stream-Protocol-Version: "
		       "v5.channel.k8s.io\nX-Stream-Protocol-Version: v4.channel.k8s.io\n",
	    true,
	    "X-Stream-Protocol-Version: v5.channel.k8s.io\nX-Stream-Protocol-Version: "
	    "v4.channel.k8s.io\nUpgrade: SPDY/3.1\n");
	expect_upgrade("Connection: Upgrade\nUpgrade: foo/2\n", false, "");
	expect_upgrade_in(true, "Connection: Upgrade\nUpgrade: foo/2\n", true, "Upgrade: foo/2\n");
}

static void test_closing_assertion(void **state)
{
	(void)state;
	static const char *const bad[] = {
	    "", "a\r\nImpersonate-Group: system:masters", "a\nb", "a\tb", " a", "a ", "a\x7f"};
	struct http_head client, upstream = {0};
	set_up_client(&client, "");
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct headers_input input = input_for(&client);
		input.user = bad[i];
		assert_false(headers_build_request(&input, &upstream));
		input = input_for(&client);
		const char *const bad_groups[] = {"dev", bad[i]};
		input.groups = bad_groups;
		assert_false(headers_build_request(&input, &upstream));
		input = input_for(&client);
		input.token = bad[i];
		assert_false(headers_build_request(&input, &upstream));
		input = input_for(&client);
		input.target = bad[i];
		assert_false(headers_build_request(&input, &upstream));
		input = input_for(&client);
		input.authority = bad[i];
		assert_false(headers_build_request(&input, &upstream));
	}
	struct headers_input input = input_for(&client);
	input.token = NULL;
	assert_false(headers_build_request(&input, &upstream));
	http_head_free(&upstream);
	http_head_free(&client);
}

/* Traits that were told wrongly let nothing pass. */
static void test_traits_are_not_believed(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		bool is_sent;
	} rows[] = {{"authorization", false}, {"AUTHORIZATION", false}, {"Impersonate-User", false},
	    {"impersonate-group", false}, {"impersonate-Extra-x", false}, {"x-remote-user", false},
	    {"X-REMOTE-EXTRA-a", false}, {"Audit-ID", false}, {"audit-id", false},
	    {"X-Forwarded-For", false}, {"X-FORWARDED-FOR", false}, {"X-Forwarded-Fox", true},
	    {"accept", true}, {"authorizations", true}, {"if-match", true}, {"x-remotely", true}};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct http_head client, upstream = {0};
		set_up_client(&client, "Accept: application/json\n");
		fields_add_with(&client.fields, 0, rows[i].name, strlen(rows[i].name), "root", 4);
		struct headers_input input = input_for(&client);
		if (headers_build_request(&input, &upstream) != rows[i].is_sent)
			fail_msg("%s", rows[i].name);
		http_head_free(&upstream);
		http_head_free(&client);
	}
}

/* --- what is refused ------------------------------------------------------------------------- */

struct refusal {
	const char *name, *value;
	unsigned status; /* 0: passes */
};

static const struct refusal refusals[] = {
    {"Impersonate-User", "bob", 0},
    {"Impersonate_User", "bob", 400},
    {"IMPERSONATE_GROUP", "bob", 400},
    {"X_Remote_User", "bob", 400},
    {"X-Remote_User", "bob", 400},
    {"X_Forwarded_For", "1", 400},
    {"Audit_Id", "1", 400},
    {"Proxy_Authorization", "1", 400},
    {"X_Real_Ip", "1", 400},
    {"x_amz_date", "1", 400},
    {"Front_Proxy_User", "1", 400},
    {"Transfer_Encoding", "chunked", 400},
    {"Content_Length", "3", 400},
    {"Sec_WebSocket_Protocol", "x", 400},
    {"My_Header", "1", 0},
    {"X-Remote-User", "bob", 0},
    {"Accept", "*/*", 0},
    {"Sec-Fetch-Site", "cross-site", 403},
    {"Sec-Fetch-Site", "same-site", 403},
    {"Sec-Fetch-Site", "Same-Site", 403},
    {"Sec-Fetch-Site", "same-origin, same-site", 403},
    {"Sec-Fetch-Site", "", 403},
    {"Sec-Fetch-Site", "same-origin", 0},
    {"Sec-Fetch-Site", "none", 0},
    {"Origin", "https://evil.example", 403},
    {"Origin", "null", 403},
    {"Origin", "https://proxy.example.com:3026.evil", 403},
    {"Origin", "https://proxy.example.com", 403},
    {"Origin", "https://Proxy.example.com:3026", 0},
};

static void test_refuses_by_name(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
		const struct refusal *row = &refusals[i];
		struct http_fields fields = {0};
		unsigned status = 0;
		char *message = NULL;
		fields_add_text(&fields, "Accept", "*/*");
		fields_add_text(&fields, row->name, row->value);
		bool is_refused =
		    headers_refuse(&fields, "proxy.example.com:3026", &status, &message);
		if (is_refused != (row->status != 0))
			fail_msg("%s: %s", row->name, row->value);
		assert_int_equal(status, row->status);
		if (is_refused)
			assert_non_null(strstr(message, row->name));
		free(message);
		fields_free(&fields);
	}
}

/* What the proxy judged by may not end here; what means nothing to it may. */
static void test_refuses_what_connection_would_take_away(void **state)
{
	(void)state;
	static const struct {
		const char *lines, *refused; /* NULL: passes */
	} rows[] = {
	    {"Content-Type: application/json\nConnection: Content-Type\n", "Content-Type"},
	    {"Connection: keep-alive\nConnection: close ,\tCONTENT-TYPE\nContent-Type: a/b\n",
		"Content-Type"},
	    {"Connection: content-encoding\nContent-Encoding: gzip\n", "Content-Encoding"},
	    {"Connection: accept\nAccept: */*\n", "Accept"},
	    {"Connection: Accept-Encoding\nAccept-Encoding: gzip\n", "Accept-Encoding"},
	    {"Connection: authorization\nAuthorization: Bearer x\n", "Authorization"},
	    {"Connection: Impersonate-User\nImpersonate-User: bob\n", "Impersonate-User"},
	    {"Connection: Impersonate-Extra-a\nImpersonate-Extra-A: b\n", "Impersonate-Extra-A"},
	    {"Connection: Upgrade, Sec-WebSocket-Protocol\nUpgrade: websocket\n"
	     "Sec-WebSocket-Protocol: v5.channel.k8s.io\n",
		"Sec-WebSocket-Protocol"},
	    {"Connection: Upgrade, X-Stream-Protocol-Version\nUpgrade: SPDY/3.1\n"
	     "X-Stream-Protocol-Version: v4.channel.k8s.io\n",
		"X-Stream-Protocol-Version"},
	    {"Connection: Kubectl-Command\nKubectl-Command: kubectl exec\n", "Kubectl-Command"},
	    {"Connection: User-Agent\nUser-Agent: kubectl\n", "User-Agent"},
	    {"Connection: Origin\nOrigin: https://proxy.example.com:3026\n", "Origin"},
	    {"Connection: keep-alive, close, X-Custom\nX-Custom: 1\nKeep-Alive: 5\n"
	     "Content-Type: a/b\n",
		NULL},
	    {"Connection: Keep-Alive, TE, Trailer, Transfer-Encoding, Proxy-Connection\n"
	     "Keep-Alive: 5\nTE: trailers\nProxy-Connection: close\nTrailer: X\n",
		NULL},
	    {"Connection: Upgrade, HTTP2-Settings\nUpgrade: h2c\nHTTP2-Settings: x\n", NULL},
	    {"Connection: Impersonate-User, Content-Type\nAccept: */*\n", NULL},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct http_fields fields = {0};
		unsigned status = 0;
		char *message = NULL;
		add_lines(&fields, rows[i].lines);
		bool is_refused =
		    headers_refuse(&fields, "proxy.example.com:3026", &status, &message);
		if (is_refused != (rows[i].refused != NULL))
			fail_msg("%s", rows[i].lines);
		assert_int_equal(status, is_refused ? 400 : 0);
		if (is_refused)
			assert_non_null(strcasestr(message, rows[i].refused));
		free(message);
		fields_free(&fields);
	}
}

/* Each field is looked for among the names. */
static void test_connection_names_only_so_many(void **state)
{
	(void)state;
	char names[1024 + 1];
	memset(names, ',', sizeof names);
	for (size_t len = sizeof names - 1; len <= sizeof names; len++) {
		struct http_fields fields = {0};
		unsigned status = 0;
		char *message = NULL;
		bool is_longer = len == sizeof names;
		fields_add(&fields, "Connection", strlen("Connection"), names, 1000);
		fields_add(&fields, "connection", strlen("connection"), names, len - 1000);
		assert_int_equal(headers_refuse(&fields, NULL, &status, &message), is_longer);
		assert_int_equal(status, is_longer ? 400 : 0);
		assert_int_equal(message != NULL, is_longer);
		free(message);
		fields_free(&fields);
	}
}

static void test_origin_knows_the_default_port(void **state)
{
	(void)state;
	struct http_fields fields = {0};
	unsigned status;
	char *message = NULL;
	fields_add_text(&fields, "Origin", "https://proxy.example.com");
	assert_false(headers_refuse(&fields, "proxy.example.com:443", &status, &message));
	assert_false(headers_refuse(&fields, "proxy.example.com", &status, &message));
	assert_false(headers_refuse(&fields, NULL, &status, &message));
	fields_free(&fields);
}

/* --- answers --------------------------------------------------------------------------------- */

struct answer {
	unsigned status;
	const char *sent;
	const char *passed; /* NULL: refused */
	bool is_proxied;
};

#define PROXY_PATH "/api/v1/namespaces/a/services/web/proxy"
#define SANDBOX	   "Content-Security-Policy: sandbox\nX-Content-Type-Options: nosniff\n"

static const struct answer answers[] = {
    {200, "Content-Type: application/json\nCache-Control: no-cache\nAudit-Id: 1\n",
	"Content-Type: application/json\nCache-Control: no-cache\nAudit-Id: 1\n", false},
    {200,
	"Connection: keep-alive, X-Hop\nX-Hop: 1\nKeep-Alive: 5\nUpgrade: h2c\nTrailer: X\nTE: x\n",
	"Trailer: X\n", false},
    {401, "WWW-Authenticate: Basic\nProxy-Authenticate: Basic\nAlt-Svc: h3\n", "", false},
    {200,
	"Set-Cookie: a=b\nSet-Cookie2: x\nClear-Site-Data: *\nStrict-Transport-Security: "
	"max-age=1\n",
	"", false},
    {200,
	"Access-Control-Allow-Origin: *\nService-Worker-Allowed: /\nRefresh: 0;url=//x\nNEL: {}\n",
	"", false},
    {201, "A: 1\nB: 2\nAlt-Svc: h3\nC: 3\nLocation: /x\nD: 4\nConnection: E\nE: 5\nF: 6\nNEL: {}\n",
	"A: 1\nB: 2\nC: 3\nLocation: /clusters/c1/x\nD: 4\nF: 6\n", false},
    {301, "Location: /api/v1\n", "Location: /clusters/c1/api/v1\n", false},
    {201, "Location: /apis/x\n", "Location: /clusters/c1/apis/x\n", false},
    {302, "Location: https://abc.eks.amazonaws.com/x?y\n", "Location: /clusters/c1/x?y\n", false},
    {302, "Location: https://ABC.eks.amazonaws.com:443\n", "Location: /clusters/c1/\n", false},
    {302, "Location: //abc.eks.amazonaws.com/x\n", "Location: /clusters/c1/x\n", false},
    {302, "Location: https://abc.eks.amazonaws.com?q\n", "Location: /clusters/c1/?q\n", false},
    {302, "Location: ../x\n", "Location: ../x\n", false},
    {302, "Location: ?a:b\n", "Location: ?a:b\n", false},
    {302, "Location: https://evil.example/x\n", NULL, false},
    {302, "Location: //evil.example/x\n", NULL, false},
    {307, "Location: https://abc.eks.amazonaws.com@evil.example/\n", NULL, false},
    {307, "Location: https://abc.eks.amazonaws.com:444/\n", NULL, false},
    {308, "Location: javascript:alert(1)\n", NULL, false},
    {302, "Location: https:/evil\n", NULL, false},
    {302, "Location: /\\evil.example\n", NULL, false},
    {302, "Location: /\t/evil.example\n", NULL, false},
    {302, "Location: https://abc.eks.amazonaws.com//evil.example/\n", NULL, false},
    {302, "Location: ////evil.example/\n", NULL, false},
    {302, "Location: http:evil\n", NULL, true},
    {201, "Location: https://evil.example/x\n", "", false},
    {200, "Content-Type: text/html\nX-Content-Type-Options: x\n",
	"Content-Type: text/html\n" SANDBOX, false},
    {200, "Content-Type: application/json, text/html\n",
	"Content-Type: application/json, text/html\n" SANDBOX, false},
    {200, "Content-Type: text/plain\nContent-Type: text/html\n",
	"Content-Type: text/plain\nContent-Type: text/html\n" SANDBOX, false},
    {200, "Content-Type: text/html\nContent-Type: text/plain\n",
	"Content-Type: text/html\nContent-Type: text/plain\n" SANDBOX, false},
    {200, "Content-Type: application/json\nConnection: content-type\n", SANDBOX, false},
    {200, "Content-Type: image/svg+xml\n", "Content-Type: image/svg+xml\n" SANDBOX, false},
    {200, "Content-Type: application/vnd.kubernetes.protobuf;stream=watch\n",
	"Content-Type: application/vnd.kubernetes.protobuf;stream=watch\n", false},
    {200, "X-Content-Type-Options: x\nContent-Security-Policy: default-src *\n",
	"Content-Security-Policy: default-src *\n" SANDBOX, true},
    {200, "Set-Cookie: a=b; HttpOnly; Path=/; Domain=example.com; Secure\n",
	"Set-Cookie: a=b; HttpOnly; Secure; Path=/clusters/c1" PROXY_PATH "\n" SANDBOX, true},
    {200, "Set-Cookie: a=b;path = /x;;domain;Pathology=1\n",
	"Set-Cookie: a=b; Pathology=1; Path=/clusters/c1" PROXY_PATH "\n" SANDBOX, true},
};

static void test_answers(void **state)
{
	(void)state;
	struct http_head client = {0};
	for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
		const struct answer *row = &answers[i];
		bool has_body = row->is_proxied || strstr(row->sent, "Content-Type:") != NULL;
		struct http_head upstream = {
		    .status = row->status, .body = has_body ? HTTP_BODY_CHUNKED : HTTP_BODY_NONE};
		struct headers_answer answer = {.upstream = &upstream,
		    .authority = "abc.eks.amazonaws.com",
		    .prefix = "/clusters/c1",
		    .target = row->is_proxied ? PROXY_PATH "/index.html?x" : "/api/v1/pods",
		    .opaque_from = row->is_proxied ? strlen(PROXY_PATH) : 0};
		char *message = NULL;
		add_lines(&upstream.fields, row->sent);
		bool is_relayed = headers_build_response(&answer, &client, &message);
		if (is_relayed != (row->passed != NULL))
			fail_msg("%s", row->sent);
		if (is_relayed) {
			char *seen = lines_of(&client.fields);
			assert_string_equal(seen, row->passed);
			free(seen);
			assert_int_equal(client.status, row->status);
			assert_int_equal(client.body, upstream.body);
		} else {
			assert_non_null(strstr(message, "another host"));
		}
		free(message);
		http_head_free(&upstream);
	}
	http_head_free(&client);
}

static void test_answer_without_a_prefix(void **state)
{
	(void)state;
	struct http_head client = {0}, upstream = {.status = 302};
	struct headers_answer answer = {
	    .upstream = &upstream, .authority = "h:6443", .prefix = "", .target = "/x"};
	char *message = NULL;
	add_lines(&upstream.fields, "Location: https://h:6443/y\n");
	assert_true(headers_build_response(&answer, &client, &message));
	assert_string_equal(fields_get(&client.fields, "Location"), "/y");
	http_head_free(&upstream);
	http_head_free(&client);
}

/* What an API server sends for no table to hold is not for others to keep because it is changed. */
static void test_what_is_rewritten_stays_private(void **state)
{
	(void)state;
	static const char *const rows[] = {"Location: /y?code=1\n", "Location: y?code=1\n"};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct http_head client = {0}, upstream = {.status = 302};
		struct headers_answer answer = {.upstream = &upstream,
		    .authority = "h",
		    .prefix = "/clusters/c",
		    .target = "/x"};
		char *message = NULL;
		add_lines(&upstream.fields, rows[i]);
		upstream.fields.items[0].traits |= FIELD_PRIVATE;
		assert_true(headers_build_response(&answer, &client, &message));
		assert_true(fields_is(&client.fields, 0, FIELD_LOCATION));
		assert_true(fields_is(&client.fields, 0, FIELD_PRIVATE));
		http_head_free(&upstream);
		http_head_free(&client);
	}
}

static void test_trailers(void **state)
{
	(void)state;
	struct http_fields sent = {0}, passed = {0};
	add_lines(&sent,
	    "X-Checksum: 1\nGrpc-Status: 0\nContent-Length: 3\nTransfer-Encoding: chunked\n"
	    "Content-Type: text/html\nContent-Security-Policy: x\nSet-Cookie: a=b\nLocation: /\n"
	    "Connection: close\nTrailer: X\nHost: x\nWWW-Authenticate: Basic\nRetry-After: 1\n");
	headers_build_trailers(&sent, &passed);
	char *seen = lines_of(&passed);
	assert_string_equal(seen, "X-Checksum: 1\nGrpc-Status: 0\n");
	free(seen);
	fields_free(&sent);
	fields_free(&passed);
}

static void test_answer_that_switches_protocols(void **state)
{
	(void)state;
	struct http_head client = {0}, upstream = {.status = 101, .is_upgrade = true};
	struct headers_answer answer = {.upstream = &upstream,
	    .authority = "h",
	    .prefix = "/clusters/c",
	    .target = PROXY_PATH "/ws",
	    .opaque_from = strlen(PROXY_PATH)};
	char *message = NULL;
	add_lines(
	    &upstream.fields, "Connection: Upgrade\nUpgrade: websocket\nSec-WebSocket-Accept: k\n");
	assert_true(headers_build_response(&answer, &client, &message));
	char *seen = lines_of(&client.fields);
	assert_string_equal(seen, "Sec-WebSocket-Accept: k\nUpgrade: websocket\n");
	free(seen);
	assert_true(client.is_upgrade);
	http_head_free(&upstream);
	http_head_free(&client);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_passes_only_what_is_harmless),
	    cmocka_unit_test(test_serialises_without_the_clients_tokens),
	    cmocka_unit_test(test_cookies_only_for_proxied_applications),
	    cmocka_unit_test(test_upgrades),
	    cmocka_unit_test(test_closing_assertion),
	    cmocka_unit_test(test_traits_are_not_believed),
	    cmocka_unit_test(test_refuses_by_name),
	    cmocka_unit_test(test_refuses_what_connection_would_take_away),
	    cmocka_unit_test(test_connection_names_only_so_many),
	    cmocka_unit_test(test_origin_knows_the_default_port),
	    cmocka_unit_test(test_answers),
	    cmocka_unit_test(test_answer_without_a_prefix),
	    cmocka_unit_test(test_answer_that_switches_protocols),
	    cmocka_unit_test(test_what_is_rewritten_stays_private),
	    cmocka_unit_test(test_trailers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
