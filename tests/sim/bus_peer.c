/* A subscriber for scenarios that act as a proxy by hand: bus_peer SOCKET GROUP INSTANCE. Prints
 * one JSON line per event ({"live":true}, {"task":{...}}, {"reject":{...}}); each line on standard
 * input is a body to send, behind its type: "report {...}", "result {...}". Ends with its standard
 * input. It knows nothing of clusters: what is said comes from the scenario. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/loop.h"
#include "common/xmem.h"
#include "common/zsock.h"
#include "proto/message.h"

struct peer {
	struct loop *loop;
	struct zsock_context *context;
	struct zsock *zsock;
	struct watch *input;
	struct buf line;
	const char *instance;
	uint64_t group;
	int64_t session, received;
	uint64_t epoch, publisher, sequence;
};

static void send_body(struct peer *peer, unsigned type, const char *text, size_t len)
{
	uint8_t frame[MESSAGE_HEADER_SIZE];
	const struct message_header header = {.type = (uint8_t)type,
	    .version_major = MESSAGE_VERSION_MAJOR,
	    .version_minor = MESSAGE_VERSION_MINOR,
	    .group = peer->group,
	    .epoch = peer->epoch,
	    .instance = peer->publisher,
	    .sequence = peer->sequence};
	message_encode_header(&header, text, len, frame);
	const struct zsock_frame frames[] = {{frame, sizeof frame}, {text, len}};
	if (zsock_send(peer->zsock, frames, 2) != ZSOCK_SENT)
		printf("{\"unsent\":%u}\n", type);
	fflush(stdout);
}

static void send_message(struct peer *peer, enum message_type type, const union message_body *body)
{
	size_t len;
	char *text = message_encode_body(type, body, &len);
	send_body(peer, type, text, len);
	free(text);
}

static void say_hello(struct peer *peer)
{
	char *instance = xstrdup(peer->instance);
	const union message_body body = {.hello = {.session = ++peer->session,
					     .role = (char[]){"proxy"},
					     .instance = instance,
					     .pid = getpid(),
					     .credit = 64}};
	peer->received = 0;
	send_message(peer, MESSAGE_HELLO, &body);
	free(instance);
}

static void show(const char *what, const char *text, size_t len)
{
	printf("{\"%s\":%.*s}\n", what, (int)len, text);
	fflush(stdout);
}

static void take_data(struct peer *peer, const struct message_header *header)
{
	peer->received++;
	if (header->type == MESSAGE_SNAPSHOT_END || header->type == MESSAGE_DELTA)
		peer->sequence = header->sequence;
	const union message_body body = {
	    .ack = {.session = peer->session, .received = peer->received}};
	send_message(peer, MESSAGE_ACK, &body);
	if (header->type == MESSAGE_SNAPSHOT_END)
		show("live", "true", 4);
}

static void on_message(void *arg, const struct zsock_message *message)
{
	struct peer *peer = arg;
	char error[MESSAGE_ERROR_TEXT];
	struct message_header header;
	const struct zsock_frame *frames = message->frames;
	if (message->count != 2 || !message_decode_header(frames[0].data, frames[0].len,
				       frames[1].data, frames[1].len, &header, error))
		return;
	if (header.type == MESSAGE_WELCOME) {
		peer->epoch = header.epoch;
		peer->publisher = header.instance;
	} else if (header.type >= MESSAGE_SNAPSHOT_BEGIN && header.type <= MESSAGE_DELTA) {
		take_data(peer, &header);
	} else if (header.type == MESSAGE_TASK) {
		show("task", frames[1].data, frames[1].len);
	} else if (header.type == MESSAGE_REJECT) {
		show("reject", frames[1].data, frames[1].len);
		say_hello(peer);
	}
}

static void on_event(void *arg, enum zsock_event event)
{
	if (event == ZSOCK_CONNECTED)
		say_hello(arg);
}

static void take_line(struct peer *peer, const char *line)
{
	static const struct {
		const char *word;
		unsigned type;
	} words[] = {
	    {"report ", MESSAGE_REPORT | MESSAGE_TYPE_OPTIONAL}, {"result ", MESSAGE_TASK_RESULT}};
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		size_t len = strlen(words[i].word);
		if (strncmp(line, words[i].word, len) == 0)
			send_body(peer, words[i].type, line + len, strlen(line + len));
	}
}

static void on_input(void *arg, unsigned ready)
{
	struct peer *peer = arg;
	char text[4096];
	(void)ready;
	ssize_t len = read(STDIN_FILENO, text, sizeof text);
	if (len <= 0) {
		loop_stop(peer->loop);
		return;
	}
	buf_append(&peer->line, text, (size_t)len);
	char *end;
	while (
	    peer->line.len > 0 && (end = memchr(peer->line.data, '\n', peer->line.len)) != NULL) {
		*end = '\0';
		take_line(peer, peer->line.data);
		buf_consume(&peer->line, (size_t)(end - peer->line.data) + 1);
	}
}

int main(int argc, char **argv)
{
	char *error = NULL;
	struct peer peer = {0};
	if (argc != 4) {
		fprintf(stderr, "usage: bus_peer SOCKET GROUP INSTANCE\n");
		return 2;
	}
	xmem_use_for_libevent();
	peer.loop = loop_new();
	peer.group = message_group_id(argv[2]);
	peer.instance = argv[3];
	const struct zsock_options options = {.message_max = MESSAGE_BODY_MAX,
	    .send_queue = 1024,
	    .receive_queue = 1024,
	    .on_message = on_message,
	    .on_event = on_event,
	    .arg = &peer};
	peer.context = zsock_context_new(peer.loop, NULL, NULL, &error);
	if (peer.context != NULL)
		peer.zsock = zsock_connect(peer.context, argv[1], &options, &error);
	if (peer.zsock == NULL) {
		fprintf(stderr, "bus_peer: %s\n", error);
		return 1;
	}
	peer.input = watch_new(peer.loop, STDIN_FILENO, on_input, &peer);
	watch_set(peer.input, WATCH_READ);
	loop_run(peer.loop);
	watch_free(&peer.input);
	zsock_free(&peer.zsock);
	zsock_context_free(&peer.context);
	buf_free(&peer.line);
	loop_free(&peer.loop);
	return 0;
}
