/* The set of client connections at its limits, against made-up streams and a made-up protocol: who
 * makes room for whom, and when the listener is told to rest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>

#include "common/loop.h"
#include "common/metrics.h"
#include "common/settings.h"
#include "common/xmem.h"
#include "kubeproxyd/front/session.h"
#include "kubeproxyd/front/session_h1.h"
#include "kubeproxyd/front/session_h2.h"
#include "kubeproxyd/gate/identity.h"
#include "kubeproxyd/net/stream.h"
#include "kubeproxyd/net/tls.h"

#define STREAMS 16

struct stream {
	const struct stream_events *events;
	void *arg;
	const char *alpn;
	bool is_closed, is_distrusted, has_no_chain;
	struct unix_time authorities_end;
};

static struct stream streams[STREAMS];
static size_t stream_count;
static struct identity alice;
static struct identity *identity_of_next;
static struct settings settings;
static struct loop *loop;
static struct metrics *metrics;
static struct sessions *sessions;
static bool has_room;
static unsigned told;

/* --- the neighbours --------------------------------------------------------------------------- */

struct stream *stream_accept(struct loop *of, int fd, struct tls_server *with,
    const struct stream_options *options, const struct stream_events *events, void *arg)
{
	(void)of;
	(void)fd;
	(void)with;
	(void)options;
	assert_true(stream_count < STREAMS);
	struct stream *stream = &streams[stream_count++];
	*stream = (struct stream){.events = events, .arg = arg};
	return stream;
}

void stream_close(struct stream **stream)
{
	assert_false((*stream)->is_closed);
	(*stream)->is_closed = true;
	*stream = NULL;
}

void stream_finish(struct stream **stream, struct duration linger)
{
	(void)linger;
	stream_close(stream);
}

size_t stream_queued(const struct stream *stream)
{
	(void)stream;
	return 0;
}

uint64_t stream_bytes_read(const struct stream *stream)
{
	(void)stream;
	return 0;
}

uint64_t stream_bytes_written(const struct stream *stream)
{
	(void)stream;
	return 0;
}

struct tls_server {
	bool is_other;
};
static struct tls_server tls, other_tls = {true};

bool tls_server_has_same_authorities(const struct tls_server *a, const struct tls_server *b)
{
	return a->is_other == b->is_other;
}

static struct unix_time lists_end;

struct unix_time tls_server_lists_end(const struct tls_server *of, struct unix_time after)
{
	(void)of;
	return lists_end.ms > after.ms ? lists_end : (struct unix_time){0};
}

bool stream_is_trusted_by(const struct stream *stream, const struct tls_server *by)
{
	return !stream->has_no_chain && (!by->is_other || !stream->is_distrusted);
}

struct unix_time stream_peer_authorities_end(const struct stream *stream)
{
	return stream->authorities_end;
}

X509 *stream_peer_certificate(const struct stream *stream)
{
	(void)stream;
	return NULL;
}

const char *stream_server_name(const struct stream *stream)
{
	(void)stream;
	return NULL;
}

const char *stream_peer_error(const struct stream *stream)
{
	(void)stream;
	return NULL;
}

const char *stream_peer_address(const struct stream *stream)
{
	(void)stream;
	return "192.0.2.1:1";
}

const char *stream_alpn(const struct stream *stream)
{
	return stream->alpn;
}

void caller_init(
    struct caller *caller, X509 *certificate, const char *certificate_error, const char *address)
{
	(void)certificate;
	(void)certificate_error;
	*caller = (struct caller){.address = address, .identity = identity_of_next};
}

void caller_clear(struct caller *caller)
{
	*caller = (struct caller){0};
}

void caller_note_known(struct caller *caller)
{
	caller->is_known = true;
	caller->on_known(caller->on_known_arg);
}

static void *start(struct session *session)
{
	return session;
}

static void drain(void *conversation)
{
	session_end(conversation, SESSION_POLITE, "draining");
}

static void cut(void *conversation, const char *reason)
{
	session_end(conversation, SESSION_CUT, reason);
}

static void free_conversation(void *conversation)
{
	(void)conversation;
}

static unsigned h2_starts;

static void *start_h2(struct session *session)
{
	h2_starts++;
	return session;
}

const struct session_protocol session_h1 = {start, drain, cut, free_conversation};
const struct session_protocol session_h2 = {start_h2, drain, cut, free_conversation};

/* --- the setting ------------------------------------------------------------------------------ */

static void on_room(void *arg, bool has_room_now)
{
	(void)arg;
	has_room = has_room_now;
	told++;
}

static int set_up(void **state)
{
	(void)state;
	stream_count = told = 0;
	has_room = true;
	settings.proxy.limits.connections = 3;
	settings.proxy.limits.handshakes = 2;
	settings.proxy.limits.strangers_per_address = 10;
	loop = loop_new();
	metrics = metrics_new();
	struct sessions_options options = {
	    .loop = loop,
	    .metrics = metrics,
	    .settings = &settings,
	    .tls = &tls,
	    .on_room = on_room,
	};
	sessions = sessions_new(&options);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	sessions_free(&sessions);
	for (size_t i = 0; i < stream_count; i++)
		assert_true(streams[i].is_closed);
	loop_free(&loop);
	metrics_free(&metrics);
	return 0;
}

static struct stream *connect_from(const char *literal)
{
	struct sockaddr_storage address = {.ss_family = AF_INET6};
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)(void *)&address;
	struct sockaddr_in *four = (struct sockaddr_in *)(void *)&address;
	if (inet_pton(AF_INET6, literal, &six->sin6_addr) != 1) {
		four->sin_family = AF_INET;
		assert_int_equal(inet_pton(AF_INET, literal, &four->sin_addr), 1);
	}
	size_t before = stream_count;
	sessions_accept(sessions, -1, (const struct sockaddr *)&address, sizeof address);
	return stream_count > before ? &streams[before] : NULL;
}

static struct stream *connect_one(void)
{
	return connect_from("192.0.2.1");
}

static struct stream *open_one(struct identity *identity)
{
	struct stream *stream = connect_one();
	identity_of_next = identity;
	stream->events->on_open(stream->arg);
	return stream;
}

/* --- tests ------------------------------------------------------------------------------------ */

static void test_the_oldest_handshake_makes_room(void **state)
{
	(void)state;
	const struct stream *first = connect_one(), *second = connect_one();
	const struct stream *third = connect_one();
	assert_true(first->is_closed);
	assert_non_null(third);
	assert_false(second->is_closed || third->is_closed);
	assert_int_equal(sessions_count(sessions), 2);
	assert_int_equal(told, 0);
}

static void test_strangers_make_room_for_whoever_comes(void **state)
{
	(void)state;
	const struct stream *first = open_one(NULL), *known = open_one(&alice);
	const struct stream *last = open_one(NULL);
	assert_int_equal(sessions_count(sessions), 3);
	const struct stream *newer = open_one(&alice);
	assert_true(first->is_closed);
	assert_false(known->is_closed || last->is_closed || newer->is_closed);
	assert_int_equal(told, 0);
}

static void test_the_known_are_never_cut_and_the_listener_rests(void **state)
{
	(void)state;
	struct stream *known[3];
	for (size_t i = 0; i < 3; i++)
		known[i] = open_one(&alice);
	assert_false(has_room);
	assert_null(connect_one());
	for (size_t i = 0; i < 3; i++)
		assert_false(known[i]->is_closed);
	sessions_drain(sessions);
	assert_true(has_room);
	assert_int_equal(told, 2);
}

static void test_a_limit_that_is_raised_ends_the_rest(void **state)
{
	(void)state;
	for (size_t i = 0; i < 3; i++)
		(void)open_one(&alice);
	assert_false(has_room);
	settings.proxy.limits.connections = 4;
	sessions_set(sessions, &settings, &tls);
	assert_true(has_room);
	(void)open_one(&alice);
	assert_false(has_room);
}

static void test_withdrawn_authorities_cut(void **state)
{
	(void)state;
	struct tls_server alike = {false};
	const struct stream *kept = open_one(&alice);
	struct stream *withdrawn = open_one(&alice);
	const struct stream *shaking = connect_one();
	withdrawn->is_distrusted = true;
	sessions_set(sessions, &settings, &alike);
	assert_int_equal(sessions_count(sessions), 3);
	sessions_set(sessions, &settings, &other_tls);
	assert_false(kept->is_closed);
	assert_true(withdrawn->is_closed && shaking->is_closed);
}

/* Resumed, with a certificate of an intermediate authority: nobody can say any more that the old
 * authorities trusted it, and it is cut all the same. */
static void test_withdrawn_authorities_cut_the_resumed(void **state)
{
	(void)state;
	struct stream *resumed = open_one(&alice);
	resumed->has_no_chain = true;
	sessions_set(sessions, &settings, &other_tls);
	assert_true(resumed->is_closed);
}

static void stop(void *arg)
{
	loop_stop(arg);
}

/* Without a reload: certificates of its authority are cut when a list is overdue, others stay. */
static void test_an_overdue_list_cuts(void **state)
{
	(void)state;
	struct tls_server alike = {false};
	const struct stream *kept = open_one(&alice);
	struct stream *withdrawn = open_one(&alice);
	lists_end = unix_add(unix_now(), duration_ms(500));
	sessions_set(sessions, &settings, &alike);
	withdrawn->has_no_chain = true;
	struct timer *timer = timer_new(loop, stop, loop);
	timer_set(timer, duration_ms(2300));
	assert_false(withdrawn->is_closed);
	loop_run(loop);
	assert_true(withdrawn->is_closed);
	assert_false(kept->is_closed);
	timer_free(&timer);
	lists_end = (struct unix_time){0};
}

/* The timer had not looked yet. */
static void test_a_reload_forgets_no_overdue_list(void **state)
{
	(void)state;
	struct tls_server alike = {false};
	const struct stream *kept = open_one(&alice);
	struct stream *withdrawn = open_one(&alice);
	lists_end = unix_add(unix_now(), duration_ms(-900));
	sessions_set(sessions, &settings, &alike);
	withdrawn->has_no_chain = true;
	struct timer *timer = timer_new(loop, stop, loop);
	timer_set(timer, duration_ms(200));
	loop_run(loop);
	assert_false(withdrawn->is_closed);
	sessions_set(sessions, &settings, &alike);
	assert_true(withdrawn->is_closed);
	assert_false(kept->is_closed);
	timer_free(&timer);
	lists_end = (struct unix_time){0};
}

static struct stream *open_until(struct unix_time end)
{
	struct stream *stream = connect_one();
	identity_of_next = &alice;
	stream->authorities_end = end;
	stream->events->on_open(stream->arg);
	return stream;
}

/* Only those whom it vouched for; whoever comes meanwhile does not put it off. */
static void test_an_expired_authority_cuts(void **state)
{
	(void)state;
	struct unix_time now = unix_now();
	struct stream *later = open_until(unix_add(now, duration_seconds(3600)));
	struct stream *over = open_until(unix_add(now, duration_ms(500)));
	struct timer *timer = timer_new(loop, stop, loop);
	timer_set(timer, duration_ms(1300));
	loop_run(loop);
	struct stream *never = open_until((struct unix_time){0});
	assert_false(over->is_closed);
	timer_set(timer, duration_ms(1000));
	loop_run(loop);
	assert_true(over->is_closed);
	assert_false(later->is_closed || never->is_closed);
	over = open_until(unix_add(now, duration_ms(500)));
	timer_set(timer, duration_ms(2300));
	loop_run(loop);
	assert_true(over->is_closed);
	timer_free(&timer);
}

static void test_an_address_has_its_share(void **state)
{
	(void)state;
	settings.proxy.limits.strangers_per_address = 2;
	settings.proxy.limits.connections = 100;
	settings.proxy.limits.handshakes = 100;
	const struct stream *first = open_one(NULL), *other = connect_from("192.0.2.2");
	const struct stream *second = connect_one(), *known = open_one(&alice);
	assert_true(first->is_closed);
	const struct stream *third = connect_from("::ffff:192.0.2.1");
	const struct stream *fourth = connect_one();
	assert_true(second->is_closed);
	assert_false(known->is_closed || third->is_closed || fourth->is_closed || other->is_closed);
	/* A network is one. */
	const struct stream *a = connect_from("2001:db8::1"), *b = connect_from("2001:db8::ffff:1");
	const struct stream *c = connect_from("2001:db8::2"), *d = connect_from("2001:db8:0:1::1");
	assert_true(a->is_closed);
	assert_false(b->is_closed || c->is_closed || d->is_closed);
}

static void test_a_token_makes_known(void **state)
{
	(void)state;
	settings.proxy.limits.strangers_per_address = 1;
	const struct stream *first = open_one(NULL);
	struct session *session = first->arg;
	caller_note_known(&session->caller);
	const struct stream *second = connect_one();
	assert_false(first->is_closed || second->is_closed);
}

static void test_failed_handshakes_leave_the_list(void **state)
{
	(void)state;
	struct stream *first = connect_one();
	first->events->on_error(first->arg, "tls: no");
	const struct stream *second = connect_one(), *third = connect_one();
	assert_false(second->is_closed || third->is_closed);
	assert_int_equal(sessions_count(sessions), 2);
}

static void test_alpn_chooses_the_protocol(void **state)
{
	(void)state;
	h2_starts = 0;
	identity_of_next = &alice;
	struct stream *old = connect_one();
	old->alpn = "http/1.1";
	old->events->on_open(old->arg);
	struct stream *plain = connect_one();
	plain->events->on_open(plain->arg);
	assert_int_equal(h2_starts, 0);
	struct stream *new = connect_one();
	new->alpn = "h2";
	new->events->on_open(new->arg);
	assert_int_equal(h2_starts, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(test_the_oldest_handshake_makes_room),
	    TEST(test_strangers_make_room_for_whoever_comes),
	    TEST(test_the_known_are_never_cut_and_the_listener_rests),
	    TEST(test_a_limit_that_is_raised_ends_the_rest),
	    TEST(test_withdrawn_authorities_cut),
	    TEST(test_withdrawn_authorities_cut_the_resumed),
	    TEST(test_an_overdue_list_cuts),
	    TEST(test_a_reload_forgets_no_overdue_list),
	    TEST(test_an_expired_authority_cuts),
	    TEST(test_failed_handshakes_leave_the_list),
	    TEST(test_an_address_has_its_share),
	    TEST(test_a_token_makes_known),
	    TEST(test_alpn_chooses_the_protocol),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
