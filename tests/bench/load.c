/* The load of the bench: TLS connections with a client certificate from one thread to one port of
 * 127.0.0.1. It connects (with --hold: until every watch has its head), prints {"ready":N}, and
 * then obeys lines of standard input:
 *
 *   run SECONDS RATE   requests for so long, as fast as they are answered or at RATE a second;
 * prints one JSON object
 *
 * Times of requests at a rate count from when they were due. The end of input ends it. Started by
 * load.mjs. */
#include <arpa/inet.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "common/xmem.h"
#include "tests/bench/load_connection.h"

#define SAMPLES_MAX  (4u * 1024 * 1024)
#define OPENING_MAX  32
#define EVENTS_MAX   512
#define STREAMS_MAX  1000
#define SECOND_NS    1000000000
#define IDLE_NS	     (SECOND_NS / 20)
#define DRAIN_NS     (5ll * SECOND_NS)
#define CIPHERSUITES "TLS_AES_128_GCM_SHA256"

/* One run. */
struct pace {
	int64_t begun_ns, end_ns;
	double rate; /* 0: as fast as they are answered */
	long started;
	long next; /* the connection that is asked first */
};

int64_t load_now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * SECOND_NS + now.tv_nsec;
}

void load_sample(struct load *load, int64_t ns)
{
	if (load->sample_count < SAMPLES_MAX)
		load->samples_ns[load->sample_count++] = ns;
}

void load_reset(struct load *load)
{
	load->done = load->failed = load->events = 0;
	load->bytes = 0;
	load->sample_count = 0;
}

long load_slots(const struct load *load)
{
	return load->with.is_h2 ? load->with.streams : 1;
}

/* --- the loop --------------------------------------------------------------------------------- */

static void on_lost(struct connection *c)
{
	struct load *load = c->load;
	load->failed += c->busy == 0;
	connection_close(c);
}

/* Waits at most `wait_ns` and serves what is ready. True: a line, or the end, of standard input is.
 */
static bool turn(struct load *load, int64_t wait_ns)
{
	struct epoll_event ready[EVENTS_MAX];
	struct timespec wait = {.tv_sec = wait_ns / SECOND_NS, .tv_nsec = wait_ns % SECOND_NS};
	bool has_input = false;
	int count = epoll_pwait2(load->epoll, ready, EVENTS_MAX, &wait, NULL);
	for (int i = 0; i < count; i++) {
		struct connection *c = ready[i].data.ptr;
		if (c == NULL)
			has_input = true;
		else if (!connection_work(c))
			on_lost(c);
	}
	return has_input;
}

static void hold_requests(struct connection *c)
{
	while (c->busy < load_slots(c->load))
		connection_request(c, load_now_ns());
	connection_flush(c);
}

/* Opens the connections, a few at a time; what is lost now is lost for good. */
static void connect_all(struct load *load)
{
	const struct load_options *with = &load->with;
	long next = 0, wanted = with->is_hold ? with->connections * load_slots(load) : 0;
	while (load->failed == 0 && (load->open < with->connections || load->held < wanted)) {
		/* A watch counts as opening until its head is there: the proxy connects upstream
		 * for it. */
		long waiting = with->is_hold ? next - load->held / load_slots(load) : load->opening;
		for (; next < with->connections && waiting < OPENING_MAX; waiting++)
			connection_open(&load->connections[next++]);
		turn(load, IDLE_NS);
		for (long i = 0; with->is_hold && i < next; i++)
			if (load->connections[i].state == CONNECTION_OPEN &&
			    load->connections[i].busy == 0)
				hold_requests(&load->connections[i]);
	}
	if (load->failed == 0)
		return;
	fprintf(
	    stderr, "load: a connection to port %ld was lost before it was ready\n", with->port);
	exit(1);
}

/* --- one run ---------------------------------------------------------------------------------- */

/* When the next request is due; at a rate of 0, now. */
static int64_t next_due_ns(const struct pace *pace, int64_t now_ns)
{
	if (pace->rate <= 0)
		return now_ns;
	return pace->begun_ns + (int64_t)((double)pace->started * SECOND_NS / pace->rate);
}

/* With a connection for each request, a used one makes room for another. */
static void renew(struct load *load, struct connection *c)
{
	if (!load->with.is_handshake)
		return;
	if (c->state == CONNECTION_OPEN && c->busy == 0 && c->requests[0].begun_ns != 0)
		connection_close(c);
}

/* What is due and has room here. False: nothing. */
static bool start_on(struct connection *c, struct pace *pace, int64_t now_ns)
{
	if (c->state == CONNECTION_NONE)
		connection_open(c);
	if (c->state != CONNECTION_OPEN || c->busy >= load_slots(c->load))
		return false;
	do {
		connection_request(c, next_due_ns(pace, now_ns));
		pace->started++;
	} while (pace->rate <= 0 && c->busy < load_slots(c->load));
	connection_flush(c);
	return true;
}

static void start_due(struct load *load, struct pace *pace, int64_t now_ns)
{
	long count = load->with.connections;
	for (long tried = 0; tried < count && next_due_ns(pace, now_ns) <= now_ns; tried++) {
		struct connection *c = &load->connections[pace->next];
		pace->next = (pace->next + 1) % count;
		renew(load, c);
		if (start_on(c, pace, now_ns) && pace->rate > 0)
			tried = -1;
	}
}

static long in_flight(const struct load *load)
{
	long busy = load->opening;
	for (long i = 0; i < load->with.connections; i++)
		busy += load->connections[i].busy;
	return busy;
}

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

static double percentile_us(const struct load *load, double share)
{
	if (load->sample_count == 0)
		return 0;
	return (double)load->samples_ns[(size_t)((double)(load->sample_count - 1) * share)] / 1e3;
}

static void report(struct load *load, int64_t begun_ns)
{
	qsort(load->samples_ns, load->sample_count, sizeof *load->samples_ns, compare);
	printf("{\"done\":%ld,\"failed\":%ld,\"events\":%ld,\"bytes\":%llu,\"seconds\":%.4f,\"p50_"
	       "us\":%.1f,"
	       "\"p99_us\":%.1f,\"max_us\":%.1f}\n",
	    load->done, load->failed, load->events, (unsigned long long)load->bytes,
	    (double)(load_now_ns() - begun_ns) / SECOND_NS, percentile_us(load, 0.5),
	    percentile_us(load, 0.99), percentile_us(load, 1));
	fflush(stdout);
}

/* Requests in flight at the end are awaited, so that the CPU spent belongs to what is counted. */
static void drain(struct load *load)
{
	int64_t end_ns = load_now_ns() + DRAIN_NS;
	while (!load->with.is_hold && in_flight(load) > 0 && load_now_ns() < end_ns)
		turn(load, IDLE_NS);
	if (!load->with.is_hold)
		load->failed += in_flight(load);
}

static void run(struct load *load, double seconds, double rate)
{
	struct pace pace = {.begun_ns = load_now_ns(), .rate = rate};
	pace.end_ns = pace.begun_ns + (int64_t)(seconds * SECOND_NS);
	load_reset(load);
	for (int64_t now = pace.begun_ns; now < pace.end_ns; now = load_now_ns()) {
		int64_t until_ns = pace.end_ns;
		if (!load->with.is_hold) {
			start_due(load, &pace, now);
			if (rate > 0 && next_due_ns(&pace, now) < until_ns)
				until_ns = next_due_ns(&pace, now);
		}
		int64_t wait_ns = until_ns - load_now_ns();
		turn(load, wait_ns > 0 ? wait_ns : 0);
	}
	drain(load);
	report(load, pace.begun_ns);
}

/* False: the end. */
static bool obey(struct load *load)
{
	char line[128];
	double seconds, rate;
	if (fgets(line, sizeof line, stdin) == NULL)
		return false;
	if (sscanf(line, "run %lf %lf", &seconds, &rate) != 2) {
		fprintf(stderr, "load: cannot understand: %s", line);
		return false;
	}
	run(load, seconds, rate);
	return true;
}

/* --- start ------------------------------------------------------------------------------------ */

static const char usage[] = "usage: load --port N --path P --certificate FILE --key FILE [--host "
			    "H] [--h2] [--connections N] [--streams N]\n"
			    "            [--handshake] [--hold] [--plain]\n";

static bool parse(struct load_options *with, int argc, char **argv)
{
	static const struct option names[] = {{"plain", 0, NULL, 'n'}, {"port", 1, NULL, 'p'},
	    {"path", 1, NULL, 'P'}, {"certificate", 1, NULL, 'c'}, {"key", 1, NULL, 'k'},
	    {"host", 1, NULL, 'H'}, {"h2", 0, NULL, '2'}, {"connections", 1, NULL, 'C'},
	    {"streams", 1, NULL, 'm'}, {"handshake", 0, NULL, 'h'}, {"hold", 0, NULL, 'o'},
	    {NULL, 0, NULL, 0}};
	int letter;
	while ((letter = getopt_long(argc, argv, "", names, NULL)) != -1) {
		switch (letter) {
		case 'p':
			with->port = atol(optarg);
			break;
		case 'P':
			with->path = optarg;
			break;
		case 'c':
			with->certificate = optarg;
			break;
		case 'k':
			with->key = optarg;
			break;
		case 'H':
			with->host = optarg;
			break;
		case '2':
			with->is_h2 = true;
			break;
		case 'C':
			with->connections = atol(optarg);
			break;
		case 'm':
			with->streams = atol(optarg);
			break;
		case 'h':
			with->is_handshake = true;
			break;
		case 'o':
			with->is_hold = true;
			break;
		case 'n':
			with->is_plain = true;
			break;
		default:
			return false;
		}
	}
	return with->port > 0 && with->certificate != NULL && with->key != NULL &&
	       with->connections > 0 && with->streams > 0 && with->streams <= STREAMS_MAX;
}

static SSL_CTX *make_tls(const struct load_options *with)
{
	SSL_CTX *tls = SSL_CTX_new(TLS_client_method());
	if (tls == NULL || SSL_CTX_set_ciphersuites(tls, CIPHERSUITES) != 1)
		abort();
	SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				  SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_read_ahead(tls, 1);
	if (SSL_CTX_use_certificate_chain_file(tls, with->certificate) == 1 &&
	    SSL_CTX_use_PrivateKey_file(tls, with->key, SSL_FILETYPE_PEM) == 1)
		return tls;
	fprintf(stderr, "load: cannot read %s and %s\n", with->certificate, with->key);
	exit(1);
}

int main(int argc, char **argv)
{
	struct load load = {
	    .with = {.host = "localhost", .path = "/", .connections = 1, .streams = 1}};
	if (!parse(&load.with, argc, argv)) {
		fputs(usage, stderr);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	prctl(PR_SET_TIMERSLACK, 1);
	setvbuf(stdin, NULL, _IONBF, 0);
	load.tls = make_tls(&load.with);
	load.epoll = epoll_create1(EPOLL_CLOEXEC);
	load.samples_ns = xcalloc(SAMPLES_MAX, sizeof *load.samples_ns);
	load.connections = xcalloc((size_t)load.with.connections, sizeof *load.connections);
	for (long i = 0; i < load.with.connections; i++)
		load.connections[i].load = &load;
	load.address = (struct sockaddr_in){
	    .sin_family = AF_INET, .sin_port = htons((uint16_t)load.with.port)};
	load.address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	struct epoll_event input = {.events = EPOLLIN};
	if (epoll_ctl(load.epoll, EPOLL_CTL_ADD, STDIN_FILENO, &input) != 0)
		return 1;
	if (!load.with.is_handshake)
		connect_all(&load);
	printf("{\"ready\":%ld}\n", load.open);
	fflush(stdout);
	while (!turn(&load, IDLE_NS) || obey(&load))
		continue;
	return 0;
}
