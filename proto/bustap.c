/* bustap: follows the bus as an ordinary subscriber of role "tap" and prints every message as one
 * line of JSON. The reference reader of proto/PROTOCOL.md: it keeps no table, only its place in the
 * stream. Secrets are never printed. */
#include <getopt.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "common/json.h"
#include "common/loop.h"
#include "common/mono.h"
#include "common/settings.h"
#include "common/xmem.h"
#include "common/zsock.h"
#include "proto/message.h"

#define EXIT_NO	   1
#define EXIT_USAGE 2
#define REDACTED   "[redacted]"
#define CREDIT	   8
#define QUEUE	   64
#define LINGER_MS  100
#define TICK_MS	   250
#define SILENCE_MS 2000 /* longer than any sensible heartbeat: a new connection */

struct options {
	const char *config, *socket, *group, *role;
	unsigned long count; /* 0: without end */
	struct duration timeout; /* 0: none */
};

struct tap {
	const struct options *options;
	struct loop *loop;
	struct zsock_context *context;
	struct zsock *zsock;
	struct timer *tick;
	struct deferred ack;
	bool is_connected, is_welcome, is_placed; /* placed: a snapshot has ended */
	int64_t session, received;
	uint64_t group_id, epoch, publisher, sequence;
	struct mono heard_at, tried_at;
	unsigned long printed;
	int status;
};

/* --- printing */

static bool is_secret(const char *key)
{
	return strcasecmp(key, "external_id") == 0 || strcasecmp(key, "externalId") == 0;
}

static void redact(struct json_object *value)
{
	if (json_object_is_type(value, json_type_array)) {
		for (size_t i = 0; i < json_object_array_length(value); i++)
			redact(json_object_array_get_idx(value, i));
		return;
	}
	if (!json_object_is_type(value, json_type_object))
		return;
	json_object_object_foreach(value, key, member)
	{
		if (is_secret(key))
			json_object_object_add(value, key, json_object_new_string(REDACTED));
		else
			redact(member);
	}
}

/* A resource travels as text; people and jq want to see what is in it. */
static void unfold_resources(struct json_object *body)
{
	struct json_object *items = NULL, *text = NULL;
	char error[JSON_ERROR_TEXT];
	if (!json_object_object_get_ex(body, "items", &items))
		return;
	for (size_t i = 0; i < json_object_array_length(items); i++) {
		struct json_object *item = json_object_array_get_idx(items, i);
		if (!json_object_object_get_ex(item, "resource", &text))
			continue;
		struct json_object *resource = json_parse(
		    json_object_get_string(text), (size_t)json_object_get_string_len(text), error);
		if (resource != NULL)
			json_object_object_add(item, "resource", resource);
	}
}

static struct json_object *show_body(unsigned type, const char *text, size_t len)
{
	char error[JSON_ERROR_TEXT];
	/* What this version does not know might be a secret. */
	if (message_type_name(type) == NULL)
		return json_object_new_string(REDACTED);
	struct json_object *body = json_parse(text, len, error);
	if ((type & ~MESSAGE_TYPE_OPTIONAL) == MESSAGE_TASK && body != NULL)
		json_object_object_add(body, "body", json_object_new_string(REDACTED));
	if (body != NULL)
		unfold_resources(body);
	redact(body);
	return body;
}

static void add_hex(struct json_object *object, const char *key, uint64_t value)
{
	char text[17];
	snprintf(text, sizeof text, "%016" PRIx64, value);
	json_object_object_add(object, key, json_object_new_string(text));
}

static void add_number(struct json_object *object, const char *key, uint64_t value)
{
	json_object_object_add(object, key, json_object_new_uint64(value));
}

static void add_type(struct json_object *object, unsigned type)
{
	char number[16];
	const char *name = message_type_name(type);
	snprintf(number, sizeof number, "%u", type);
	json_object_object_add(
	    object, "type", json_object_new_string(name != NULL ? name : number));
}

static void add_digest(struct json_object *object, const struct message_digest *digest)
{
	char text[2 * MESSAGE_DIGEST_SIZE + 1];
	for (size_t i = 0; i < MESSAGE_DIGEST_SIZE; i++)
		snprintf(text + 2 * i, 3, "%02x", digest->bytes[i]);
	json_object_object_add(object, "digest", json_object_new_string(text));
}

static void print_message(
    struct tap *tap, const struct message_header *header, const struct zsock_frame *text)
{
	struct json_object *line = json_object_new_object();
	add_type(line, header->type);
	add_number(line, "epoch", header->epoch);
	add_number(line, "sequence", header->sequence);
	add_number(line, "base", header->base_sequence);
	add_number(line, "count", header->count);
	if (header->group == tap->group_id)
		json_object_object_add(line, "group", json_object_new_string(tap->options->group));
	else
		add_hex(line, "group", header->group);
	add_hex(line, "instance", header->instance);
	add_digest(line, &header->digest);
	json_object_object_add(line, "body", show_body(header->type, text->data, text->len));
	puts(json_object_to_json_string_ext(
	    line, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	fflush(stdout);
	json_object_put(line);
	tap->printed++;
}

static void tell(const char *text)
{
	fprintf(stderr, "bustap: %s\n", text);
}

/* --- the protocol */

static void finish(struct tap *tap, int status)
{
	tap->status = status;
	loop_stop(tap->loop);
}

static void send_message(struct tap *tap, enum message_type type, const union message_body *body)
{
	uint8_t frame[MESSAGE_HEADER_SIZE];
	size_t len;
	if (tap->zsock == NULL)
		return;
	char *text = message_encode_body(type, body, &len);
	const struct message_header header = {.type = (uint8_t)type,
	    .version_major = MESSAGE_VERSION_MAJOR,
	    .version_minor = MESSAGE_VERSION_MINOR,
	    .group = tap->group_id,
	    .epoch = tap->epoch,
	    .instance = tap->publisher,
	    .sequence = tap->sequence};
	message_encode_header(&header, text, len, frame);
	const struct zsock_frame frames[] = {{frame, sizeof frame}, {text, len}};
	if (zsock_send(tap->zsock, frames, 2) != ZSOCK_SENT)
		tap->is_connected = false;
	free(text);
}

static void say_hello(struct tap *tap)
{
	char node[65] = "", *role = xstrdup(tap->options->role);
	(void)!gethostname(node, sizeof node - 1);
	tap->session++;
	tap->tried_at = mono_now();
	tap->is_welcome = tap->is_placed = false;
	const union message_body body = {.hello = {.session = tap->session,
					     .role = role,
					     .instance = (char[]){"bustap"},
					     .node = node,
					     .software = (char[]){EKSGATE_VERSION},
					     .pid = getpid(),
					     .credit = CREDIT}};
	send_message(tap, MESSAGE_HELLO, &body);
	free(role);
}

static void on_ack(void *arg)
{
	struct tap *tap = arg;
	const union message_body body = {
	    .ack = {.session = tap->session, .received = tap->received}};
	if (tap->is_welcome)
		send_message(tap, MESSAGE_ACK, &body);
}

/* The stream does not go on where it was: begin again. */
static void resync(struct tap *tap, const char *why)
{
	tell(why);
	say_hello(tap);
}

static void on_welcome(
    struct tap *tap, const struct message_header *header, const struct message_welcome *welcome)
{
	if (welcome->session != tap->session)
		return;
	tap->is_welcome = true;
	tap->received = 0;
	tap->epoch = header->epoch;
	tap->publisher = header->instance;
}

static void on_refused(struct tap *tap, const struct message_reason *reason)
{
	if (strcmp(reason->code, "hello") == 0) {
		say_hello(tap);
		return;
	}
	fprintf(stderr, "bustap: discoveryd refuses: %s (%s)\n", reason->text, reason->code);
	finish(tap, EXIT_NO);
}

static void on_data(struct tap *tap, const struct message_header *header)
{
	tap->received++;
	loop_defer(tap->loop, &tap->ack);
	if ((header->type & ~MESSAGE_TYPE_OPTIONAL) == MESSAGE_SNAPSHOT_END)
		tap->is_placed = true;
	else if ((header->type & ~MESSAGE_TYPE_OPTIONAL) != MESSAGE_DELTA)
		return;
	else if (!tap->is_placed || header->base_sequence != tap->sequence)
		resync(tap, "a change is missing, asking for everything again");
	tap->sequence = header->sequence;
}

static void follow(struct tap *tap, const struct message_header *header, union message_body *body)
{
	switch (header->type & ~MESSAGE_TYPE_OPTIONAL) {
	case MESSAGE_WELCOME:
		on_welcome(tap, header, &body->welcome);
		break;
	case MESSAGE_SNAPSHOT_BEGIN:
	case MESSAGE_SNAPSHOT_CHUNK:
	case MESSAGE_SNAPSHOT_END:
	case MESSAGE_DELTA:
		if (tap->is_welcome)
			on_data(tap, header);
		break;
	case MESSAGE_HEARTBEAT:
		if (tap->is_placed && header->base_sequence != tap->sequence)
			resync(tap, "a change is missing, asking for everything again");
		break;
	case MESSAGE_REJECT:
		on_refused(tap, &body->reason);
		break;
	case MESSAGE_BYE:
		fprintf(stderr, "bustap: discoveryd ends the session: %s\n", body->reason.text);
		tap->is_welcome = tap->is_placed = false;
		break;
	default:
		break;
	}
}

static void on_message(void *arg, const struct zsock_message *message)
{
	struct tap *tap = arg;
	char error[MESSAGE_ERROR_TEXT] = "a message has exactly two frames";
	struct message_header header;
	union message_body body = {0};
	const struct zsock_frame *frames = message->frames;
	bool is_good = message->count == 2 && !message->is_cut &&
		       message_decode_header(frames[0].data, frames[0].len, frames[1].data,
			   frames[1].len, &header, error);
	bool is_known = is_good && message_type_name(header.type) != NULL;
	if (is_known)
		is_good = message_decode_body(&header, frames[1].data, frames[1].len, &body, error);
	if (!is_good) {
		fprintf(stderr, "bustap: a bad message: %s\n", error);
		return;
	}
	tap->heard_at = mono_now();
	print_message(tap, &header, &frames[1]);
	if (is_known) {
		follow(tap, &header, &body);
		message_body_free(header.type, &body);
	}
	if (tap->options->count > 0 && tap->printed >= tap->options->count)
		finish(tap, tap->status);
}

static void on_event(void *arg, enum zsock_event event)
{
	struct tap *tap = arg;
	tap->is_connected = event == ZSOCK_CONNECTED;
	if (event == ZSOCK_CONNECTED) {
		say_hello(tap);
	} else if (event == ZSOCK_REFUSED) {
		tell("this user may not look: add it to eksgate.bus.tap_users");
		finish(tap, EXIT_NO);
	} else {
		tell("discoveryd has gone, connecting again");
	}
}

static bool open_socket(struct tap *tap, char **error)
{
	const struct zsock_options options = {.message_max = MESSAGE_BODY_MAX,
	    .send_queue = QUEUE,
	    .receive_queue = QUEUE,
	    .linger = duration_ms(LINGER_MS),
	    .on_message = on_message,
	    .on_event = on_event,
	    .arg = tap};
	tap->tried_at = mono_now();
	tap->is_connected = tap->is_welcome = tap->is_placed = false;
	tap->zsock = zsock_connect(tap->context, tap->options->socket, &options, error);
	return tap->zsock != NULL;
}

static void on_tick(void *arg)
{
	struct tap *tap = arg;
	char *error = NULL;
	int64_t limit = tap->options->timeout.ms, silence = mono_since(tap->heard_at).ms;
	timer_set(tap->tick, duration_ms(TICK_MS));
	if (limit > 0 && silence > limit) {
		tell("the bus is silent: does discoveryd run?");
		finish(tap, EXIT_NO);
		return;
	}
	if (silence < SILENCE_MS || mono_since(tap->tried_at).ms < SILENCE_MS)
		return;
	zsock_free(&tap->zsock);
	if (open_socket(tap, &error))
		return;
	tell(error);
	free(error);
	finish(tap, EXIT_NO);
}

static void on_signal(void *arg)
{
	struct tap *tap = arg;
	finish(tap, 0);
}

static int follow_bus(const struct options *options)
{
	char *error = NULL;
	xmem_use_for_libevent();
	struct tap tap = {.options = options, .heard_at = mono_now()};
	tap.loop = loop_new();
	tap.group_id = message_group_id(options->group);
	tap.ack = (struct deferred){.fn = on_ack, .arg = &tap};
	tap.tick = timer_new(tap.loop, on_tick, &tap);
	loop_on_signal(tap.loop, SIGTERM, on_signal, &tap);
	loop_on_signal(tap.loop, SIGINT, on_signal, &tap);
	tap.context = zsock_context_new(tap.loop, NULL, NULL, &error);
	if (tap.context != NULL && open_socket(&tap, &error)) {
		timer_set(tap.tick, duration_ms(TICK_MS));
		loop_run(tap.loop);
	} else {
		tell(error);
		free(error);
		tap.status = EXIT_NO;
	}
	zsock_free(&tap.zsock);
	zsock_context_free(&tap.context);
	loop_undefer(tap.loop, &tap.ack);
	timer_free(&tap.tick);
	loop_free(&tap.loop);
	return tap.status;
}

/* --- options */

static const char usage[] =
    "usage: bustap [options]\n"
    "Prints every message of the eksgate bus as one line of JSON.\n"
    "\n"
    "  --config FILE      where the socket and the discovery group stand\n"
    "                     (default " SETTINGS_DEFAULT_PATH ")\n"
    "  --socket PATH      the bus socket\n"
    "  --group GROUP      the discovery group\n"
    "  --role ROLE        the role to ask for (default tap)\n"
    "  --count N          end after N messages\n"
    "  --timeout SECONDS  end with status 1 when the bus was silent for so long\n"
    "  --format json      the only format there is\n"
    "  --help, --version\n";

static int refuse_usage(const char *what, const char *value)
{
	fprintf(stderr, "bustap: %s%s\n%s", what, value, usage);
	return EXIT_USAGE;
}

static bool parse_number(const char *text, unsigned long max, unsigned long *value)
{
	if (text[0] == '\0' || strlen(text) > 9 || strspn(text, "0123456789") != strlen(text))
		return false;
	*value = strtoul(text, NULL, 10);
	return *value > 0 && *value <= max;
}

/* One option; -1 to go on, else the exit status. */
static int take_option(struct options *options, int option, const char *value)
{
	unsigned long seconds = 0;
	switch (option) {
	case 'c':
		options->config = value;
		return -1;
	case 's':
		options->socket = value;
		return -1;
	case 'g':
		options->group = value;
		return -1;
	case 'r':
		options->role = value;
		return strlen(value) <= 16 ? -1 : refuse_usage("there is no role ", value);
	case 'n':
		return parse_number(value, 999999999, &options->count)
			   ? -1
			   : refuse_usage("--count needs a number from 1 on, not ", value);
	case 't':
		if (!parse_number(value, 86400, &seconds))
			return refuse_usage("--timeout needs seconds, 1 to 86400, not ", value);
		options->timeout = duration_seconds((int64_t)seconds);
		return -1;
	case 'f':
		return strcmp(value, "json") == 0 ? -1 : refuse_usage("there is no format ", value);
	case 'h':
		fputs(usage, stdout);
		return 0;
	case 'v':
		puts("bustap " EKSGATE_VERSION);
		return 0;
	default:
		fputs(usage, stderr);
		return EXIT_USAGE;
	}
}

static int parse_options(struct options *options, int argc, char **argv)
{
	static const struct option table[] = {{"config", required_argument, NULL, 'c'},
	    {"socket", required_argument, NULL, 's'}, {"group", required_argument, NULL, 'g'},
	    {"role", required_argument, NULL, 'r'}, {"count", required_argument, NULL, 'n'},
	    {"timeout", required_argument, NULL, 't'}, {"format", required_argument, NULL, 'f'},
	    {"help", no_argument, NULL, 'h'}, {"version", no_argument, NULL, 'v'}, {0}};
	int option, status = -1;
	while (status < 0 && (option = getopt_long(argc, argv, "", table, NULL)) != -1)
		status = take_option(options, option, optarg);
	if (status < 0 && optind < argc)
		status = refuse_usage("there is nothing to do with ", argv[optind]);
	return status;
}

/* The configuration is only needed for what the command line does not say. */
static struct settings *fill_from_settings(struct options *options, char **error)
{
	struct settings *settings = settings_load(options->config, error);
	if (settings == NULL)
		return NULL;
	if (options->socket == NULL)
		options->socket = settings->bus.socket;
	if (options->group == NULL)
		options->group = settings->discovery.group;
	return settings;
}

int main(int argc, char **argv)
{
	struct options options = {.config = SETTINGS_DEFAULT_PATH, .role = "tap"};
	struct settings *settings = NULL;
	char *error = NULL;
	int status = parse_options(&options, argc, argv);
	if (status >= 0)
		return status;
	if (options.socket == NULL || options.group == NULL) {
		settings = fill_from_settings(&options, &error);
		if (settings == NULL) {
			fprintf(stderr, "%s\n", error);
			free(error);
			return EXIT_NO;
		}
	}
	status = follow_bus(&options);
	settings_free(&settings);
	return status;
}
