/* bustap: follows the bus and shows every message, as a line of JSON on standard output or, with
 * --serve, to whoever subscribes to a plain ZeroMQ PUB socket. Secrets are never shown. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/loop.h"
#include "common/settings.h"
#include "common/xmem.h"
#include "proto/bustap_follow.h"
#include "proto/bustap_serve.h"
#include "proto/bustap_show.h"

#define EXIT_NO	     1
#define EXIT_USAGE   2
#define SERVE_SOCKET "/run/eksgate-tap/tap.sock"

struct options {
	const char *config, *socket, *group, *role;
	const char *serve; /* the socket of --serve, or NULL */
	unsigned long count; /* 0: without end */
	struct duration timeout; /* 0: none */
};

struct tap {
	const struct options *options;
	struct loop *loop;
	struct tap_server *server; /* NULL: it prints */
	unsigned long shown;
	int status;
};

static void on_end(void *arg, int status)
{
	struct tap *tap = arg;
	tap->status = status;
	loop_stop(tap->loop);
}

static void on_message(void *arg, const struct message_header *header,
    const union message_body *body, const struct zsock_frame *text)
{
	struct tap *tap = arg;
	if (tap->options->count > 0 && tap->shown >= tap->options->count)
		return; /* the loop stops */
	char *line = show_message(header, text->data, text->len, tap->options->group);
	if (tap->server != NULL) {
		tap_server_take(tap->server, header, body, line);
	} else {
		puts(line);
		fflush(stdout);
	}
	free(line);
	tap->shown++;
	if (tap->options->count > 0 && tap->shown >= tap->options->count)
		loop_stop(tap->loop);
}

static void on_signal(void *arg)
{
	on_end(arg, 0);
}

static struct follower *start(struct tap *tap, const struct follow_options *follow, char **error)
{
	if (tap->options->serve != NULL) {
		tap->server = tap_server_new(tap->loop, tap->options->serve, error);
		if (tap->server == NULL)
			return NULL;
	}
	return follower_new(tap->loop, follow, error);
}

static int run(const struct options *options)
{
	char *error = NULL;
	xmem_use_for_libevent();
	struct tap tap = {.options = options, .loop = loop_new()};
	const struct follow_options follow = {.socket = options->socket,
	    .group = options->group,
	    .role = options->role,
	    .timeout = options->timeout,
	    .on_message = on_message,
	    .on_end = on_end,
	    .arg = &tap};
	loop_on_signal(tap.loop, SIGTERM, on_signal, &tap);
	loop_on_signal(tap.loop, SIGINT, on_signal, &tap);
	struct follower *follower = start(&tap, &follow, &error);
	if (follower != NULL) {
		loop_run(tap.loop);
	} else {
		fprintf(stderr, "bustap: %s\n", error);
		free(error);
		tap.status = EXIT_NO;
	}
	follower_free(&follower);
	tap_server_free(&tap.server);
	loop_free(&tap.loop);
	return tap.status;
}

/* --- options */

static const char usage[] =
    "usage: bustap [options]\n"
    "Shows every message of the eksgate bus as one line of JSON.\n"
    "\n"
    "  --config FILE      where the socket and the discovery group stand\n"
    "                     (default " SETTINGS_DEFAULT_PATH ")\n"
    "  --socket PATH      the bus socket\n"
    "  --group GROUP      the discovery group\n"
    "  --role ROLE        the role to ask for (default tap)\n"
    "  --count N          end after N messages\n"
    "  --timeout SECONDS  end with status 1 when the bus was silent for so long\n"
    "  --serve[=SOCKET]   show them to ZeroMQ subscribers instead, on ipc://SOCKET\n"
    "                     (default " SERVE_SOCKET ")\n"
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
	case 'S':
		options->serve = value != NULL ? value : SERVE_SOCKET;
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
	    {"timeout", required_argument, NULL, 't'}, {"serve", optional_argument, NULL, 'S'},
	    {"format", required_argument, NULL, 'f'}, {"help", no_argument, NULL, 'h'},
	    {"version", no_argument, NULL, 'v'}, {0}};
	int option, status = -1;
	while (status < 0 && (option = getopt_long(argc, argv, "", table, NULL)) != -1)
		status = take_option(options, option, optarg);
	if (status < 0 && optind < argc)
		status = refuse_usage("there is nothing to do with ", argv[optind]);
	return status;
}

/* The configuration is only needed for what the command line does not say: a mistake elsewhere in
 * it is told, and does not matter. NULL when there is none, as was told. */
static struct settings *fill_from_settings(struct options *options)
{
	char *findings = NULL;
	struct settings *settings = settings_load_readable(options->config, &findings);
	if (findings != NULL)
		fprintf(stderr, "%s\n", findings);
	free(findings);
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
	int status = parse_options(&options, argc, argv);
	if (status >= 0)
		return status;
	if (options.socket == NULL || options.group == NULL) {
		settings = fill_from_settings(&options);
		if (settings == NULL)
			return EXIT_NO;
	}
	status = run(&options);
	settings_free(&settings);
	return status;
}
